//! The script that keeps the public address in DNS, against a provider that answers as Cloudflare's
//! documentation says. The clock is the test's; no lab is needed.

use bramble_tests::cloudflare::Cloudflare;
use bramble_tests::http::{Response, Server};
use bramble_tests::{Done, Running};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/blueprint/src/steps/router/ddns.sh"
);
const TOKEN: &str = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY";
const NAME: &str = "home.example.org";

/// A page that says where a request came from; its answer can be changed.
struct Page {
    server: Server,
    says: Arc<Mutex<Response>>,
}

impl Page {
    fn start(says: &str) -> Self {
        let page = Self::start_at("127.0.0.1:0");
        page.says(says);
        page
    }

    fn start_at(at: &str) -> Self {
        let says = Arc::new(Mutex::new(Response::new(200, "")));
        let own = Arc::clone(&says);
        let server = Server::start(at, move |_| {
            own.lock().unwrap_or_else(|e| e.into_inner()).clone()
        });
        Self { server, says }
    }

    fn says(&self, text: &str) {
        self.answers(Response::new(200, text));
    }

    fn answers(&self, response: Response) {
        *self.says.lock().unwrap_or_else(|e| e.into_inner()) = response;
    }
}

/// The script with its folders, settings and clock.
struct Script {
    folder: TempDir,
    settings: BTreeMap<&'static str, String>,
    now: u64,
}

impl Script {
    fn new(api: &str, source: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["state", "credentials", "bin"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let out = Self {
            folder,
            settings: BTreeMap::from([
                ("DDNS_NAME", NAME.to_owned()),
                ("DDNS_ZONE", "example.org".to_owned()),
                ("DDNS_API", api.to_owned()),
                ("DDNS_FAMILIES", "ipv4".to_owned()),
                ("DDNS_SOURCE", source.to_owned()),
                ("DDNS_PAGE", "http://127.0.0.1:1/".to_owned()),
                ("DDNS_UPLINK", String::new()),
            ]),
            now: 1_800_000_000,
        };
        out.token(TOKEN);
        // The clock is the test's.
        out.program(
            "date",
            "case $* in +%s) echo \"$NOW\" ;; *) exec /bin/date \"$@\" ;; esac",
        );
        out
    }

    fn token(&self, token: &str) {
        let text = format!("header = \"Authorization: Bearer {token}\"\n");
        std::fs::write(self.folder.path().join("credentials/curl"), text).expect("written");
    }

    /// Puts a program in front of the machine's.
    fn program(&self, name: &str, text: &str) {
        let path = self.folder.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    fn set(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.settings.insert(name, value.to_owned());
        self
    }

    fn later(&mut self, seconds: u64) -> &mut Self {
        self.now += seconds;
        self
    }

    /// Runs it once; whatever it says, the token is not in it.
    #[track_caller]
    fn run(&self, code: i32) -> Done {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new("sh");
        command
            .arg(SCRIPT)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", path("bin").display()),
            )
            .env("NOW", self.now.to_string())
            .env("STATE_DIRECTORY", path("state"))
            .env("CREDENTIALS_DIRECTORY", path("credentials"))
            .envs(&self.settings);
        let done = Running::start(&mut command).finish().expect(code);
        assert!(!done.said().contains(TOKEN), "{}", done.said());
        for file in std::fs::read_dir(path("state"))
            .expect("a folder")
            .flatten()
        {
            let text = std::fs::read_to_string(file.path()).expect("a file");
            assert!(!text.contains(TOKEN), "{:?}: {text}", file.path());
        }
        done
    }
}

fn provider() -> (Cloudflare, String) {
    let cloudflare = Cloudflare::start("127.0.0.1:0", TOKEN);
    let zone = cloudflare.zone("example.org", "active");
    (cloudflare, zone)
}

fn only(content: &str) -> Vec<(String, u64, bool)> {
    vec![(content.to_owned(), 1, false)]
}

#[test]
fn one_update_for_each_change_and_none_otherwise() {
    let (cloudflare, _) = provider();
    let page = Page::start("fl=1f1\nh=example\nip=93.184.216.34\nts=1.2\n");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    let done = script.run(0);
    assert_eq!(
        done.stdout,
        "home.example.org A is now 93.184.216.34 (new)\n"
    );
    assert_eq!(cloudflare.records("A", NAME), only("93.184.216.34"));
    assert_eq!(cloudflare.changes().len(), 1);

    for _ in 0..3 {
        assert_eq!(script.later(300).run(0).said(), "");
    }
    assert_eq!(cloudflare.asked(), [], "nothing has changed");
    assert_eq!(page.server.asked().len(), 4, "the page is looked at");

    page.says("93.184.216.40\n");
    let done = script.later(300).run(0);
    assert_eq!(
        done.stdout,
        "home.example.org A is now 93.184.216.40 (was 93.184.216.34)\n"
    );
    let changes = cloudflare.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].0, "PATCH");
    script.later(300).run(0);
    assert_eq!(cloudflare.asked(), []);
    assert_eq!(cloudflare.records("A", NAME), only("93.184.216.40"));
}

