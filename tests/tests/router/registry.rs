//! Images from the router: mirrors that remember, a private registry, the bundle's images, and what
//! happens while a part of that is out of order.

mod outside;

use bramble_tests::kubectl::bundle;
use bramble_tests::wait::answer;
use bramble_tests::{Site, until};
use outside::{requests, upstream};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Passwords that nobody but their places may know.
const PASSWORD: &str = "sesame-of-anna";
const TOKEN: &str = "hub-token-of-anna";
/// How long a service may take to be at work.
const READY: Duration = Duration::from_secs(60);
/// As containerd itself pulls.
const PULL: &str = "ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d";

/// The registry's part of the file; `more` is what `mirrors` of the file says besides.
fn spec(upstream: &str, more: &str) -> String {
    format!(
        "router:
  registry:
    mirrors:
      - {{ host: open.test, url: \"http://{upstream}:6001\" }}
      - {{ host: closed.test, url: \"http://{upstream}:6000\", user: anna, passwordFile: hub.token }}
    private:
      users: [{{ name: anna, passwordFile: anna.password }}]
{more}"
    )
}

/// Everything that the router's registries do.
pub fn images_come_from_the_router(site: &Site) {
    let upstream = upstream(site);
    site.write_beside("anna.password", &format!("{PASSWORD}\n"));
    site.write_beside("hub.token", &format!("{TOKEN}\n"));
    site.write(&spec(&upstream, ""));
    let mut said = vec![site.bramble(&["plan"]).expect(0).said()];
    said.push(site.up().said());
    settled(site);
    only_the_lan_hears_them(site);
    the_bundle_is_pulled(site);
    a_second_pull_asks_nobody(site);
    a_login_opens_what_is_closed(site, &upstream);
    what_was_pulled_stays_while_the_other_is_gone(site);
    without_the_mirror_the_other_is_asked(site);
    a_push_from_here_is_run_by_a_pod(site);
    a_registry_elsewhere_is_trusted_by_its_certificate(site, &upstream, &mut said);
    everything_survives_a_restart(site);
    what_is_old_is_copied_anew(site);
    nodes_live_without_the_registries(site);
    no_secret_is_anywhere(site, &said);
    nothing_is_left(site, &upstream);
}

/// A small image that runs, as the bundle has it.
fn pause() -> String {
    let index = std::fs::read(bundle().join("bundle.json")).expect("the bundle's index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let all = index["artefacts"].as_array().cloned().unwrap_or_default();
    let is = |a: &&Value| {
        a["kind"] == "image"
            && a["reference"]
                .as_str()
                .is_some_and(|r| r.contains("/pause:"))
    };
    let found = all.iter().find(is).expect("the pause image");
    let blob = found["sha256"].as_str().expect("a digest");
    format!(
        "oci-archive:{}",
        bundle().join("blobs/sha256").join(blob).display()
    )
}

fn skopeo(args: &[&str]) {
    let out = Command::new("skopeo").arg("copy").args(args).output();
    let out = out.expect("skopeo is installed (scripts/setup.sh --test)");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "skopeo copy {args:?}: {errors}");
}

/// What a plan would change; but images that nothing runs are the kubelet's to take away when the disk is
/// short.
fn changes(site: &Site) -> Vec<String> {
    let mut changes = site.changes();
    changes.retain(|c| !c.ends_with(" kubernetes image:bramble.dev/demo:1"));
    changes
}

/// Asserts that all is as the file says.
fn settled(site: &Site) {
    assert_eq!(changes(site), [""; 0]);
}

fn pull(site: &Site, machine: &str, image: &str) {
    site.on(machine, &format!("{PULL} {image} >/dev/null"));
}

/// Takes an image off a machine with all its content.
fn forget(site: &Site, machine: &str, image: &str) {
    let gone = format!("ctr -n k8s.io images rm --sync {image} 2>/dev/null || :");
    site.on(machine, &gone);
}

fn only_the_lan_hears_them(site: &Site) {
    let lan = site.address("gate");
    let heard = site.on(
        "gate",
        "ss -Hltn | awk '{ print $4 }' | grep ':50[01]' | sort",
    );
    let expected: Vec<String> = ["5000", "5001", "5010", "5011"]
        .map(|p| format!("{lan}:{p}"))
        .into();
    assert_eq!(heard.lines().collect::<Vec<_>>(), expected);
    // A node has no other client.
    let ask = |request: &str, port: u16| {
        let head = format!("{request} HTTP/1.0\\r\\nHost: gate\\r\\nContent-Length: 0\\r\\n\\r\\n");
        let to = format!("openssl s_client -quiet -connect {lan}:{port} 2>/dev/null");
        site.on(
            "two",
            &format!("printf '{head}' | {to} | awk 'NR == 1 {{ print $2 }}'"),
        )
    };
    assert_eq!(ask("GET /v2/", 5001), "200");
    assert_eq!(ask("GET /v2/", 5000), "401", "a login is wanted");
    for port in [5000, 5001, 5010] {
        let url = format!("https://{}:{port}/v2/", site.outside());
        assert!(site.page(&url).is_err(), "{url} answers outside");
    }
    // Nobody can put anything into the bundle's images or the mirrors.
    for port in [5001, 5010] {
        let code = ask("POST /v2/x/y/blobs/uploads/", port);
        assert!(matches!(code.as_str(), "403" | "405"), "{port}: {code}");
    }
}

/// Images of the bundle are copied to the router alone, and pulled from there, also by the kubelet.
fn the_bundle_is_pulled(site: &Site) {
    let list = site.on(
        "two",
        "ctr -n k8s.io images ls | awk '/^k8s.gcr.io.pause:/ { print $1, $3 }'",
    );
    let (name, digest) = list.split_once(' ').expect("the pause image");
    site.on("two", &format!("ctr -n k8s.io images rm {name}"));
    let plan = site.bramble(&["plan"]).expect(0);
    plan.says("pull from gate");
    assert!(!plan.stdout.contains("copies"), "{}", plan.stdout);
    site.up();
    assert!(site.on("two", "ctr -n k8s.io images ls").contains(digest));
    let pushed = site.bramble(&["bundle", "push"]).expect(0);
    pushed.says("0.0 MB sent");
    // What is lost there comes back.
    let gone =
        "rm -r /var/lib/bramble-registry/bundle/docker/registry/v2/repositories/k8s.gcr.io/pause";
    site.on("gate", gone);
    assert_eq!(
        site.changes(),
        ["gate router/registry served:k8s.gcr.io/pause:3.2"]
    );
    site.bramble(&["bundle", "push"])
        .expect(0)
        .says("k8s.gcr.io/pause:3.2: pushed");
    settled(site);
    site.on("gate", gone);
    site.up();
    forget(site, "two", name);
    pull(site, "two", name);
    settled(site);
}

/// Waits until the mirror has stored what it handed through, which it does for itself; how often it
/// asked by then.
fn stored(site: &Site) -> usize {
    let mut last = 0;
    let count = "find /var/lib/bramble-registry/mirror-open.test -name data | wc -l";
    until("the mirror has all of it", READY, || {
        let now = requests(site, 6001);
        let still = now == last;
        last = now;
        still && site.on("gate", count).trim() == "3"
    });
    last
}

fn a_second_pull_asks_nobody(site: &Site) {
    let image = "open.test/app/web:1";
    pull(site, "one", image);
    assert!(requests(site, 6001) > 0, "the first pull asks");
    let last = stored(site);
    pull(site, "two", image);
    assert_eq!(requests(site, 6001), last, "the second pull asks nobody");
    let status = site
        .bramble(&["registry", "status", "--output", "json"])
        .expect(0)
        .json();
    let mirror = &status["registries"][2];
    assert_eq!(
        (&mirror["name"], &mirror["state"], &mirror["tags"]),
        (&"mirror-open.test".into(), &"active".into(), &1.into())
    );
}

fn a_login_opens_what_is_closed(site: &Site, upstream: &str) {
    let direct = format!("ctr -n k8s.io images pull --plain-http {upstream}:6000/app/closed:1");
    let refused = site.try_on("two", &direct);
    assert_ne!(refused.code, Some(0), "{}", refused.said());
    pull(site, "two", "closed.test/app/closed:1");
    let log = site.on("upstream", "cat /srv/6000.log");
    assert!(log.contains("anna GET /token?"), "{log}");
}

fn what_was_pulled_stays_while_the_other_is_gone(site: &Site) {
    let image = "open.test/app/web:1";
    site.on("upstream", "systemctl stop up6001");
    forget(site, "two", image);
    pull(site, "two", image);
    // Also by whoever starts only now, and without what nginx remembers.
    site.on("gate", "rm -rf /var/lib/bramble-registry/front/*; systemctl restart bramble-registry@mirror-open.test bramble-registry-front");
    forget(site, "two", image);
    pull(site, "two", image);
    site.bramble(&["registry", "status"])
        .expect(0)
        .says("offline");
    settled(site);
    site.on("upstream", "systemctl start up6001");
    site.on(
        "gate",
        "systemctl restart bramble-registry@mirror-open.test",
    );
}

fn without_the_mirror_the_other_is_asked(site: &Site) {
    site.on("gate", "systemctl stop bramble-registry-front");
    let before = requests(site, 6001);
    pull(site, "one", "open.test/app/web:2");
    assert!(
        requests(site, 6001) > before,
        "the registry outside was asked"
    );
    assert_eq!(
        site.changes(),
        ["gate router/registry service:bramble-registry-front.service"]
    );
    site.up();
}

/// A local port that leads to the router's private registry, as long as this lives.
struct Tunnel {
    ssh: Child,
    port: u16,
}

impl Tunnel {
    fn open(site: &Site) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let way = format!("127.0.0.1:{port}:{}:5000", site.address("gate"));
        let mut command = site.lab().ssh_command("gate").expect("the router");
        let ssh = command
            .args(["-N", "-L", &way])
            .stdin(Stdio::null())
            .spawn()
            .expect("ssh starts");
        let tunnel = Self { ssh, port };
        until("the tunnel is open", READY, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        tunnel
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.ssh.kill();
        let _ = self.ssh.wait();
    }
}

fn a_push_from_here_is_run_by_a_pod(site: &Site) {
    let trust: PathBuf = site.folder().join("trust");
    std::fs::create_dir_all(&trust).expect("a folder");
    let ca = site
        .bramble(&["registry", "ca", "--quiet"])
        .expect(0)
        .stdout;
    std::fs::write(trust.join("ca.crt"), ca).expect("written");
    let tunnel = Tunnel::open(site);
    let to = format!("docker://localhost:{}/anna/pause:1", tunnel.port);
    let (trust, login) = (trust.display().to_string(), format!("anna:{PASSWORD}"));
    skopeo(&[
        "--dest-cert-dir",
        &trust,
        "--dest-creds",
        &login,
        &pause(),
        &to,
    ]);
    drop(tunnel);
    run_pod(site, "first", "gate:5000/anna/pause:1");
    // Bramble's own client; the same content is not sent twice.
    let file = pause().replace("oci-archive:", "");
    let push = |name: &str| {
        let done = site.bramble(&["registry", "push", &file, name, "--output", "json"]);
        done.expect(0).json()
    };
    push("anna/pause:2");
    let pushed = push("anna/pause:3");
    assert_eq!(
        (&pushed["sent"], &pushed["unchanged"]),
        (&0.into(), &false.into())
    );
    let name = format!("registry.{}.internal:5000/anna/pause:3", site.name());
    assert_eq!(pushed["image"], name);
    run_pod(site, "second", &name);
}

/// Runs a pod on the worker, pulled anew; one that a node short of disk takes as well.
fn run_pod(site: &Site, pod: &str, image: &str) {
    let manifest = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {pod} }}\nspec:\n  nodeName: two\n  \
         priorityClassName: system-node-critical\n  terminationGracePeriodSeconds: 0\n  automountServiceAccountToken: false\n  tolerations: [{{ operator: Exists }}]\n  \
         containers: [{{ name: x, image: \"{image}\", imagePullPolicy: Always }}]\n"
    );
    let kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf";
    site.script(
        "one",
        &format!("{kubectl} apply -f - <<'END'\n{manifest}END\n"),
    );
    let phase = format!(
        "{kubectl} get pod {pod} -o jsonpath='{{.status.phase}} {{.status.containerStatuses[0].state}}'"
    );
    answer("the pod runs", READY, || {
        let now = site.on("one", &phase);
        if now.starts_with("Running") {
            Ok(())
        } else {
            Err(now)
        }
    });
    site.on(
        "one",
        &format!("{kubectl} delete pod {pod} --wait --timeout=60s"),
    );
}

fn a_registry_elsewhere_is_trusted_by_its_certificate(
    site: &Site,
    upstream: &str,
    said: &mut Vec<String>,
) {
    let host = format!("{upstream}:6003");
    let image = format!("{host}/app/own:1");
    let try_pull = || site.try_on("two", &format!("{PULL} {image}"));
    try_pull().says("certificate signed by unknown authority");
    let certificate = site.on("upstream", "cat /srv/crt");
    site.write_beside("elsewhere.crt", &format!("{certificate}\n"));
    let trust = format!("mirrors:\n  trust: [{{ host: \"{host}\", caFile: elsewhere.crt }}]\n");
    site.write(&spec(upstream, &trust));
    said.push(site.up().said());
    try_pull().expect(0);
    forget(site, "two", &image);
    site.write(&spec(
        upstream,
        &format!("mirrors:\n  insecure: [\"{host}\"]\n"),
    ));
    said.push(site.up().said());
    try_pull().expect(0);
    forget(site, "two", &image);
    site.write(&spec(upstream, ""));
    said.push(site.up().said());
    try_pull().says("certificate signed by unknown authority");
    settled(site);
}

fn everything_survives_a_restart(site: &Site) {
    site.bramble(&["fleet", "reboot", "--machine", "gate", "--yes"])
        .expect(0);
    let status = || {
        site.bramble(&["registry", "status", "--output", "json"])
            .expect(0)
            .json()
    };
    until("all registries are at work", READY, || {
        let all = status()["registries"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        all.len() == 4 && all.iter().all(|r| r["state"] == "active")
    });
    let image = "gate:5000/anna/pause:1";
    forget(site, "two", image);
    pull(site, "two", image);
    // What came with the packages is not wanted, and listens nowhere.
    let packages = "systemctl is-active nginx docker-registry || :";
    assert_eq!(site.on("gate", packages), "inactive\ninactive");
    settled(site);
}

/// What nobody pulls for long goes, and is copied again when somebody does.
fn what_is_old_is_copied_anew(site: &Site) {
    let image = "open.test/app/old:1";
    let store = "/var/lib/bramble-registry/mirror-open.test";
    let kept = || site.on("gate", &format!("find {store} -name data | wc -l"));
    let before = kept().parse::<u32>().expect("a number");
    pull(site, "one", image);
    until("the mirror has all of it", READY, || {
        kept() == (before + 3).to_string()
    });
    site.on(
        "gate",
        &format!("find {store} -name data -exec touch -d '-90 days' {{}} +; systemctl start bramble-registry-prune"),
    );
    assert_eq!(kept(), "0");
    let before = requests(site, 6001);
    pull(site, "two", image);
    assert!(requests(site, 6001) > before, "it is copied again");
}

fn nodes_live_without_the_registries(site: &Site) {
    site.on("gate", "systemctl stop 'bramble-registry*'");
    let changes = site.changes();
    assert!(
        changes
            .iter()
            .all(|c| c.starts_with("gate router/registry service:")),
        "{changes:?}"
    );
    let ready = "kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes --no-headers | awk '{ print $1, $2 }'";
    assert_eq!(site.on("one", ready), "one Ready\ntwo Ready");
    site.up();
    settled(site);
}

/// The private password is on the router hashed, and on nodes in a file for root; the token in a file for
/// the registry. Neither is in anything that is shown, logged, recorded or passed as an argument.
fn no_secret_is_anywhere(site: &Site, said: &[String]) {
    use std::fmt::Write as _;
    let mut all = said.join("\n");
    let _ = write!(
        all,
        "{}",
        site.bramble(&["plan", "--down", "--output", "json"])
            .expect(0)
            .said()
    );
    let encoded = site.on("gate", &format!("printf 'anna:{PASSWORD}' | base64"));
    let secrets = [PASSWORD, TOKEN, &encoded];
    for machine in ["gate", "one", "two"] {
        let shown = "journalctl --no-pager -o cat; cat /var/lib/bramble/journal; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -v '^LISTEN' || :";
        all.push_str(&site.script(machine, shown));
        // Whoever may log in may read these.
        let open = "find /etc /var/lib/bramble-registry /run /tmp -xdev -type f -perm -o+r -size -1000k -exec cat {} + 2>/dev/null || :";
        all.push_str(&String::from_utf8_lossy(
            site.script(machine, open).as_bytes(),
        ));
    }
    for secret in secrets {
        assert!(!all.contains(secret), "{secret} is shown somewhere");
    }
    assert!(
        site.on("gate", "cat /etc/bramble/registry/logins")
            .starts_with("anna:$2y$")
    );
}

fn nothing_is_left(site: &Site, upstream: &str) {
    let lost = "the images of the private registry in /var/lib/bramble-registry/private on gate";
    let step = ["down", "--step", "router/registry"];
    site.bramble(&step).expect(2).says(lost);
    site.bramble(&["plan", "--down", "--step", "router/registry"])
        .expect(0)
        .says(lost);
    // Nor by taking it out of the file.
    let all = spec(upstream, "");
    let (before, _) = all
        .split_once("    private:")
        .expect("the private registry");
    site.write(before);
    site.bramble(&["up"]).expect(2).says(lost);
    site.write(&all);
    site.bramble(&[&step[..], &["--yes"]].concat()).expect(0);
    let left = "ls -d /var/lib/bramble-registry /etc/bramble/registry /etc/bramble/keys/registry /etc/systemd/system/*bramble-registry* /run/bramble-registry* 2>/dev/null; systemctl list-units --all --plain --no-legend 'bramble-registry*'; ss -Hltn | grep ':50[01]' || :";
    assert_eq!(site.on("gate", left), "");
    // Debian's own services don't take their place at the next start.
    let asleep = "systemctl is-enabled nginx docker-registry || :";
    assert_eq!(site.on("gate", asleep), "masked\nmasked");
    // And all of it can be had again.
    site.up();
    settled(site);
    // Out of the file, the packages go as well.
    site.write("");
    site.bramble(&["up"]).expect(2).says(lost);
    site.bramble(&["up", "--yes"]).expect(0);
    settled(site);
    let packages = "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' docker-registry nginx nginx-common dnsmasq 2>/dev/null | grep ^installed || :";
    assert_eq!(site.on("gate", packages), "installed dnsmasq");
    assert_eq!(site.on("gate", "getent passwd docker-registry || :"), "");
}
