//! `bramble lights`: rules, webhooks, self-test.

use crate::common::{Place, err, json, out};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a slow computer.
const LONG: Duration = Duration::from_secs(60);

/// `bramble lights` with its outputs; it is told to stop when this goes.
pub struct Lights {
    pub child: Child,
    pub out: Option<BufReader<std::process::ChildStdout>>,
    pub err: BufReader<std::process::ChildStderr>,
}

impl Lights {
    pub fn begin(place: &Place, arguments: &str) -> Self {
        let program = assert_cmd::cargo::cargo_bin("bramble");
        let mut command = place.process(program);
        command.arg("lights").args(arguments.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            out: child.stdout.take().map(BufReader::new),
            err: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let out = self.out.as_mut().unwrap();
        out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Where it takes webhooks in.
    pub fn address(&mut self) -> String {
        let mut line = String::new();
        self.err.read_line(&mut line).unwrap();
        let url = line
            .split("http://")
            .nth(1)
            .unwrap_or_else(|| panic!("{line}"));
        url.split('/').next().unwrap().to_owned()
    }

    /// Tells it to stop, as systemd does; whether it ended well and in time.
    pub fn end(mut self) {
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(told.unwrap().success());
        let begin = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
            assert!(begin.elapsed() < LONG, "it goes on");
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Lights {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status of the answer to a webhook.
pub fn post(address: &str, path: &str, header: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let length = body.len();
    let request = format!(
        "POST /api/v1/hooks/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

pub const DOWN: &str = r#"{"groupKey":"a","alerts":[{"status":"firing","fingerprint":"1","labels":{"alertname":"Down","severity":"critical","node":"one"}}]}"#;
pub const JSON: &str = "content-type: application/json";

#[test]
fn webhooks_are_shown_line_by_line() {
    let place = Place::new();
    let mut lights = Lights::begin(&place, "watch --listen 127.0.0.1:0");
    assert_eq!(lights.line(), "green");
    let address = lights.address();
    assert_eq!(post(&address, "alertmanager", JSON, DOWN), 204);
    assert_eq!(lights.line(), "red     Alert one Down");
    let up = DOWN.replace("firing", "resolved");
    assert_eq!(post(&address, "alertmanager", JSON, &up), 204);
    assert_eq!(lights.line(), "green");
    assert_eq!(post(&address, "alertmanager", JSON, "nonsense"), 422);
    assert_eq!(
        post(&address, "alertmanager", "content-type: text/plain", DOWN),
        401
    );
    lights.end();
}

#[test]
fn a_reader_that_sleeps_holds_nothing_up() {
    let place = Place::new();
    let mut lights = Lights::begin(&place, "watch --listen 127.0.0.1:0 --output json");
    let address = lights.address();
    let long = "x".repeat(250);
    // Far more lines than a pipe holds, and nobody reads them.
    for i in 0..1000 {
        let body = DOWN
            .replace("\"1\"", &format!("\"{i}\""))
            .replace("one", &format!("{long}{i}"));
        assert_eq!(post(&address, "alertmanager", JSON, &body), 204);
    }
    lights.end();
}

#[test]
fn who_sends_needs_the_token() {
    let place = Place::new();
    let secret = |name: &str, text: &str| {
        std::fs::write(place.path(name), text).unwrap();
        mode(&place, name, 0o600);
    };
    secret("token", "0123456789abcdef\n");
    secret("short", "abc");
    let open = place
        .bramble("lights watch --listen 0.0.0.0:0")
        .assert()
        .code(2);
    assert!(err(&open).contains("--token-file"), "{}", err(&open));
    let mut short = place.bramble("lights watch --listen 127.0.0.1:0 --token-file short");
    let short = err(&short.assert().code(2));
    assert!(
        short.contains("16 characters") && !short.contains("abc"),
        "{short}"
    );
    let mut lights = Lights::begin(
        &place,
        "watch --listen 127.0.0.1:0 --token-file token --output json",
    );
    let address = lights.address();
    assert!(lights.line().contains("\"light\":\"green\""));
    assert_eq!(post(&address, "alertmanager", JSON, DOWN), 401);
    let wrong = "authorization: Bearer 0123456789abcdee";
    assert_eq!(post(&address, "alertmanager", wrong, DOWN), 401);
    // x:0123456789abcdef
    let basic = "authorization: Basic eDowMTIzNDU2Nzg5YWJjZGVm";
    assert_eq!(post(&address, "alertmanager", basic, DOWN), 204);
    let line: serde_json::Value = serde_json::from_str(&lights.line()).unwrap();
    assert_eq!(
        (&line["light"], &line["reasons"][0]["reason"]),
        (&"red".into(), &"Down".into())
    );
    lights.end();
}

fn mode(place: &Place, name: &str, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(place.path(name), permissions).unwrap();
}

/// A green light would say that all is well with what nobody watches.
#[test]
fn what_is_refused_is_refused_before_anything_is_shown() {
    let place = Place::new();
    std::fs::write(place.path("wrong.conf"), "clusters: []\n").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (arguments, said) in [
        ("--listen 0.0.0.0:0".to_owned(), "--token-file"),
        (format!("--listen {taken}"), "can't be listened at"),
        (
            "--listen 127.0.0.1:0 --kubeconfig none".into(),
            "no file none",
        ),
        ("--kubeconfig wrong.conf".into(), "kubeconfig"),
    ] {
        let watch = format!("lights watch {arguments}");
        let refused = place.bramble(&watch).assert().failure();
        assert_eq!(out(&refused), "", "{arguments}");
        let text = err(&refused);
        assert!(text.contains(said), "{arguments}: {text}");
        assert!(!text.contains("webhooks:"), "{arguments}: {text}");
    }
}

#[test]
fn a_token_that_others_can_read_is_told() {
    let place = Place::new();
    std::fs::write(place.path("token"), "0123456789abcdef\n").unwrap();
    mode(&place, "token", 0o644);
    let mut lights = Lights::begin(&place, "watch --listen 127.0.0.1:0 --token-file token");
    let mut said = String::new();
    lights.err.read_line(&mut said).unwrap();
    assert!(said.contains("chmod 600 token"), "{said}");
    lights.address();
    lights.end();
}

#[test]
fn rules_are_printed_and_checked() {
    let place = Place::new();
    let text = out(&place.bramble("lights rules").assert().success());
    std::fs::write(place.path("lights.yaml"), &text).unwrap();
    let right = place
        .bramble("lights rules --check lights.yaml")
        .assert()
        .success();
    assert!(
        out(&right).contains("lights.yaml is right"),
        "{}",
        out(&right)
    );
    std::fs::write(
        place.path("wrong.yaml"),
        text.replace("light: red", "light: rad"),
    )
    .unwrap();
    let wrong = err(&place
        .bramble("lights rules --check wrong.yaml")
        .assert()
        .code(2));
    assert!(
        wrong.contains("wrong.yaml:") && wrong.contains("did you mean `red`?"),
        "{wrong}"
    );
    let missing = err(&place
        .bramble("lights rules --check no.yaml")
        .assert()
        .code(2));
    assert!(missing.contains("bramble lights rules"), "{missing}");
    let schema = json(&place.bramble("lights rules --schema").assert().success());
    assert_eq!(schema["title"], "Bramble lights file");
}

#[test]
fn the_self_test_is_played_in_the_terminal() {
    let place = Place::new();
    let mut lights = Lights::begin(&place, "self-test");
    let lines: Vec<String> = (0..3).map(|_| lights.line()).collect();
    assert_eq!(
        lines,
        [
            "R.. R.. R.. R..",
            "R.. R.. R.. R..  beep",
            "R.. R.. R.. .Y."
        ]
    );
    lights.end();
}

#[test]
fn a_board_that_is_missing_is_named() {
    let place = Place::new();
    let file = "apiVersion: bramble.dev/v1alpha1\nkind: Lights\nboard: { chip: /dev/nowhere }\n";
    std::fs::write(place.path("lights.yaml"), file).unwrap();
    let mut said = place.bramble("lights self-test --gpio --rules lights.yaml");
    let said = err(&said.assert().code(1));
    assert!(
        said.contains("/dev/nowhere") && said.contains("group gpio"),
        "{said}"
    );
}

#[test]
fn a_cluster_that_is_away_is_unknown_and_waited_for() {
    let place = Place::new();
    let conf = "apiVersion: v1\nkind: Config\nclusters: [{ name: a, cluster: { server: 'https://127.0.0.1:1', \
        certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo= } }]\n\
        users: [{ name: a, user: { token: abc } }]\ncontexts: [{ name: a, context: { cluster: a, user: a } }]\n\
        current-context: a\n";
    std::fs::write(place.path("lights.conf"), conf).unwrap();
    let mut lights = Lights::begin(&place, "watch --kubeconfig lights.conf");
    assert_eq!(lights.line(), "unknown silent: watch");
    let mut why = String::new();
    lights.err.read_line(&mut why).unwrap();
    assert!(
        why.contains("https://127.0.0.1:1") && !why.contains("abc"),
        "{why}"
    );
    lights.end();
    let missing = place
        .bramble("lights watch --kubeconfig no.conf")
        .assert()
        .code(2);
    assert!(err(&missing).contains("no.conf"), "{}", err(&missing));
}
