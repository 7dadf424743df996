//! A cluster behind a router comes up from machines that nothing is known of but a hardware address, and
//! goes again.

use crate::cluster::network::inside;
use crate::cluster::quiet;
use bramble_tests::kubectl::Kubectl;
use bramble_tests::{Site, until};
use std::time::Duration;

/// How long a machine may take to get an address, or a node to be ready.
const LIMIT: Duration = Duration::from_secs(120);

/// One command makes the router, waits for the machines behind it, and makes the cluster. Stopped while it
/// waits, it goes on the next time.
pub fn machines_are_reached_once_the_router_serves_them(site: &Site) {
    let plan = site.bramble(&["plan"]).expect(0);
    plan.says("behind gate, looked at once it lets them through: one, two");
    assert!(!plan.said().contains("not seen"), "{}", plan.said());
    assert_eq!(site.plan()["later"]["one"], "gate");

    site.lab().kill("two").expect("the power is cut");
    let up = site.start(&["up"]);
    up.said(&format!("✓ {:<12} {:<20} answers", "one", "arrival"));
    assert_eq!(address(site, "one"), site.address("one"));
    up.signal("INT");
    let stopped = up.finish().expect(130);
    stopped.says("waits for one, two to answer (0 of at most 150 s)");
    stopped.says("run the same command again: it goes on where it stopped");

    site.lab().start("two", LIMIT, |_| {}).expect("it starts");
    until("two has its address", LIMIT, || {
        address(site, "two") == site.address("two")
    });
    let up = site.up();
    assert!(!up.said().contains("to answer"), "nobody is waited for now");
    up.says(&format!("demo page   http://{}/", site.outside()));
    site.nothing_to_do();
}

/// The address of a machine's interface, or nothing.
fn address(site: &Site, machine: &str) -> String {
    site.on(
        machine,
        "ip -4 -o address show dev host0 scope global | sed 's/.* inet //; s|/.*||'",
    )
}

/// kubectl and a browser on this computer come in by the router.
pub fn the_cluster_is_used_from_outside(site: &Site, kubectl: &Kubectl) {
    assert_eq!(kubectl.ready(), ["one", "two"]);
    let config = std::fs::read_to_string(site.folder().join("kubeconfig")).expect("a kubeconfig");
    let server = format!("https://{}:6443", site.outside());
    assert!(config.contains(&server), "{server} is the way in");
    // Who checks the name that is in the URL is content as well.
    let names = site.on(
        "one",
        "openssl x509 -noout -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt",
    );
    for name in ["DNS:gate", &format!("IP Address:{}", site.outside())] {
        assert!(names.contains(name), "{name} is not in {names}");
    }
    until("the demo runs", LIMIT, || kubectl.demo().len() == 2);
    site.demo_answers();
    site.bramble(&["wait"]).expect(0);
    let status = site.bramble(&["status"]).expect(0);
    status.says(&format!("{}, {}", site.address("gate"), site.outside()));
    let addresses = site.bramble(&["fleet", "check-ip"]).expect(0);
    addresses.says(&format!(
        "has it, on lan0; outside {}, on wan0",
        site.outside()
    ));
}

/// The cluster of a router that is its control plane: seen from here, pods of the worker from the router,
/// and their way out by it.
pub fn the_router_is_a_node(site: &Site, kubectl: &Kubectl) {
    assert_eq!(kubectl.ready(), ["gate", "one"]);
    until("the demo runs", LIMIT, || kubectl.demo().len() == 2);
    let pods = kubectl.demo();
    let pod = pods.iter().find(|p| p.node == "one").expect("a pod on one");
    let get = |from: &str, address: &str, port: u16| {
        let page = format!(
            "timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'"
        );
        assert!(site.on(from, &page).contains("It works."), "{address}");
    };
    get("gate", &pod.address, 8080);
    // Its node port leads to any of the pods, as every node's.
    get("one", &site.address("gate"), 30080);
    // Pods' traffic to the outside wears the router's address, as that of the machine itself.
    let ping = format!("ping -c1 -W2 {}", site.gateway());
    inside(site, pod, &ping);
}

/// One connection and one program a machine, as without a router: those to machines behind it share the
/// one to the router.
pub fn a_second_run_costs_nothing(site: &Site) {
    let done = site.up();
    assert_eq!(done.stdout.trim(), "nothing to do");
    quiet::cost_is_one_connection_and_one_program(site);
}

/// A router does not go while something of Bramble is behind it.
pub fn nobody_is_cut_off(site: &Site) {
    for part in [["--step", "router"], ["--machine", "gate"]] {
        let refused = site.bramble(&["down", part[0], part[1], "--yes"]).expect(1);
        refused.says("one, two behind it would stay, and be cut off");
    }
    site.nothing_to_do();
}

/// The router stays until all others are done. Afterwards what was behind it can't be looked at, and that
/// is said.
pub fn it_goes_with_the_router_last(site: &Site) {
    let down = site.bramble(&["down", "--yes"]).expect(0);
    let at = |what: &str| {
        let lines = down.stderr.lines();
        let found = lines.enumerate().filter(|(_, l)| l.contains(what));
        found.last().map(|(at, _)| at)
    };
    let done = |machine: &str, step: &str| at(&format!("✓ {machine:<12} {step} ")).expect(step);
    for machine in ["one", "two"] {
        assert!(done(machine, "forget") < done("gate", "router/dhcp"));
    }
    let again = site.bramble(&["down", "--yes"]).expect(0);
    assert_eq!(again.stdout.trim(), "nothing to do");
    again.says("one, two not looked at: gate has nothing of the router any more");
    site.bramble(&["down", "--yes", "--machine", "one"])
        .expect(4);
}
