//! The small programs that a Debian bundle brings along, run for real.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/debian/assets")
        .join(name)
}

/// Polls a condition.
pub fn until(what: &str, mut there: impl FnMut() -> bool) {
    let since = Instant::now();
    while !there() {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "gave up waiting: {what}"
        );
        std::thread::yield_now();
    }
}

pub fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

#[test]
fn shell_programs_are_posix_and_pass_shellcheck() {
    for name in ["crictl.sh", "demo.sh", "demo.cgi"] {
        let parsed = Command::new("sh")
            .arg("-n")
            .arg(asset(name))
            .status()
            .unwrap();
        assert!(parsed.success(), "{name}");
        if !in_path("shellcheck") {
            println!("skipped: shellcheck absent");
            continue;
        }
        let checked = Command::new("shellcheck")
            .args(["-s", "sh"])
            .arg(asset(name))
            .output()
            .unwrap();
        assert!(
            checked.status.success(),
            "{}",
            String::from_utf8_lossy(&checked.stdout)
        );
    }
}

#[test]
fn crictl_refuses_what_it_does_not_know() {
    let run = |args: &[&str]| {
        Command::new("sh")
            .arg(asset("crictl.sh"))
            .args(args)
            .output()
            .unwrap()
    };
    for args in [
        &["frobnicate"][..],
        &["--wat", "pods"],
        &[],
        &["pods", "--wat"],
        &["-r"],
    ] {
        let out = run(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(!out.stderr.is_empty(), "{args:?}");
    }
    assert!(run(&["--help"]).status.success());
}

#[test]
fn the_demo_page_names_the_host() {
    let out = Command::new("sh")
        .arg(asset("demo.cgi"))
        .env("REMOTE_ADDR", "10.9.8.7")
        .output()
        .unwrap();
    let page = String::from_utf8(out.stdout).unwrap();
    let host = Command::new("hostname").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    assert!(page.starts_with("Content-Type: text/html"), "{page}");
    assert!(
        page.contains(&format!(r#"<code id="pod">{}</code>"#, host.trim())),
        "{page}"
    );
    assert!(page.contains("10.9.8.7"), "{page}");
}

/// Ends a process with the test.
struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn children(pid: u32) -> Vec<u32> {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|w| w.parse().ok())
        .collect()
}

#[test]
fn pause_as_process_1_collects_orphans_and_ends_on_sigterm() {
    for program in ["gcc", "unshare"] {
        if !in_path(program) {
            println!("skipped: {program} absent");
            return;
        }
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: not root, no process namespace");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pause = dir.path().join("pause");
    let gcc = Command::new("gcc")
        .args(["-static", "-Os", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&pause)
        .arg(asset("pause.c"))
        .status();
    assert!(gcc.unwrap().success());

    // The orphan: its parent, a subshell, ends at once, so process 1 inherits it; it ends when told.
    let fifo = dir.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let mut unshare = Kill(
        Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "sh", "-c"])
            .arg(r#"(sh -c 'read -r line < "$1"' orphan "$1" &); exec "$2""#)
            .args(["sh".as_ref(), fifo.as_os_str(), pause.as_os_str()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut first = 0;
    until("pause runs", || {
        first = children(unshare.0.id()).first().copied().unwrap_or(0);
        std::fs::read_link(format!("/proc/{first}/exe")).is_ok_and(|exe| exe == pause)
    });
    until("the orphan is there", || children(first).len() == 1);
    writeln!(
        std::fs::OpenOptions::new().write(true).open(&fifo).unwrap(),
        "end"
    )
    .unwrap();
    until("the orphan is collected", || children(first).is_empty());
    assert!(unshare.0.try_wait().unwrap().is_none(), "pause must go on");

    let pid = rustix::process::Pid::from_raw(first.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut status = None;
    until("pause ends", || {
        status = unshare.0.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(0));
}