#[test]
fn what_somebody_else_set_stays_and_what_they_broke_is_mended_within_a_day() {
    let (cloudflare, zone) = provider();
    cloudflare.record(
        &zone,
        json!({ "type": "A", "name": NAME, "content": "9.9.9.9", "ttl": 600, "proxied": true }),
    );
    cloudflare.record(
        &zone,
        json!({ "type": "TXT", "name": NAME, "content": "other" }),
    );
    cloudflare.record(
        &zone,
        json!({ "type": "A", "name": "x.example.org", "content": "9.9.9.8" }),
    );
    let page = Page::start("93.184.216.34");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    script.run(0).says("(was 9.9.9.9)");
    let kept = |content: &str| vec![(content.to_owned(), 600, true)];
    assert_eq!(cloudflare.records("A", NAME), kept("93.184.216.34"));
    assert_eq!(cloudflare.records("A", "x.example.org"), only("9.9.9.8"));
    cloudflare.asked();

    cloudflare.meddle("A", NAME, &json!({ "content": "6.6.6.6" }));
    script.later(86_000).run(0);
    assert_eq!(cloudflare.asked(), [], "less than a day");
    script.later(500).run(0).says("(was 6.6.6.6)");
    assert_eq!(cloudflare.records("A", NAME), kept("93.184.216.34"));
    cloudflare.asked();
    script.later(86_500).run(0).says("is 93.184.216.34 already");
    assert_eq!(cloudflare.changes(), [], "looked at, and left as it is");
}

#[test]
fn a_record_that_is_there_twice_is_left_to_its_owner() {
    let (cloudflare, zone) = provider();
    for content in ["9.9.9.9", "8.8.8.8"] {
        cloudflare.record(
            &zone,
            json!({ "type": "A", "name": NAME, "content": content }),
        );
    }
    let page = Page::start("93.184.216.34");
    let script = Script::new(&cloudflare.url(), &page.server.url());
    script
        .run(1)
        .says("several A records of the name home.example.org: remove all but one");
    assert_eq!(cloudflare.changes(), []);
}

#[test]
fn the_right_zone_is_found_among_those_with_the_same_beginning() {
    let cloudflare = Cloudflare::start("127.0.0.1:0", TOKEN);
    cloudflare.zone("example.org.uk", "active");
    cloudflare.zone("example.org", "moved");
    let right = cloudflare.zone("example.org", "active");
    cloudflare.zone("my-example.org", "active");
    let page = Page::start("93.184.216.34");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    script.run(0);
    let posted = cloudflare.asked().into_iter().find(|r| r.method == "POST");
    let path = posted.expect("a new record").path;
    assert!(path.contains(&right), "{path}");
    script
        .set("DDNS_ZONE", "example")
        .run(1)
        .says("sees no zone example;");
}

