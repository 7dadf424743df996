//! The pod network: pods reach each other as themselves, and the outside as their machine.

use bramble_tests::kubectl::{Kubectl, Pod};
use bramble_tests::{Running, Site};
use std::net::{IpAddr, TcpListener};
use std::process::Command;

pub fn pods_reach_each_other_and_the_outside(site: &Site, kubectl: &Kubectl) {
    let pods = kubectl.demo();
    for pod in &pods {
        let number = site.address(&pod.node);
        let number = number.rsplit('.').next().expect("the last number");
        let range = format!("10.244.{number}.");
        assert!(
            pod.address.starts_with(&range),
            "{pod:?} has an address of its machine's range"
        );
        for other in pods.iter().filter(|o| o.node != pod.node) {
            let page = get(site, pod, &other.address);
            assert!(
                page.contains(&other.name),
                "{pod:?} reaches {other:?}: {page}"
            );
            let mut words = page.split(|c: char| !c.is_ascii_digit() && c != '.');
            assert!(
                words.any(|w| w == pod.address),
                "{other:?} sees {pod:?} itself: {page}"
            );
        }
    }
    let (pod, outside) = (&pods[0], outside(&site.gateway()));
    let server = TcpListener::bind((outside, 0)).expect("a port");
    server.set_nonblocking(true).expect("a listener");
    let port = server.local_addr().expect("an address").port();
    inside(
        site,
        pod,
        &format!("timeout 10 bash -c 'exec 3<>/dev/tcp/{outside}/{port}'"),
    );
    let (_, from) = server.accept().expect("the pod reached this computer");
    assert_eq!(
        from.ip().to_string(),
        site.address(&pod.node),
        "outside, a pod wears its machine's address"
    );
}

/// The demo page as a pod gets it.
fn get(site: &Site, from: &Pod, address: &str) -> String {
    let program = format!(
        "timeout 10 bash -c 'exec 3<>/dev/tcp/{address}/8080; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'"
    );
    inside(site, from, &program)
}

/// Runs a program of the machine in a pod's network.
pub fn inside(site: &Site, pod: &Pod, program: &str) -> String {
    let program = format!(
        "for n in /run/netns/cni-*; do
            if nsenter --net=$n ip -4 -o addr | grep -qF ' {}/'; then exec nsenter --net=$n {program}; fi
        done
        echo 'no such pod' >&2; exit 1",
        pod.address
    );
    site.script(&pod.node, &program)
}

/// An address of this computer outside of the lab.
fn outside(gateway: &str) -> IpAddr {
    let args = ["-o", "-4", "addr", "show", "up", "scope", "global"];
    let text = Running::start(Command::new("ip").args(args))
        .finish()
        .expect(0)
        .stdout;
    let mut addresses = text
        .lines()
        .filter_map(|l| l.split_whitespace().nth(3)?.split('/').next());
    let found = addresses
        .find(|a| *a != gateway)
        .expect("this computer has an address of its own");
    found.parse().expect("an address")
}
