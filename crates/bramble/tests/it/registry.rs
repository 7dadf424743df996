//! `registry` without a router that answers; the rest stands with the whole-system tests.

use crate::common::{Place, err};

/// A router with a private registry behind a closed port.
fn file() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: home }}\nspec:\n  network: {{ lan: 10.77.0.0/24 }}\n  router:\n    registry: {{ private: {{ users: [{{ name: anna, passwordFile: pw }}] }} }}\n  machines:\n    - {{ name: gate, roles: [router], address: 10.77.0.1, management: 127.0.0.1, ssh: {{ port: {port} }} }}\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n"
    )
}

#[test]
fn a_name_that_no_registry_takes_is_said_before_any_connection() {
    let place = Place::with(&file());
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