#[test]
fn both_families_have_their_record() {
    let (cloudflare, zone) = provider();
    cloudflare.record(
        &zone,
        json!({ "type": "AAAA", "name": NAME, "content": "2606:2800:0220:0001:0000:0000:0000:0001" }),
    );
    let mut script = Script::new(&cloudflare.url(), "uplink");
    script
        .set("DDNS_FAMILIES", "ipv4 ipv6")
        .set("DDNS_UPLINK", "wan0");
    // What `ip -j addr` prints of an interface with addresses of all kinds.
    let shown = |four: &str, six: &str| {
        format!(
            "case $* in\n*'-4 addr'*) echo '[{{\"ifname\":\"wan0\",\"addr_info\":[{{\"family\":\"inet\",\"local\":\"10.1.2.3\",\"scope\":\"global\"}},{{\"family\":\"inet\",\"local\":\"{four}\",\"scope\":\"global\"}}]}}]' ;;\n*'-6 addr'*) echo '[{{}},{{\"ifname\":\"wan0\",\"addr_info\":[{{}},{{\"local\":\"2606:2800:220:1:dead::1\",\"temporary\":true}},{{\"local\":\"2606:2800:220:1:dead::2\",\"deprecated\":true}},{{\"local\":\"fd00::5\"}},{{\"local\":\"{six}\",\"mngtmpaddr\":true}}]}}]' ;;\nesac"
        )
    };
    script.program("ip", &shown("93.184.216.34", "2606:2800:220:1::1"));
    let done = script.run(0);
    done.says("home.example.org A is now 93.184.216.34 (new)");
    done.says("home.example.org AAAA is 2606:2800:220:1::1 already");
    assert_eq!(cloudflare.changes().len(), 1);
    script.program(
        "ip",
        &shown("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"),
    );
    script
        .later(300)
        .run(0)
        .says("AAAA is now 2606:2800:220:1:248:1893:25c8:1946");
    let changes = cloudflare.changes();
    assert_eq!(
        changes.len(),
        1,
        "the other family is left alone: {changes:?}"
    );
}

/// Without an interface in the file, the default route says which one it is; and where the uplink has an
/// address that is none of the Internet's, a page is asked.
#[test]
fn the_uplink_is_found_and_a_page_asked_where_it_has_no_public_address() {
    let (cloudflare, _) = provider();
    let page = Page::start("93.184.216.34");
    let mut script = Script::new(&cloudflare.url(), "auto");
    script.set("DDNS_PAGE", &page.server.url());
    let shown = |address: &str| {
        format!(
            "case $* in\n*route*) echo '[{{\"dst\":\"default\",\"dev\":\"wlan0\",\"metric\":600}},{{\"dst\":\"default\",\"dev\":\"eth7\",\"metric\":100}}]' ;;\n*'addr show dev eth7 '*) echo '[{{\"addr_info\":[{{\"local\":\"{address}\"}}]}}]' ;;\n*) exit 1 ;;\nesac"
        )
    };
    script.program("ip", &shown("192.168.1.100"));
    script.run(0).says("is now 93.184.216.34 (new)");
    script.program("ip", &shown("185.70.41.7"));
    page.server.asked();
    script.run(0).says("is now 185.70.41.7 (was 93.184.216.34)");
    assert_eq!(page.server.asked(), [], "the uplink knows it");
    script.program("ip", &shown("100.64.1.1"));
    script
        .set("DDNS_SOURCE", "uplink")
        .run(1)
        .says("eth7 has the address 100.64.1.1, which is none of the Internet's: name a page");
}

