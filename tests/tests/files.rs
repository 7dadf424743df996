//! Wrong files are refused before anything is connected to.

use bramble_tests::Running;
use bramble_tests::program::binary;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Command;

/// Runs a command with this file; fails if anything knocks at the machine's port.
#[track_caller]
fn refused(text: &str, says: &[&str]) {
    let machine = TcpListener::bind("127.0.0.1:0").expect("a port");
    machine.set_nonblocking(true).expect("a listener");
    let port = machine.local_addr().expect("an address").port().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bramble.yaml");
    std::fs::write(&file, text.replace("@PORT@", &port)).expect("the file is written");
    for args in [&["up"][..], &["plan"], &["down", "--yes"]] {
        let mut command = Command::new(binary());
        command
            .args(args)
            .arg("-f")
            .arg(&file)
            .env("HOME", folder.path());
        let done = Running::start(&mut command).finish().expect(2);
        for text in says {
            done.says(text);
        }
    }
    let knocked = machine.accept().map(|_| ()).map_err(|e| e.kind());
    assert_eq!(
        knocked,
        Err(ErrorKind::WouldBlock),
        "something connected to the machine"
    );
}

const FILE: &str = "apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: t-files }
spec:
  network: { lan: 127.0.0.0/24 }
  defaults: { ssh: { port: @PORT@ } }
  machines:
    - { name: one, roles: [control-plane], address: 127.0.0.1 }
";

#[test]
fn a_file_with_several_mistakes_is_refused_with_all_of_them() {
    let text = FILE.replace("kind: Cluster", "kind: Clutter")
        + "  adons: [demo]\n  hooks: [{ name: x, after: nowhere, check: 'true', run: 'true' }]\n";
    refused(
        &text,
        &[
            "Clutter",
            "adons",
            "did you mean",
            "nowhere",
            "bramble.yaml:2",
        ],
    );
}

#[test]
fn an_address_given_twice_is_refused() {
    let text = FILE.to_owned() + "    - { name: two, address: 127.0.0.1 }\n";
    refused(&text, &["127.0.0.1", "two"]);
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bramble.yaml");
    std::fs::write(&file, b"kind: \xff\xfe").expect("the file is written");
    let mut command = Command::new(binary());
    let done = Running::start(command.args(["up", "-f"]).arg(&file))
        .finish()
        .expect(2);
    done.says("not UTF-8");
}

#[test]
fn a_missing_file_is_named() {
    let mut command = Command::new(binary());
    let done = Running::start(command.args(["up", "-f", "/nowhere/bramble.yaml"]))
        .finish()
        .expect(2);
    done.says("/nowhere/bramble.yaml").says("bramble init");
}
