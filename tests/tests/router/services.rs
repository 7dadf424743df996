//! What the router serves beside addresses and names: a name that follows its address, web traffic to
//! the cluster, backups.

use bramble_tests::cloudflare::Cloudflare;
use bramble_tests::http::Response;
use bramble_tests::wait::answer;
use bramble_tests::{Done, Running, Site};
use std::process::Command;
use std::time::Duration;

/// What a teardown leaves on the router on purpose.
pub const LEFT: (&str, &str) = ("/var/lib/bramble-backup", "backups are never removed");

const TOKEN: &str = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY";
const NAME: &str = "gate.example.org";
/// Where the cluster's web server is, in the machines' network.
const INGRESS: &str = "40";

/// The provider of DDNS on this computer, and the keys of backup clients.
pub struct Services {
    cloudflare: Cloudflare,
    keys: [String; 2],
}

impl Services {
    /// Starts the provider, makes the keys and the file of the token.
    pub fn start(site: &Site) -> Self {
        let cloudflare = Cloudflare::start("0.0.0.0:0", TOKEN);
        cloudflare.zone("example.org", "active");
        site.write_beside("cloudflare.token", &format!("{TOKEN}\n"));
        let keys = ["adds", "prunes"].map(|name| {
            let path = site.folder().join(name);
            let mut command = Command::new("ssh-keygen");
            command
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(&path);
            assert!(
                command.status().is_ok_and(|s| s.success()),
                "ssh-keygen works"
            );
            let key = std::fs::read_to_string(path.with_extension("pub")).expect("a key");
            key.trim().to_owned()
        });
        Self { cloudflare, keys }
    }

    /// Lines below `router` in the cluster file.
    pub fn section(&self, site: &Site) -> String {
        let api = self.cloudflare.url_at(&site.gateway());
        let [adds, prunes] = &self.keys;
        format!(
            "  ddns: {{ name: {NAME}, zone: example.org, tokenFile: cloudflare.token, api: '{api}', source: uplink, families: [ipv4, ipv6], every: 3600 }}\n  \
               ingress: {{ address: {} }}\n  \
               backup:\n    clients:\n      - {{ name: adds, key: '{adds}' }}\n      - {{ name: prunes, key: '{prunes}', prune: true }}\n",
            ingress(site)
        )
    }

    /// Everything is served, on a router that is up. `outsider` is a machine outside.
    pub fn hold(&self, site: &Site, outsider: &str) {
        self.a_name_follows_the_address(site);
        web_traffic_reaches_the_cluster(site);
        backups_are_kept(site, outsider);
    }

    fn a_name_follows_the_address(&self, site: &Site) {
        let run = || {
            site.try_on("gate", "systemctl start bramble-ddns.service")
                .code
        };
        let journal = || {
            site.on(
                "gate",
                "journalctl -b -u bramble-ddns.service -o cat --no-pager",
            )
        };
        let held = |kind: &str, address: &str| {
            let records = self.cloudflare.records(kind, NAME);
            assert_eq!(records, [(address.to_owned(), 1, false)], "{}", journal());
        };
        assert_eq!(
            self.cloudflare.asked(),
            [],
            "a private address is nobody's business"
        );
        assert!(journal().contains("which is none of the Internet's"));
        // Addresses that the provider of the line gives.
        site.on("gate", "ip addr add 93.184.216.34/32 dev wan0; ip addr add 2606:2800:220:1::34/128 dev wan0 nodad; ip -6 route add default dev wan0");
        assert_eq!(run(), Some(0), "{}", journal());
        held("A", "93.184.216.34");
        held("AAAA", "2606:2800:220:1::34");
        let first = self.cloudflare.asked();
        assert!(first.iter().all(|r| r.from == site.outside()), "{first:?}");
        assert_eq!(
            first.iter().filter(|r| r.method == "POST").count(),
            2,
            "{first:?}"
        );
        assert_eq!(run(), Some(0));
        assert_eq!(self.cloudflare.asked(), [], "nothing has changed");

        site.on(
            "gate",
            "ip addr del 93.184.216.34/32 dev wan0; ip addr add 93.184.216.40/32 dev wan0",
        );
        self.cloudflare.trouble(Some(Response::new(502, "<html>")));
        assert_eq!(run(), Some(1));
        assert!(
            journal().contains("status 502; not tried again before"),
            "{}",
            journal()
        );
        assert_eq!(self.cloudflare.asked().len(), 1);
        assert_eq!(run(), Some(1));
        assert_eq!(self.cloudflare.asked(), [], "left alone for a while");
        self.cloudflare.trouble(None);
        // What the operator does who knows that it is over.
        site.on("gate", "rm /var/lib/bramble-ddns/pause.*");
        assert_eq!(run(), Some(0));
        held("A", "93.184.216.40");
        assert_eq!(self.cloudflare.changes().len(), 1);
        assert_eq!(
            site.on("gate", "systemctl is-active bramble-ddns.timer"),
            "active"
        );

        // One file on the machine holds the token, and nobody but root reads it.
        let holders = site.on("gate", &format!(
            "grep -rlsF {TOKEN} /etc /home /opt /root /run /srv /usr/local /var | grep -v '^/run/log\\|^/var/log' || :; stat -c '%a %U' /etc/bramble-ddns.curl"
        ));
        assert_eq!(holders, "/etc/bramble-ddns.curl\n600 root");
        let logged = site.on(
            "gate",
            &format!("journalctl -b --no-pager -o export | grep -acF {TOKEN} || :"),
        );
        assert_eq!(logged, "0");
        site.bramble(&["plan", "--output", "json", "--down"]);
        for command in [&["plan", "--output", "json"][..], &["plan", "--down"]] {
            assert!(!site.bramble(command).said().contains(TOKEN), "{command:?}");
        }
        site.on(
            "gate",
            "ip addr del 93.184.216.40/32 dev wan0; ip -6 route del default dev wan0; ip addr del 2606:2800:220:1::34/128 dev wan0",
        );
    }
}

