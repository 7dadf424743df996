//! Three control planes and two workers, through everything that may happen to them. One cluster for all of
//! it, since making it takes longer than most of what is tried.
//!
//! How often a thing is tried is small here and larger where `BRAMBLE_TRIES` says so: chance shows itself
//! only in many.

mod certs;
mod client;
mod etcd;
mod failover;
mod kube_vip;
mod machines;
mod upgrade;
mod walk;

use bramble_tests::kubectl::Kubectl;
use bramble_tests::listing::{LEFT, assert_all_same};
use bramble_tests::{Listing, Site, until, until_else};
use std::time::Duration;

/// The address that the control planes share.
fn shared(site: &Site) -> String {
    let address = site.address("one");
    let (net, _) = address.rsplit_once('.').expect("an address");
    format!("{net}.100")
}

/// Where the API is asked through it.
fn api(site: &Site) -> String {
    format!("https://{}:8443/readyz", shared(site))
}

const PLANES: [&str; 3] = ["one", "two", "three"];
/// How long the cluster may take to be itself again.
const RECOVERY: Duration = Duration::from_secs(240);

fn spec(site: &Site, version: &str) -> String {
    spec_with(site, version, "5m")
}

/// A kubelet to which the API was away looks again only after up to a minute: who has a shorter time to
/// drain than a few minutes expects that it fails.
fn spec_with(site: &Site, version: &str, drain: &str) -> String {
    format!(
        "kubernetes: {{ version: {version}, endpoint: {{ vip: {} }}, scheduleOnControlPlane: false, \
         upgrade: {{ drainTimeout: {drain} }} }}\naddons: [demo]\n",
        shared(site)
    )
}

/// How often something is tried: a few times, or as often as the environment says.
fn tries(few: usize) -> usize {
    let named = std::env::var("BRAMBLE_TRIES").ok();
    named.and_then(|n| n.parse().ok()).unwrap_or(few)
}

/// Three machines that will be control planes and two workers, which nothing was done to yet.
fn booted(name: &str, net: u8) -> Site {
    let mut site = Site::new(name, net, &["one", "two", "three", "four", "five"]);
    for name in &PLANES[1..] {
        site.machine(name).roles = "control-plane".into();
    }
    site.write(&spec(&site, "v1.20.2"));
    site.lab_up();
    site
}

#[test]
fn three_control_planes_keep_a_cluster() {
    let mut site = booted("t-ha", 60);
    let before = Listing::all(&site, Listing::full);

    nobody_else_has_the_address(&site);
    site.up();
    site.nothing_to_do();
    let kubectl = Kubectl::new(&site);
    whole(&site, &kubectl);
    every_name_is_in_the_certificates(&site);
    failover::any_one_control_plane_may_fail(&site);
    whole(&site, &kubectl);
    upgrade::a_budget_stops_it(&site, &kubectl);
    upgrade::no_request_is_lost_and_no_controller_needed(&site, &kubectl);
    machines::workers_come(&mut site, &kubectl, 1);
    site.bramble(&["down", "--yes"]).expect(0);
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);
}

#[test]
fn etcd_and_certificates_outlive_what_happens_to_them() {
    let site = booted("t-etcd", 66);
    let before = Listing::all(&site, Listing::full);
    site.up();
    let kubectl = Kubectl::new(&site);
    a_control_plane_leaves_and_comes_back(&site, &kubectl);
    etcd::snapshots(&site);
    etcd::scheduled(&site, &spec(&site, "v1.20.2"), "two");
    etcd::restore(&site, &kubectl);
    etcd::quorum_is_lost_and_comes_back(&site, &kubectl);
    certs::near_their_end_are_renewed(&site);
    certs::over_on_one_are_renewed(&site);
    whole(&site, &kubectl);
    if tries(1) == 1 {
        eprintln!(
            "LEFT OUT: other CAs for a cluster that runs (BRAMBLE_TRIES=5 runs it; nine minutes on two cores)"
        );
    } else {
        certs::ca_rotation(&site);
    }
    // One from before other CAs trusts nobody that is there now.
    let kubectl = Kubectl::new(&site);
    whole(&site, &kubectl);
    power_fails_everywhere(&site, &kubectl);
    machines::dead_machine_is_removed(&site, &kubectl, &shared(&site));

    site.bramble(&["down", "--yes"]).expect(0);
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);
}

/// Neither the address nor the VRRP id is taken from somebody who has it already.
fn nobody_else_has_the_address(site: &Site) {
    let address = shared(site);
    site.on("five", &format!("ip address add {address}/32 dev host0"));
    site.bramble(&["up"])
        .expect(1)
        .says(&format!("the address {address} is in use"))
        .says("choose a free address");
    // An advert of VRRP 3 with the id that is this address's usual one, four times a second.
    let advert = r"\061\144\144\001\000\144\000\000\012\000\000\001";
    site.on(
        "five",
        &format!(
            "ip address del {address}/32 dev host0\n\
             systemd-run -q --unit=adverts sh -c \"while :; do printf '{advert}' | socat -u - IP4-SENDTO:224.0.0.18:112; sleep 0.25; done\""
        ),
    );
    site.bramble(&["up"])
        .expect(1)
        .says("the VRRP id 100 is in use on this network")
        .says(&site.address("five"));
    site.on("five", "systemctl stop adverts");
}

