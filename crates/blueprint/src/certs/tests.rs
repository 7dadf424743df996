#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bramble_secret::Secret;
use std::process::Command;

const DAY: i64 = 24 * 3600;

/// What openssl makes, as people do who have no kubeadm at hand.
fn openssl(args: &[&str], folder: &std::path::Path) {
    let out = Command::new("openssl")
        .args(args)
        .current_dir(folder)
        .output()
        .expect("openssl runs");
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// A CA, and a certificate for `two` that it signed and that lasts five days, in a folder.
fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    openssl(
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
            "-days",
            "3650",
            "-subj",
            "/CN=kubernetes",
        ],
        at,
    );
    openssl(
        &[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "two.key",
            "-out",
            "two.csr",
            "-subj",
            "/O=system:nodes/CN=system:node:two",
        ],
        at,
    );
    std::fs::write(
        at.join("names"),
        "subjectAltName = DNS:two, DNS:two.home.internal, IP:10.0.0.12, IP:fd00::12\n",
    )
    .unwrap();
    openssl(
        &[
            "x509",
            "-req",
            "-in",
            "two.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-set_serial",
            "7",
            "-days",
            "5",
            "-extfile",
            "names",
            "-out",
            "two.crt",
        ],
        at,
    );
    folder
}

fn look(folder: &std::path::Path, now: i64) -> Look {
    let text = |name: &str| STANDARD.encode(std::fs::read(folder.join(name)).unwrap());
    let both = STANDARD.encode(
        ["two.crt", "ca.crt"]
            .map(|name| std::fs::read(folder.join(name)).unwrap())
            .concat(),
    );
    let cas = STANDARD.encode(
        ["ca.crt", "ca.crt"]
            .map(|name| std::fs::read(folder.join(name)).unwrap())
            .concat(),
    );
    let said = format!(
        "now {now}\njournal 77\nplane\ncert /etc/kubernetes/pki/ca.crt {cas}\n\
         cert /etc/kubernetes/pki/apiserver.crt {both}\n\
         cert /var/lib/kubelet/pki/kubelet-client-current.pem {}\n\
         cert /etc/kubernetes/admin.conf nonsense\nstage trusted\n",
        text("two.crt")
    );
    Look::parse("two", &said)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

#[test]
fn what_openssl_made_is_read() {
    let folder = made();
    let look = look(folder.path(), now());
    assert_eq!((look.journal, look.plane), (77, true));
    assert_eq!(look.stage, Some(Stage::Trusted));
    let whats: Vec<&str> = look.certificates.iter().map(|c| c.what).collect();
    assert_eq!(
        whats,
        [
            "API server",
            "kubelet to the API",
            "CA of the cluster",
            "CA of the cluster"
        ],
        "those that end first are first; of a chain only the leaf; of a bundle all"
    );
    let server = &look.certificates[0];
    assert_eq!(
        server.names,
        [
            "system:node:two",
            "two",
            "two.home.internal",
            "10.0.0.12",
            "fd00::12"
        ]
    );
    assert_eq!(server.issuer, "kubernetes");
    assert!(!server.authority && look.certificates[2].authority);
}

#[test]
fn what_ends_soon_is_told_from_what_the_kubelet_renews() {
    let folder = made();
    let begin = now();
    let at = |days: i64| look(folder.path(), begin + days * DAY - 60);
    let fresh = at(1);
    assert_eq!(fresh.certificates[0].days(fresh.now), 4);
    assert_eq!(fresh.certificates[0].standing(fresh.now), Standing::Soon);
    assert_eq!(
        fresh.certificates[1].standing(fresh.now),
        Standing::Fine,
        "the kubelet has most of its five days left"
    );
    assert!(fresh.kubelet_needs().is_empty() && !fresh.plane_is_over());
    let (first, standing) = worst(&fresh.certificates, fresh.now).unwrap();
    assert_eq!((first.what, standing), ("API server", Standing::Soon));
    let late = look(folder.path(), begin + 5 * DAY - DAY / 4);
    assert_eq!(late.kubelet_needs().len(), 1, "it should have by now");
    let over = at(6);
    assert!(over.plane_is_over());
    assert_eq!(over.certificates[0].days(over.now), -1);
    assert_eq!(over.kubelet_needs().len(), 1);
    assert!(over.authorities_over().is_empty());
    assert!(!at(4000).authorities_over().is_empty());
}

#[test]
fn the_programs_are_posix_shell() {
    let keys = Secret::new("a2V5cw==");
    let mut all = vec![
        Secret::new(LOOK),
        begin(true),
        renew(),
        turn(Gentle::Shared),
        request("two"),
        sign("two", "cmVxdWVzdA=="),
        install(Some("c2lnbmVk"), true),
        make(),
        hand_over(&keys),
        trust(Stage::Issued),
        reach_stage(Stage::Dropped),
        wait_roots(Stage::Trusted),
        told(),
        cleanup(),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (at, program) in all.drain(..).enumerate() {
        let file = folder.path().join(format!("{at}.sh"));
        std::fs::write(&file, program.expose()).unwrap();
        let file = file.display().to_string();
        let read = Command::new("sh").args(["-n", &file]).output().unwrap();
        assert!(
            read.status.success(),
            "{}",
            String::from_utf8_lossy(&read.stderr)
        );
        let Ok(checked) = Command::new("shellcheck")
            .args(["-s", "sh", "-e", MEANT, &file])
            .output()
        else {
            eprintln!("skipped: shellcheck is absent");
            return;
        };
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "{said}");
    }
}

/// What is meant: SC2034, SC2317, SC2329 functions and variables that only other programs use; SC2154
/// variables that are set in front; SC2086 words that hold no blanks; SC2174 folders whose parents are there;
/// SC2016 programs of awk; SC2015 `a && b || c` where b can't fail; SC1091 files of the machine.
const MEANT: &str = "SC2034,SC2317,SC2329,SC2154,SC2086,SC2174,SC2015,SC2016,SC1091,SC2119,SC2120";