fn ingress(site: &Site) -> String {
    let own = site.address("gate");
    let net = own.rsplit_once('.').map_or("", |(net, _)| net);
    format!("{net}.{INGRESS}")
}

/// Answers with the head of each request.
const WEB: &str = r#"use IO::Socket::INET; $s = IO::Socket::INET->new(Listen => 9, LocalPort => 80, ReuseAddr => 1) or die;
while ($c = $s->accept) { $h = ""; while (<$c>) { last if /^\r?$/; $h .= $_ } print $c "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n$h"; close $c }"#;

fn web_traffic_reaches_the_cluster(site: &Site) {
    let address = ingress(site);
    site.script(
        "one",
        &format!(
            "set -e\ndev=$(ip -o link | sed -n 's/^[0-9]*: \\(host[^:@]*\\).*/\\1/p' | head -n 1)\nip addr add {address}/24 dev $dev\n\
             cat >/run/web.pl <<'END'\n{WEB}\nEND\n\
             openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=the-cluster-itself -keyout /run/web.key -out /run/web.crt 2>/dev/null\n\
             systemd-run -q --collect --unit=test-web perl /run/web.pl\n\
             systemd-run -q --collect --unit=test-tls openssl s_server -accept 443 -cert /run/web.crt -key /run/web.key -www -quiet\n"
        ),
    );
    let outside = site.outside();
    // The router looks for itself when a server has come up.
    let get = |more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-m", "5", "-f", "--noproxy", "*"])
            .args(more);
        answer("the cluster's page", Duration::from_secs(30), || {
            let done = Running::start(&mut curl).finish();
            if done.code == Some(0) {
                Ok(done)
            } else {
                Err(done.stderr)
            }
        })
    };
    let url = format!("http://{outside}/page");
    let page = get(&["-H", "X-Forwarded-For: 6.6.6.6", &url]).stdout;
    assert!(page.starts_with("GET /page HTTP/1.1"), "{page}");
    let from: Vec<&str> = page
        .lines()
        .filter(|l| l.to_ascii_lowercase().starts_with("x-forwarded-for:"))
        .collect();
    assert_eq!(from.len(), 1, "{page}");
    assert!(
        from[0].ends_with(&format!(" {}", site.gateway())),
        "the client's true address: {page}"
    );
    // TLS ends at the cluster, not at the router.
    let tls = get(&["-kv", &format!("https://{outside}/")]);
    tls.says("CN=the-cluster-itself");
    // Inside the LAN the router leads there too.
    let inside = format!(
        "bash -c 'exec 3<>/dev/tcp/{}/80; printf \"GET /inside HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'",
        site.address("gate")
    );
    let page = site.on("one", &inside);
    assert!(page.contains("GET /inside"), "{page}");
    // A changed file is checked before it counts, and counts without a restart.
    let pid = || site.on("gate", "systemctl show -p MainPID --value haproxy.service");
    let before = pid();
    site.on("gate", "echo '# by hand' >> /etc/haproxy/haproxy.cfg");
    site.bramble(&["up", "--step", "router/ingress", "--machine", "gate"]);
    site.on("gate", "! grep -q 'by hand' /etc/haproxy/haproxy.cfg");
    assert_eq!(pid(), before);
    get(&[&url]);
    site.on("one", &format!(
        "systemctl stop test-web test-tls; rm -f /run/web.*; ip addr del {address}/24 dev $(ip -o addr show to {address} | cut -d' ' -f2)"
    ));
}

