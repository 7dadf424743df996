//! Three control planes and two workers, and what becomes of them.

pub mod machines;

use bramble_tests::Site;
use bramble_tests::kubectl::Kubectl;

/// The file's part below `spec`. The address is for the site's network.
fn spec(net: u8) -> String {
    format!(
        "# What follows the machines.\n\
         kubernetes: {{ version: v1.20.2, endpoint: {{ vip: 10.78.{net}.100 }}, upgrade: {{ drainTimeout: 40s }} }}\n\
         addons: [demo]\n"
    )
}

#[test]
fn machines_leave_and_come() {
    let net = 33;
    let mut site = Site::new("t-machines", net, &["one", "two", "three", "four", "five"]);
    for name in ["two", "three"] {
        site.machine(name).roles = "control-plane".into();
    }
    site.write(&spec(net));
    site.lab_up();
    let blank = machines::Blank::of(&site, "two");
    site.up();
    let kubectl = Kubectl::new(&site);
    machines::first_control_plane_leaves_and_comes_back(&site, &kubectl);
    machines::budget_stops_a_removal(&site, &kubectl);
    machines::dead_machine_is_removed(&site, &kubectl);
    machines::empty_machine_takes_the_place_of_a_dead_one(&site, &kubectl, &blank);
    machines::entry_that_is_deleted_takes_its_machine_along(&site, &kubectl);
    machines::workers_come(&mut site, &kubectl, 10);
}
