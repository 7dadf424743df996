//! A terminal on a machine. This test binary starts itself as the process that has the terminal.

use crate::fixture::*;
use bramble_fleet::Fleet;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

const PORT: &str = "BRAMBLE_TEST_PORT";
const FOLDER: &str = "BRAMBLE_TEST_FOLDER";
const COMMAND: &str = "BRAMBLE_TEST_COMMAND";

/// Does nothing unless another test here started it.
#[test]
fn child() {
    let (Ok(port), Ok(folder)) = (std::env::var(PORT), std::env::var(FOLDER)) else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let target = bramble_fleet::Target {
        name: "m1".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: port.parse().unwrap(),
        user: "root".to_owned(),
        keys: vec![folder.join("user")],
        jump: None,
        host_key: Some(fingerprint(&folder.join("host.pub"))),
        sudo: bramble_fleet::Sudo::No,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let code = runtime.block_on(async {
        let fleet = Fleet::new(bramble_fleet::Options::new(folder.join("known_hosts")));
        let session = fleet.connect(&target).await.unwrap();
        let command = std::env::var(COMMAND).ok();
        session.interactive(command.as_deref()).await.unwrap()
    });
    // Also shows that nothing keeps the runtime from stopping.
    drop(runtime);
    std::process::exit(code);
}

fn start(sshd: &Sshd) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "interactive::child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(PORT, sshd.port.to_string())
        .env(FOLDER, sshd.dir.path())
        .env("TERM", "vt220");
    command
}

#[test]
fn a_terminal_has_its_size_raw_mode_and_exit_code() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs: OwnedFd = File::options()
        .read(true)
        .write(true)
        .open(name)
        .unwrap()
        .into();
    let size = |columns, rows| {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&theirs, size).unwrap();
    };
    size(101, 37);
    let before = tcgetattr(&theirs).unwrap().local_modes;
    let mut child = start(&sshd)
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs.try_clone().unwrap())
        .spawn()
        .unwrap();

    let mut ours = File::from(ours);
    let shown = Arc::new(Mutex::new(String::new()));
    let (mut reading, collecting) = (ours.try_clone().unwrap(), shown.clone());
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(size @ 1..) = reading.read(&mut piece) {
            let text = String::from_utf8_lossy(&piece[..size]).into_owned();
            collecting.lock().unwrap().push_str(&text);
        }
    });
    let wait_for = |what: &str| eventually(what, || shown.lock().unwrap().contains(what));

    let raw = || {
        !tcgetattr(&theirs)
            .unwrap()
            .local_modes
            .contains(LocalModes::ICANON)
    };
    eventually("raw mode", raw);
    // Computed, so that the echo of the command isn't taken for its answer.
    ours.write_all(b"echo $((40+2)):$TERM:$(stty size)\n")
        .unwrap();
    wait_for("42:vt220:37 101");
    size(77, 20);
    let id = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::WINCH).unwrap();
    // The new size arrives some time after the signal: ask until it has.
    eventually("the new size", || {
        ours.write_all(b"stty size\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        shown.lock().unwrap().contains("20 77")
    });
    ours.write_all(b"exit 5\n").unwrap();
    eventually("the end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_eq!(tcgetattr(&theirs).unwrap().local_modes, before);
}

#[test]
fn a_command_has_our_stdin_and_stdout() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let mut child = start(&sshd)
        .env(COMMAND, "cat; echo problem >&2; exit 9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        stdin
            .write_all("line\n".repeat(300_000).as_bytes())
            .unwrap();
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert_eq!(output.status.code(), Some(9));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("line\n").count(), 300_000);
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("problem")
    );
}