/// Borg as clients use it, from outside; the router's own host key is known.
fn backups_are_kept(site: &Site, outsider: &str) {
    let key = |name: &str| std::fs::read_to_string(site.folder().join(name)).expect("a key");
    let known = site.on("gate", "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub");
    let outside = site.outside();
    site.script(
        outsider,
        &format!(
            "set -e\napt-get -qq -o DPkg::Lock::Timeout=60 update >/dev/null\nDEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends borgbackup >/dev/null 2>&1\n\
             mkdir -p /root/.ssh /root/data\necho '{outside} {known}' > /root/.ssh/known_hosts\n\
             (umask 077; cat > /root/adds <<'END'\n{}END\ncat > /root/prunes <<'END'\n{}END\n)\n\
             echo precious > /root/data/file; head -c 3000000 /dev/urandom > /root/data/large\n",
            key("adds"),
            key("prunes")
        ),
    );
    let borg = |client: &str, args: &str| -> Done {
        site.try_on(outsider, &format!(
            "export BORG_RSH='ssh -o BatchMode=yes -o IdentitiesOnly=yes -i /root/{client}' BORG_PASSPHRASE=secret BORG_REPO=ssh://bramble-backup@{outside}/var/lib/bramble-backup/{client}/main BORG_RELOCATED_REPO_ACCESS_IS_OK=yes; cd /root; {args}"
        ))
    };
    #[track_caller]
    fn fine(done: &Done) {
        assert_eq!(done.code, Some(0), "{}", done.said());
    }
    for client in ["adds", "prunes"] {
        fine(&borg(client, "borg init -e repokey"));
        fine(&borg(client, "borg create ::first data"));
    }
    // A restored folder is the folder.
    fine(&borg(
        "adds",
        "rm -rf back && mkdir back && cd back && borg extract ::first && diff -r /root/data data",
    ));

    // One client sees nothing of the other, and gets no shell.
    let other = borg(
        "adds",
        "borg list ssh://bramble-backup@$OTHER/var/lib/bramble-backup/prunes/main"
            .replace("$OTHER", &outside)
            .as_str(),
    );
    assert_ne!(other.code, Some(0));
    other.says("not allowed");
    let shell = borg(
        "adds",
        &format!(
            "$BORG_RSH bramble-backup@{outside} cat /etc/passwd </dev/null | grep -c root: || :"
        ),
    );
    assert_eq!(shell.stdout.trim(), "0", "{}", shell.said());
    let forward = borg(
        "adds",
        &format!(
            "timeout 10 $BORG_RSH -o ExitOnForwardFailure=yes -N -R 4444:127.0.0.1:22 bramble-backup@{outside}"
        ),
    );
    assert_ne!(
        forward.code,
        Some(124),
        "no port is forwarded: {}",
        forward.said()
    );

    // The one that may only add: what it deletes is hidden from it, and still there.
    let size = |client: &str| {
        let program = format!("du -sb /var/lib/bramble-backup/{client}/main/data | cut -f1");
        site.on("gate", &program).parse::<u64>().expect("a size")
    };
    let before = ["adds", "prunes"].map(size);
    for client in ["adds", "prunes"] {
        fine(&borg(
            client,
            "borg prune --keep-last 1 && borg delete ::first",
        ));
        fine(&borg(client, "borg compact --threshold 0"));
        assert_eq!(borg(client, "borg list --short").stdout, "");
    }
    let after = ["adds", "prunes"].map(size);
    assert!(
        after[0] >= before[0],
        "nothing is gone: {before:?} → {after:?}"
    );
    assert!(
        after[1] < before[1] / 10,
        "this one may: {before:?} → {after:?}"
    );
    let whole = |client: &str| borg(client, "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING=YES borg delete");
    whole("adds").expect(2).says("is in append-only mode");
    fine(&whole("prunes"));
    roll_back(site);
    fine(&borg(
        "adds",
        "rm -rf back .cache/borg .config/borg/security && mkdir back && cd back && borg extract ::first && diff -r /root/data data",
    ));
}

/// Takes a repository back to its first transaction, as Borg's documentation says.
fn roll_back(site: &Site) {
    site.on(
        "gate",
        "cd /var/lib/bramble-backup/adds/main && last=$(sed -n '1s/^transaction \\([0-9]*\\),.*/\\1/p' transactions) && [ \"$last\" -gt 0 ] && \
         for f in data/0/*; do [ \"${f##*/}\" -le \"$last\" ] || rm \"$f\"; done && rm -f index.* hints.* integrity.*",
    );
}

/// What clients stored is there after a teardown, and belongs to nobody but root.
pub fn backups_stay(site: &Site) {
    let program = "stat -c '%U %a' /var/lib/bramble-backup/adds; find /var/lib/bramble-backup ! -user root; ls /var/lib/bramble-backup/adds/main/data/0 | wc -l";
    let found = site.on("gate", program);
    let segments = found.lines().last().and_then(|l| l.parse::<u32>().ok());
    assert!(
        found.starts_with("root 700\n") && found.lines().count() == 2 && segments > Some(3),
        "{found}"
    );
}
