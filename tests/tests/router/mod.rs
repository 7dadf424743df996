//! What a router does for the machines behind it. Each topic has a file with a function that gets the
//! site; topics that don't disturb each other share a lab.

mod addresses;
mod firewall;
mod life;
mod registry;
mod services;
mod shape;
mod time;
mod vpn;
mod workstation;

use bramble_tests::Site;
use bramble_tests::kubectl::Kubectl;
use bramble_tests::listing::{LEFT, Listing};
use std::time::Duration;

/// What the file of [`a_cluster_lives_behind_its_router`] says below `spec`. `trusted` is this computer, the
/// operator's.
const SPEC: &str = "\
router:
  firewall:
    trusted: [10.79.35.1/32]
    forwards: [{ port: tcp/6443, to: one }]
  ingress: { http: 30080 }
addons: [demo]
";

/// How long a device may take until the router has served it. networkd waits twice as long each time before
/// it asks again; on a busy computer the answer to the question after a minute may be the first in time.
const LAN_LIMIT: Duration = Duration::from_secs(120);

/// An address of the machines' network.
fn lan(site: &Site, last: u8) -> String {
    let gate = site.address("gate");
    let front = gate.rsplit_once('.').map_or("", |(front, _)| front);
    format!("{front}.{last}")
}

/// What the file says of the router.
fn spec(site: &Site) -> String {
    format!(
        "network: {{ lan: {}/24, lan6: 'fd00:35::/64' }}
router:
  dhcp:
    lease: 600
    mtu: 1450
    reservations: [{{ mac: '02:00:00:00:99:01', address: {}, name: printer }}]
  dns:
    records: [{{ name: '*.apps', address: {} }}, {{ name: web, address: {} }}]
  firewall:
    open: [ssh, tcp/8080, udp/5000-5002]
    forwards: [{{ port: tcp/8022, to: one, toPort: 22 }}]
",
        lan(site, 0),
        lan(site, 30),
        lan(site, 40),
        lan(site, 11),
    )
}

/// From boards that ask for addresses to a cluster that is used from outside, and back.
#[test]
fn a_cluster_lives_behind_its_router() {
    let site = Site::behind_router("t-gate", 35, &["one", "two"]);
    site.write(SPEC);
    site.lab_up();
    shape::only_the_router_reaches_the_outside(&site);
    let before = Listing::full(&site, "gate");

    life::machines_are_reached_once_the_router_serves_them(&site);
    let kubectl = Kubectl::new(&site);
    life::the_cluster_is_used_from_outside(&site, &kubectl);
    life::a_second_run_costs_nothing(&site);
    life::nobody_is_cut_off(&site);

    life::it_goes_with_the_router_last(&site);
    before.assert_same(&Listing::full(&site, "gate"), LEFT);
}

/// The router alone: addresses, names, the way outside, what may come in, the time.
#[test]
fn a_router_serves_its_machines() {
    let site = Site::behind_router("t-served", 40, &["one", "two"]);
    site.write(&spec(&site));
    site.lab_up();
    let outsider = shape::only_the_router_reaches_the_outside(&site);
    site.bramble(&["up", "--machine", "gate", "--step", "base"])
        .expect(0);
    let before = Listing::full(&site, "gate");
    site.bramble(&["up", "--machine", "gate"]).expect(0);
    served(&site, &outsider);
    let down = "down --yes --machine gate --step router --step time";
    let down: Vec<&str> = down.split(' ').collect();
    site.bramble(&down).expect(0);
    let mut left = LEFT.to_vec();
    left.push(("/var/lib/bramble/journal", "what `base` did is still there"));
    for copy in [
        "/etc/passwd-",
        "/etc/group-",
        "/etc/shadow-",
        "/etc/gshadow-",
    ] {
        left.push((
            copy,
            "of what adduser found; the files themselves are compared",
        ));
    }
    before.assert_same(&Listing::full(&site, "gate"), &left);
}

/// Addresses, names, the way outside, what may come in, the time; also after the router was off.
fn served(site: &Site, outsider: &str) {
    let guest = addresses::devices_get_addresses(site);
    site.guest("late");
    let lent = addresses::stranger_gets_an_address(site, "late");
    addresses::devices_are_told_the_way(site);
    addresses::names_are_found_both_ways(site, &guest);
    addresses::names_of_the_file_can_not_be_taken(site, &guest);
    addresses::nodes_reach_package_sources(site);
    addresses::leases_outlive_the_server(site, &guest);
    time::the_router_tells_the_time(site);
    firewall::exactly_the_declared_set_is_open(site);
    firewall::forwards_lead_in_and_node_ports_do_not(site);
    firewall::machines_behind_are_hidden(site, outsider);
    firewall::rules_that_were_flushed_come_back(site);
    firewall::what_an_interrupted_run_changed_stays(site);
    firewall::a_lock_out_goes_back_by_itself(site);
    addresses::five_hundred_devices_get_an_address_each(site);
    let own = addresses::a_stranger_comes_into_the_file(site, &spec(site), "late");
    assert_ne!(own, lent);
    site.restart("gate");
    addresses::leases_outlive_the_router(site, &guest);
    firewall::exactly_the_declared_set_is_open(site);
    time::the_router_tells_the_time(site);
    addresses::it_moves_to_its_own_address(site, "late", &own);
}

/// Images from the router, for a cluster behind it.
#[test]
fn images_come_from_the_router() {
    let site = Site::behind_router("t-images", 50, &["one", "two"]);
    site.write("");
    site.lab_up();
    let before = Listing::full(&site, "gate");
    registry::images_come_from_the_router(&site);
    site.bramble(&["down", "--yes"]).expect(0);
    before.assert_same(&Listing::full(&site, "gate"), LEFT);
}

/// A router that is the control plane as well (U089): the cluster, a name that follows the address, web
/// traffic, backups; and a computer in the home network that is connected to it.
#[test]
fn a_router_serves_the_outside() {
    let mut site = Site::behind_router("t-services", 55, &["one"]);
    "router, control-plane".clone_into(&mut site.machine("gate").roles);
    "worker".clone_into(&mut site.machine("one").roles);
    let services = services::Services::start(&site);
    let section = services.section(&site);
    let desk = "10.79.55.60";
    site.write(&format!(
        "router:\n  firewall: {{ trusted: [{desk}/32, {}/32] }}\n{section}addons: [demo]\n",
        site.gateway()
    ));
    site.lab_up();
    let before = Listing::full(&site, "gate");
    assert_eq!(site.outsider("desk", 60), desk);
    site.up();
    site.nothing_to_do();
    life::the_router_is_a_node(&site, &Kubectl::new(&site));
    services.hold(&site, "desk");
    workstation::a_workstation_reaches_machines_and_names(&site, "desk");
    site.bramble(&["down", "--yes"]).expect(0);
    services::backups_stay(&site);
    let mut left = LEFT.to_vec();
    left.push(services::LEFT);
    before.assert_same(&Listing::full(&site, "gate"), &left);
}

/// People come in from elsewhere, to a cluster that is up.
#[test]
fn people_come_in_by_vpn() {
    let site = Site::behind_router("t-vpn", 45, &["one", "two"]);
    let write = |line: &str| {
        site.write(&format!(
            "router:\n  lan: {{ interface: lan0 }}\n  {line}\naddons: [demo]\n"
        ));
    };
    write("");
    site.lab_up();
    site.up();
    vpn::people_come_in_from_elsewhere(&site, &write);
}
