//! Who can be reached only once the router serves.

use crate::setup::{Setup, load};

#[test]
fn what_is_behind_the_router_is_reached_once_it_serves() {
    let machines = "machines:\n    - { name: gate, roles: [router], address: 192.168.1.2 }\n    \
                    - { name: one, roles: [control-plane], mac: '02:00:00:00:00:01' }\n    \
                    - { name: two, address: 10.7.0.12 }\n";
    let setup = Setup::new(load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  \
         network: {{ lan: 10.7.0.0/24 }}\n  {machines}"
    )));
    let blueprint = setup.blueprint();
    let names: Vec<&String> = blueprint.ways.keys().collect();
    assert_eq!(names, ["one", "two"]);
    let way = &blueprint.ways["one"];
    assert_eq!(way.through, "gate");
    assert_eq!(way.steps, ["router/network", "router/dhcp"]);
}

#[test]
fn without_a_router_everybody_is_reached_at_once() {
    let setup = Setup::new(load(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  machines:\n    \
         - { name: one, roles: [control-plane], address: 10.7.0.11 }\n",
    ));
    assert!(setup.blueprint().ways.is_empty());
}