#[test]
fn a_provider_that_is_down_is_asked_less_and_less() {
    let (cloudflare, _) = provider();
    let page = Page::start("93.184.216.34");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    cloudflare.trouble(Some(Response::new(502, "<html>Bad gateway</html>")));
    let until = |s: u64| {
        let mut date = Command::new("date");
        let done = Running::start(date.args(["-d", &format!("@{s}"), "+%Y-%m-%d %H:%M:%S"]));
        done.finish().stdout.trim().to_owned()
    };
    let done = script.run(1);
    done.says("answers with the status 502; not tried again before");
    done.says(&until(script.now + 60));
    assert_eq!(cloudflare.asked().len(), 1);

    // For two days a look every half an hour.
    let (begun, mut tried) = (script.now, Vec::new());
    while script.now < begun + 2 * 86_400 {
        let done = script.later(1800).run(1);
        if cloudflare.asked().is_empty() {
            done.says("is left alone until");
        } else {
            tried.push(script.now - begun);
        }
    }
    let gaps: Vec<u64> = tried.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(
        gaps.windows(2).all(|w| w[0] <= w[1]),
        "they only grow: {gaps:?}"
    );
    assert!(gaps.iter().all(|g| *g <= 21_600), "within bounds: {gaps:?}");
    assert_eq!(gaps.last(), Some(&21_600));
    assert!(tried.len() < 16, "{tried:?}");

    cloudflare.trouble(None);
    script
        .later(21_600)
        .run(0)
        .says("is now 93.184.216.34 (new)");
    cloudflare.asked();
    script.later(300).run(0);
    assert_eq!(cloudflare.asked(), []);
    // It starts from the beginning the next time.
    cloudflare.trouble(Some(Response::new(0, "")));
    page.says("93.184.216.35");
    script.later(300).run(1).says(&until(script.now + 60));
}

#[test]
fn a_clock_that_was_wrong_makes_no_pause_that_never_ends() {
    let (cloudflare, _) = provider();
    let page = Page::start("93.184.216.34");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    cloudflare.trouble(Some(Response::new(503, "")));
    script.later(50_000_000).run(1);
    cloudflare.trouble(None);
    script.now -= 50_000_000;
    script.run(0).says("(new)");
    // And an address that was told in the future is told again.
    cloudflare.asked();
    script.now -= 1000;
    script.run(0);
    assert!(!cloudflare.asked().is_empty());
}

#[test]
fn a_wrong_token_is_named_and_a_new_one_tried_at_once() {
    let (cloudflare, _) = provider();
    let page = Page::start("93.184.216.34");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    let wrong = "x".repeat(40);
    script.token(&wrong);
    let done = script.run(1);
    done.says("status 403: Invalid access token (9109). Is the token right, and may it edit the DNS of example.org?");
    assert!(!done.said().contains(&wrong), "{}", done.said());
    script.token("too-short");
    let done = script.run(1);
    done.says("Invalid request headers (6003); Invalid format for Authorization header (6111)");
    assert!(!done.said().contains("too-short"), "{}", done.said());
    cloudflare.asked();
    script.later(1).run(1).says("is left alone until");
    assert_eq!(cloudflare.asked(), []);
    script.token(TOKEN);
    script.run(0).says("is now 93.184.216.34 (new)");
    // A server that sends the token back is not repeated.
    page.says("93.184.216.35");
    cloudflare.trouble(Some(Response::new(
        403,
        json!({ "success": false, "errors": [{ "code": 1, "message": format!("no {TOKEN} here, {TOKEN}") }] }).to_string(),
    )));
    script.later(300).run(1).says("no *** here, ***");
}

