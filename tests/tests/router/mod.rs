//! A cluster behind a router: one lab for everything that a router does. Each topic has a file with a
//! function that gets the site.

mod registry;
mod shape;

use bramble_tests::Site;

#[test]
fn router() {
    let site = Site::behind_router("t-gate", 35, &["one", "two"]);
    site.write("");
    site.lab_up();
    shape::only_the_router_reaches_the_outside(&site);
}

#[test]
fn dev_registry() {
    let site = Site::behind_router("t-registry", 50, &["one", "two"]);
    site.write("");
    site.lab_up();
    registry::images_come_from_the_router(&site);
}
