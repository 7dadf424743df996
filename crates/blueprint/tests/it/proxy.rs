//! Packages, runtime and kubeadm behind a proxy.

use crate::setup::{Setup, cluster};
use bramble_spec::Cluster;

const PROXY: &str = "  proxy: { http: 'http://proxy.example:3128', https: 'http://proxy.example:3129', noProxy: [.example.org] }\n";
const DROP_IN: &str = "/etc/systemd/system/containerd.service.d/bramble.conf";
const APT: &str = "/etc/apt/apt.conf.d/90bramble-proxy";

fn variable<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = text.find(&format!("{name}="))? + name.len() + 1;
    text[at..]
        .split(['"', '\n', '\''])
        .find(|part| !part.is_empty())
}

#[test]
fn everything_that_fetches_knows_the_proxy() {
    let setup = Setup::new(cluster(PROXY));
    let apt = setup.text("two", "base/packages", APT).expect("a file");
    assert_eq!(
        apt,
        "// Made by Bramble.\nAcquire::http::Proxy \"http://proxy.example:3128\";\nAcquire::https::Proxy \"http://proxy.example:3129\";\n"
    );
    let runtime = setup.text("two", "runtime", DROP_IN).expect("a file");
    let init = setup.program("one", "control-plane/init", "action:kubeadm-init");
    let join = setup.program("two", "worker/join", "action:kubeadm-join");
    for text in [&runtime, &init, &join] {
        assert_eq!(
            variable(text, "HTTP_PROXY"),
            Some("http://proxy.example:3128"),
            "{text}"
        );
        assert_eq!(
            variable(text, "HTTPS_PROXY"),
            Some("http://proxy.example:3129"),
            "{text}"
        );
        let direct: Vec<&str> = variable(text, "NO_PROXY")
            .expect("a list")
            .split(',')
            .collect();
        for entry in [
            "127.0.0.1",
            "one",
            "10.77.0.11",
            "10.77.0.0/24",
            "10.96.0.0/16",
            "10.244.0.0/16",
            "10.96.0.1",
            ".svc",
            ".c.internal",
            ".example.org",
        ] {
            assert!(
                direct.contains(&entry),
                "{entry} goes through the proxy: {text}"
            );
        }
    }
    // The variables stand before the command that they are for.
    for (text, command) in [(&init, "kubeadm init"), (&join, "kubeadm join")] {
        assert!(text.find("export NO_PROXY=") < text.find(command), "{text}");
    }
}

#[test]
fn without_a_proxy_nobody_hears_of_one() {
    let setup = Setup::new(cluster(""));
    assert_eq!(setup.text("two", "base/packages", APT), None);
    assert_eq!(setup.text("two", "runtime", DROP_IN), None);
    for (machine, step, id) in [
        ("one", "control-plane/init", "action:kubeadm-init"),
        ("two", "worker/join", "action:kubeadm-join"),
    ] {
        assert!(!setup.program(machine, step, id).contains("PROXY"));
    }
}

/// A mirror that is reached directly is not asked for through the proxy.
#[test]
fn near_mirrors_are_asked_directly() {
    let apt = |mirror: &str| {
        let spec = format!("{PROXY}  mirrors: {{ apt: '{mirror}' }}\n");
        Setup::new(cluster(&spec))
            .text("two", "base/packages", APT)
            .expect("a file")
    };
    for near in ["10.77.0.1:3142", "deb.example.org", "one"] {
        let host = near.split(':').next().expect("a host");
        let line = format!("Acquire::http::Proxy::{host} \"DIRECT\";\n");
        assert!(
            apt(&format!("http://{near}/debian")).contains(&line),
            "{near}"
        );
    }
    assert!(!apt("http://deb.example/debian").contains("DIRECT"));
}

/// A new worker must not change the list, or every machine's runtime would be restarted for it. One
/// that serves a mirror stays in it.
#[test]
fn other_workers_are_not_in_the_list() {
    let list = |cluster: Cluster| {
        let setup = Setup::new(cluster);
        let text = setup.text("two", "runtime", DROP_IN).expect("a file");
        let list = variable(&text, "NO_PROXY").expect("a list").split(',');
        list.map(str::to_owned).collect::<Vec<_>>()
    };
    let has = |list: &[String], entry: &str| list.iter().any(|e| e == entry);
    let usual = list(cluster(PROXY));
    assert!(
        has(&usual, "two") && !has(&usual, "three") && !has(&usual, "10.77.0.13"),
        "{usual:?}"
    );
    let mirror = list(cluster(&format!(
        "{PROXY}  mirrors: {{ registries: {{ docker.io: ['http://three:5000'] }} }}\n"
    )));
    assert!(has(&mirror, "three"), "{mirror:?}");
}
