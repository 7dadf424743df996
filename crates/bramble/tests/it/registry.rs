//! `registry` without a router that answers; the rest stands with the whole-system tests.

use crate::common::{Place, err, silent_router};

const REGISTRY: &str = "{ registry: { private: { users: [{ name: anna, passwordFile: pw }] } } }";

#[test]
fn a_name_that_no_registry_takes_is_said_before_any_connection() {
    let place = Place::with(&silent_router(REGISTRY));
    for (name, why) in [
        ("Anna/Web:2", "'A' can't be in an image's name"),
        ("anna/web:bad tag", "\"bad tag\" can't be a tag"),
    ] {
        let mut push = place.bramble("registry push web.tar");
        let text = err(&push.arg(name).assert().code(2));
        assert!(text.contains(why) && text.contains("anna/web:2"), "{text}");
    }
    // The router is behind a closed port.
    place.bramble("registry status").assert().code(4);
}
