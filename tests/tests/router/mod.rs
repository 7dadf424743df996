//! A cluster behind a router: one lab for everything that a router does. Each topic has a file with a
//! function that gets the site.

mod shape;
mod vpn;

use bramble_tests::Site;

#[test]
fn router() {
    let site = Site::behind_router("t-gate", 35, &["one", "two"]);
    site.write("");
    site.lab_up();
    shape::only_the_router_reaches_the_outside(&site);
}

#[test]
fn vpn_alone() {
    let site = Site::behind_router("t-vpn", 45, &["one", "two"]);
    let write = |line: &str| {
        site.write(&format!(
            "router:\n  lan: {{ interface: lan0 }}\n  {line}\naddons: [demo]\n"
        ));
    };
    write("");
    site.lab_up();
    site.on("gate", "ip address add 10.78.45.1/24 dev lan0; ip link set lan0 up; sysctl -qw net.ipv4.ip_forward=1");
    site.up();
    vpn::people_come_in_from_elsewhere(&site, &write);
}