/// All five nodes are ready and serve, three members of etcd are started, and the plan is empty.
fn whole(site: &Site, kubectl: &Kubectl) {
    let seen = || {
        let nodes = site.try_on(
            "one",
            "KUBECONFIG=/etc/kubernetes/admin.conf kubectl get nodes,pods -A -o wide",
        );
        nodes.said()
    };
    until_else(
        "five nodes are ready",
        RECOVERY,
        || kubectl.try_ready().len() == 5,
        seen,
    );
    until("the API answers at every control plane", RECOVERY, || {
        PLANES.iter().all(|name| {
            let url = format!("https://{}:6443/readyz", site.address(name));
            site.page(&url).is_ok()
        })
    });
    site.soon_nothing_to_do(RECOVERY);
    site.demo_answers();
}

/// U099 and the names that people call the API by.
fn every_name_is_in_the_certificates(site: &Site) {
    for name in PLANES {
        let said = site.on(
            name,
            "openssl x509 -noout -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt",
        );
        for wanted in PLANES.iter().map(|n| site.address(n)).chain([
            shared(site),
            "127.0.0.1".into(),
            format!("{name}.t-ha.internal"),
        ]) {
            assert!(said.contains(&wanted), "{name}: no {wanted} in {said}");
        }
    }
}

/// The first of the file, which began the cluster, is nothing special afterwards.
fn a_control_plane_leaves_and_comes_back(site: &Site, kubectl: &Kubectl) {
    let identity = kubectl.run(&[
        "get",
        "namespace",
        "kube-system",
        "-o",
        "jsonpath={.metadata.uid}",
    ]);
    let planned = site
        .bramble(&["plan", "--down", "--machine", "one"])
        .expect(0);
    planned.says("take one out of etcd").says("drain:one");
    site.bramble(&["down", "--machine", "one", "--yes"])
        .expect(0);
    let nodes: Vec<String> = kubectl
        .items(&["nodes"])
        .iter()
        .map(bramble_tests::kubectl::name)
        .collect();
    assert_eq!(nodes, ["five", "four", "three", "two"]);
    site.bramble(&["down", "--machine", "one", "--yes"])
        .expect(0)
        .says("nothing to do");
    let changes = site.changes();
    let others: Vec<&String> = changes
        .iter()
        .filter(|c| !c.starts_with("one ") && !c.starts_with("- "))
        .collect();
    assert!(others.is_empty(), "nothing changes on others: {others:?}");
    site.up();
    whole(site, kubectl);
    let again = kubectl.run(&[
        "get",
        "namespace",
        "kube-system",
        "-o",
        "jsonpath={.metadata.uid}",
    ]);
    assert_eq!(identity, again, "it is the same cluster");
}

/// All machines at once, as when the power fails.
fn power_fails_everywhere(site: &Site, kubectl: &Kubectl) {
    for _ in 0..tries(1) {
        let lab = site.lab();
        for machine in site.machines() {
            lab.kill(&machine).expect("the power is cut");
        }
        for machine in site.machines() {
            lab.start(&machine, RECOVERY, |_| {})
                .expect("the machine starts");
        }
        until("the API answers", RECOVERY, || {
            site.page(&api(site)).is_ok()
        });
        whole(site, kubectl);
    }
}

/// The file's part below `spec`. The address is for the site's network.
fn with_address(net: u8) -> String {
    format!(
        "# What follows the machines.\n\
         kubernetes: {{ version: v1.20.2, endpoint: {{ vip: 10.78.{net}.100 }}, upgrade: {{ drainTimeout: 40s }} }}\n\
         addons: [demo]\n"
    )
}

#[test]
fn machines_leave_and_come() {
    if tries(1) == 1 {
        eprintln!(
            "LEFT OUT: ten workers that come at once, machines replaced, entries deleted (BRAMBLE_TRIES=5 runs it; ten minutes on two cores)"
        );
        return;
    }
    let net = 33;
    let mut site = Site::new("t-machines", net, &["one", "two", "three", "four", "five"]);
    for name in ["two", "three"] {
        site.machine(name).roles = "control-plane".into();
    }
    site.write(&with_address(net));
    site.lab_up();
    let blank = machines::Blank::of(&site, "two");
    site.up();
    let kubectl = Kubectl::new(&site);
    machines::first_control_plane_leaves_and_comes_back(&site, &kubectl);
    machines::budget_stops_a_removal(&site, &kubectl);
    machines::empty_machine_takes_the_place_of_a_dead_one(&site, &kubectl, &blank);
    machines::entry_that_is_deleted_takes_its_machine_along(&site, &kubectl);
    machines::workers_come(&mut site, &kubectl, 10);
}
