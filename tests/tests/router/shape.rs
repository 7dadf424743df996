//! The lab's own shape: who is in which network before anything is set up.

use bramble_tests::Site;

/// The machines behind the router have no address yet, and can be entered all the same. The address of
/// somebody outside.
pub fn only_the_router_reaches_the_outside(site: &Site) -> String {
    let addresses = |machine: &str| site.on(machine, "ip -4 -br address | grep -v ^lo || :");
    assert!(addresses("gate").contains(&format!("{}/24", site.outside())));
    let bare = site.on("gate", "ip -br link show dev lan0");
    assert!(bare.contains("DOWN"), "{bare}");
    for machine in ["one", "two"] {
        assert_eq!(addresses(machine), "");
    }
    let outsider = site.outsider("outsider", 50);
    site.guest("guest");
    assert_eq!(addresses("guest"), "");
    site.on("gate", &format!("ping -c1 -W2 {outsider}"));
    site.on("outsider", &format!("ping -c1 -W2 {}", site.gateway()));
    outsider
}