#[test]
fn garbage_is_no_address() {
    let (cloudflare, _) = provider();
    let page = Page::start("");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    let four = [
        "10.0.0.1",
        "100.100.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.31.0.1",
        "192.168.0.1",
        "192.0.2.1",
        "198.19.1.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "255.255.255.255",
        "0.1.2.3",
    ];
    let six = [
        "fe80::1",
        "fd00::1",
        "::1",
        "2001:db8::1",
        "2001::1",
        "ff02::1",
        "3fff::1",
        "64:ff9b::1",
    ];
    let no_four = [
        "",
        "hello",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.4; rm -rf /",
        "2606:2800::1",
        "<html>1.2.3.4</html>",
        "93.184.216.34 93.184.216.35",
        "ip=",
        "93.184.216.34\n93.184.216.35",
    ];
    let no_six = [
        "93.184.216.34",
        "2606::1::2",
        "2606:2800:220:1:248:1893:25c8:1946:1",
        "2606:28000::1",
        "2606",
        "2606:2800:220:1:248:1893:25c8::1946",
        ":2606::1",
        "g::1",
        "::ffff:1.2.3.4",
    ];
    for (family, answers, says) in [
        ("ipv4", &four[..], "which is none of the Internet's"),
        ("ipv6", &six, "which is none of the Internet's"),
        ("ipv4", &no_four, "answers with what is no ipv4 address"),
        ("ipv6", &no_six, "answers with what is no ipv6 address"),
    ] {
        script.set("DDNS_FAMILIES", family);
        // A page is asked by the family; that of the test has one address.
        let host = if family == "ipv6" {
            "[::1]"
        } else {
            "127.0.0.1"
        };
        let page = Page::start_at(&format!("{host}:0"));
        script.set("DDNS_SOURCE", &page.server.url());
        for answer in answers {
            page.says(answer);
            let done = script.later(21_601).run(1);
            assert!(
                done.said().contains(says),
                "{family} {answer:?}: {}",
                done.said()
            );
        }
    }
    page.answers(Response::new(500, "93.184.216.34"));
    script
        .set("DDNS_FAMILIES", "ipv4")
        .set("DDNS_SOURCE", &page.server.url());
    script
        .later(21_601)
        .run(1)
        .says("answers with the status 500");
    page.says(&"1".repeat(3 << 20));
    script.later(21_601).run(1).says("does not answer");
    assert_eq!(cloudflare.asked(), [], "the provider was told none of it");
}

#[test]
fn addresses_are_told_in_their_shortest_form() {
    let (cloudflare, _) = provider();
    let page = Page::start_at("[::1]:0");
    let mut script = Script::new(&cloudflare.url(), &page.server.url());
    script.set("DDNS_FAMILIES", "ipv6");
    for (long, short) in [
        (
            "2606:2800:0220:0001:0248:1893:25C8:1946",
            "2606:2800:220:1:248:1893:25c8:1946",
        ),
        ("2606:0:0:1:0:0:0:1", "2606:0:0:1::1"),
        ("2606:0:0:1:0:0:2:1", "2606::1:0:0:2:1"),
        ("2606::", "2606::"),
        ("2606:1:2:3:4:5:0:0", "2606:1:2:3:4:5::"),
        ("2606:1:0:3:4:5:6:7", "2606:1:0:3:4:5:6:7"),
        ("2A00:1:2::ABCD", "2a00:1:2::abcd"),
    ] {
        page.says(&format!("h=x\r\nip={long}\r\n"));
        script.later(300).run(0);
        assert_eq!(cloudflare.records("AAAA", NAME), only(short), "{long}");
    }
}

/// While curl talks to the provider, nobody on the machine sees the token in any list of processes.
#[test]
fn the_token_is_in_no_argument_and_no_environment() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&seen);
    let looked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&looked);
    let server = Server::start("127.0.0.1:0", move |request| {
        let right = request.headers.get("authorization");
        assert_eq!(
            right.map(String::as_str),
            Some(format!("Bearer {TOKEN}").as_str())
        );
        let all = std::fs::read_dir("/proc").expect("processes").flatten();
        let mut count = count.lock().unwrap_or_else(|e| e.into_inner());
        for process in all {
            for file in ["cmdline", "environ"] {
                let Ok(bytes) = std::fs::read(process.path().join(file)) else {
                    continue;
                };
                let text = String::from_utf8_lossy(&bytes);
                *count += usize::from(text.contains("--connect-timeout"));
                if text.contains(TOKEN) {
                    let mut seen = found.lock().unwrap_or_else(|e| e.into_inner());
                    seen.push(text.into_owned());
                }
            }
        }
        Response::new(500, "")
    });
    let page = Page::start("93.184.216.34");
    let script = Script::new(&server.url(), &page.server.url());
    script.run(1);
    assert!(*looked.lock().expect("a number") > 0, "curl was seen");
    assert_eq!(*seen.lock().expect("a list"), [] as [String; 0]);
}
