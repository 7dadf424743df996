//! `vpn` without a router that answers; the rest needs one and stands with the whole-system tests.

use crate::common::{GOOD, Place, err, json, out, silent_router};

/// A router behind a closed port, with this VPN.
fn file(vpn: &str) -> String {
    silent_router(&format!("{{ vpn: {vpn} }}"))
}

#[test]
fn what_the_file_does_not_have_is_said_before_any_connection() {
    let place = Place::with(GOOD);
    for command in ["vpn list", "vpn profile anna"] {
        let text = err(&place.bramble(command).assert().code(2));
        assert!(
            text.contains("there is no VPN in bramble.yaml") && text.contains("users: [anna]"),
            "{command}: {text}"
        );
    }
    let place = Place::with(&file("{ users: [anna, ben], host: vpn.example }"));
    for (command, parts) in [
        (
            "vpn profile ana",
            &["no VPN user \"ana\"", "did you mean anna?"][..],
        ),
        (
            "vpn profile gustav",
            &["users are: anna, ben", "router.vpn.users"],
        ),
        (
            "vpn profile anna --out nope/anna.conf",
            &[
                "can't write nope/anna.conf: there is no folder nope",
                "mkdir -p nope",
            ],
        ),
        (
            "vpn profile anna --openvpn",
            &["has no OpenVPN", "openvpn: {}"],
        ),
        (
            "vpn profile anna --openvpn --wireguard",
            &["cannot be used with"],
        ),
        ("vpn profile anna --qr --print", &["cannot be used with"]),
        ("vpn profile anna --qr --output json", &["for people"]),
    ] {
        let text = err(&place.bramble(command).assert().code(2));
        for part in parts {
            assert!(text.contains(part), "{command}: {part} not in {text}");
        }
    }
    let both = file("{ users: [anna], host: vpn.example, wireguard: {}, openvpn: {} }");
    let place = Place::with(&both);
    for command in ["vpn profile anna --print", "vpn profile anna --out x"] {
        let text = err(&place.bramble(command).assert().code(2));
        assert!(
            text.contains("say --wireguard or --openvpn"),
            "{command}: {text}"
        );
    }
}

#[test]
fn a_router_that_does_not_answer_is_named() {
    let place = Place::with(&file("{ users: [anna], host: vpn.example }"));
    for command in ["vpn list", "vpn profile anna"] {
        let text = err(&place.bramble(command).assert().code(4));
        assert!(text.contains("gate (127.0.0.1:"), "{command}: {text}");
    }
    let assert = place.bramble("vpn list --output json").assert().code(4);
    assert_eq!(json(&assert)["exitCode"], 4, "{}", out(&assert));
    assert!(!place.path("anna.conf").exists());
}

#[test]
fn a_profile_that_is_of_no_use_elsewhere_says_so() {
    let said = |vpn: &str| {
        let place =
            Place::with(&file(vpn).replace("management: 127.0.0.1", "management: 10.76.0.2"));
        let mut profile = place.bramble("vpn profile anna --connect-timeout 1");
        err(&profile.assert().code(4))
    };
    let text = said("{ users: [anna] }");
    assert!(
        text.contains("VPN profiles name 10.76.0.2, which nobody finds from elsewhere")
            && text.contains("router.vpn.host"),
        "{text}"
    );
    let text = said("{ users: [anna], host: vpn.example }");
    assert!(!text.contains("note:"), "{text}");
}
