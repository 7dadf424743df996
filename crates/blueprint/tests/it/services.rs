//! What the router serves beside names and addresses: DDNS, ingress, backups.

use crate::setup::{Setup, debian, example, load, run};
use bramble_machine::Observation;
use bramble_secret::Secret;

fn router(spec: &str) -> Setup {
    Setup::new(load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  network: {{ lan: 10.77.0.0/24 }}\n  machines:\n    - {{ name: gate, roles: [router, control-plane], address: 192.168.1.100 }}\n    - {{ name: one, address: 10.77.0.11 }}\n{spec}"
    )))
}

#[test]
fn the_ddns_token_is_in_one_closed_file_alone() {
    let mut setup = Setup::new(example("full.yaml"));
    let token = "a\"b\\c-Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY";
    setup
        .secrets
        .insert("cloudflare.token".into(), Secret::new(token));
    let tail = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY";
    let mut holders = Vec::new();
    for step in &setup.blueprint().machines["gate"].steps {
        for resource in &step.resources {
            let Ok(Some(change)) = resource.plan(&Observation::default()) else {
                continue;
            };
            let undo = format!("{:?}{:?}", change.undo, change.undo.script().as_str());
            let shown = format!("{resource:?}{}{:?}{undo}", change.summary, change.diff);
            assert!(!shown.contains(tail), "{}: {shown}", resource.id());
            if change.apply.as_str().contains(tail) {
                holders.push((resource.id(), change.apply.as_str().to_owned()));
            }
        }
    }
    assert_eq!(holders.len(), 1, "{holders:?}");
    let (id, program) = &holders[0];
    assert_eq!(id, "file:/etc/bramble-ddns.curl");
    assert!(program.contains(" 0600 root:root"), "{program}");
    // curl takes the value back out of its quotes.
    let line = r#"header = "Authorization: Bearer a\"b\\c-Sn3l"#;
    assert!(program.contains(line), "{program}");
}

#[test]
fn the_ddns_unit_says_what_the_file_says() {
    let ddns = |more: &str| {
        router(&format!(
            "  proxy: {{ http: 'http://proxy.example:3128/%20' }}\n  router:\n    uplink: wan0\n    ddns: {{ name: home.example.org, zone: example.org, tokenFile: t{more} }}\n"
        ))
    };
    let unit = "/etc/systemd/system/bramble-ddns.service";
    let setup = ddns(", families: [ipv6, ipv4], every: 60");
    let text = setup.text("gate", "router/ddns", unit).expect("a unit");
    for line in [
        "Environment=\"DDNS_NAME=home.example.org\"",
        "Environment=\"DDNS_API=https://api.cloudflare.com/client/v4\"",
        "Environment=\"DDNS_FAMILIES=ipv6 ipv4\"",
        "Environment=\"DDNS_SOURCE=auto\"",
        "Environment=\"DDNS_PAGE=https://cloudflare.com/cdn-cgi/trace\"",
        "Environment=\"DDNS_UPLINK=wan0\"",
        "Environment=\"http_proxy=http://proxy.example:3128/%%20\"",
        "Environment=\"https_proxy=http://proxy.example:3128/%%20\"",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let timer = setup.text(
        "gate",
        "router/ddns",
        "/etc/systemd/system/bramble-ddns.timer",
    );
    assert!(timer.expect("a timer").contains("OnUnitActiveSec=60\n"));
    let page = ddns(", source: 'http://ip.example/?a=%41'");
    let text = page.text("gate", "router/ddns", unit).expect("a unit");
    assert!(
        text.contains("DDNS_SOURCE=http://ip.example/?a=%%41\""),
        "{text}"
    );
    assert_eq!(setup.ids("one", "router/ddns"), [] as [String; 0]);
}

#[test]
fn haproxy_accepts_what_leads_to_the_ingress() {
    let path = "/etc/haproxy/haproxy.cfg";
    let text = |spec: &str| {
        let setup = router(&format!("  router:\n    ingress: {spec}\n"));
        setup.text("gate", "router/ingress", path).expect("a file")
    };
    let address = text("{ address: 10.77.0.40 }");
    assert!(
        address.contains("listen http\n\tbind :80\n\tmode http\n"),
        "{address}"
    );
    assert!(
        address.contains("listen https\n\tbind :443\n\tmode tcp\n"),
        "{address}"
    );
    assert!(
        address.contains("\tserver 10-77-0-40 10.77.0.40:443 check\n"),
        "{address}"
    );
    // Every node, the router itself included, at the port of the file.
    let nodes = text("{ https: 30443 }");
    assert!(!nodes.contains(":80\n"), "{nodes}");
    for server in ["10.77.0.1:30443 check", "10.77.0.11:30443 check"] {
        assert!(nodes.contains(server), "{nodes}");
    }
    let six = Setup::new(example("full.yaml"));
    let six = six.text("gate", "router/ingress", path).expect("a file");
    assert!(six.contains("\tbind :::443 v6only\n"), "{six}");
    let Some(haproxy) = debian(
        "usr/sbin/haproxy",
        &[
            "haproxy",
            "liblua5.3-0",
            "libopentracing-c-wrapper0",
            "libopentracing1",
        ],
    ) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (at, text) in [address, nodes, six].into_iter().enumerate() {
        let file = folder.path().join(format!("{at}.cfg"));
        // Its user comes with the package.
        let text = text
            .replace("user haproxy", "user nobody")
            .replace("group haproxy", "group nogroup");
        std::fs::write(&file, &text).expect("written");
        let out = run(&haproxy, &["-c", "-q", "-f", &file.display().to_string()]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.success() && !said.contains("WARNING"),
            "{said}\n{text}"
        );
    }
}

#[test]
fn every_backup_client_sees_its_own_folder_alone() {
    let setup = Setup::new(example("full.yaml"));
    assert_eq!(
        setup.ids("gate", "router/backup"),
        [
            "user:bramble-backup",
            "directory:/srv/data/backup",
            "action:backup-folders",
            "authorized-keys:bramble-backup",
        ]
    );
    let two = router(
        "  router:\n    backup:\n      clients:\n        - { name: a, key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpSm3XYpWgYxMh6cGTbHbTZsk6e6vXyHqbnqzRhTdVy a@b' }\n        - { name: b, prune: true, key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f' }\n",
    );
    let keys = two.program("gate", "router/backup", "authorized-keys:bramble-backup");
    for line in [
        "restrict,command=\"borg serve --restrict-to-path /var/lib/bramble-backup/a --append-only\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpSm3XYpWgYxMh6cGTbHbTZsk6e6vXyHqbnqzRhTdVy a@b",
        "restrict,command=\"borg serve --restrict-to-path /var/lib/bramble-backup/b\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
    ] {
        assert!(keys.contains(line), "{line}\n{keys}");
    }
    let named = two.ids("gate", "base/access");
    let own = "file:/etc/ssh/sshd_config.d/51-bramble-backup.conf".to_owned();
    assert!(named.contains(&own), "{named:?}");
    assert!(!two.ids("one", "base/access").contains(&own));
    // No teardown takes what clients stored: neither plan nor undo names it as lost, and what removes
    // folders removes empty ones.
    for resource in two.step("gate", "router/backup") {
        let change = resource.plan(&Observation::default());
        let Ok(Some(change)) = change else {
            panic!("{} has a plan", resource.id())
        };
        assert_eq!(change.undo.destroys(), None, "{}", resource.id());
        let undo = change.undo.script();
        assert!(!undo.as_str().contains("rm -r"), "{}", undo.as_str());
    }
}
