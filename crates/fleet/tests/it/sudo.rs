//! sudo, with users of our own that are removed again.

use crate::fixture::*;
use bramble_fleet::{Error, Fleet, Sudo, Target};
use bramble_secret::Secret;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const PASSWORD: &str = "correct horse 'battery' $staple";

/// A user with a password; removed when dropped.
struct User {
    name: String,
    sudoers: PathBuf,
}

impl User {
    /// `rule` goes after the name into the sudoers file.
    fn new(sshd: &Sshd, suffix: &str, rule: &str) -> Self {
        let name = format!("brt{}{suffix}", std::process::id());
        let sudoers = PathBuf::from(format!("/etc/sudoers.d/{name}"));
        let arguments = "--no-create-home --shell /bin/sh --home-dir /";
        manage("useradd", arguments, &name);
        let user = Self { name, sudoers };
        let line = format!(
            "{}:{PASSWORD}
",
            user.name
        );
        eventually("chpasswd", || {
            let mut child = Command::new("chpasswd");
            child.stdin(Stdio::piped()).stderr(Stdio::null());
            let mut child = child.spawn().unwrap();
            let written = child.stdin.take().unwrap().write_all(line.as_bytes());
            child.wait().unwrap().success() && written.is_ok()
        });
        if !rule.is_empty() {
            std::fs::write(&user.sudoers, format!("{} {rule}\n", user.name)).unwrap();
            sh("chmod", &["440", user.sudoers.to_str().unwrap()]);
        }
        sh(
            "chmod",
            &["644", sshd.path("authorized_keys").to_str().unwrap()],
        );
        user
    }

    fn target(&self, sshd: &Sshd, sudo: Sudo) -> Target {
        let mut target = sshd.target("m1");
        target.user = self.name.clone();
        target.sudo = sudo;
        target
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.sudoers);
        // By force: sshd's processes for the user may still be about to end.
        manage("userdel", "--force", &self.name);
    }
}

/// Changes the user database, which only one process at a time can.
fn manage(program: &str, arguments: &str, name: &str) {
    let mut command = Command::new(program);
    command.args(arguments.split(' ')).arg(name);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let done = || command.status().is_ok_and(|status| status.success());
    eventually(&format!("{program} {name}"), done);
}

fn can_sudo() -> bool {
    if !can_run() {
        return false;
    }
    if !std::path::Path::new("/usr/bin/sudo").exists() {
        eprintln!("skipped: sudo absent");
        return false;
    }
    true
}

fn password(text: &str) -> Sudo {
    Sudo::Password(Secret::new(text))
}

async fn whoami(sshd: &Sshd, target: &Target) -> Result<String, Error> {
    let session = Fleet::new(sshd.options()).connect(target).await?;
    let finished = session.run(b"id -un", LIMIT, "who am I", |_| {}).await?;
    assert_eq!(finished.stderr_tail(5), "", "noise on stderr");
    Ok(String::from_utf8(finished.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_password() {
    if !can_sudo() {
        return;
    }
    let sshd = Sshd::start();
    let free = User::new(&sshd, "free", "ALL=(ALL) NOPASSWD: ALL");
    let target = free.target(&sshd, Sudo::Passwordless);
    assert_eq!(whoami(&sshd, &target).await.unwrap(), "root\n");

    // A program's own failure is no sudo error.
    let session = Fleet::new(sshd.options()).connect(&target).await.unwrap();
    let finished = session.run(b"exit 1", LIMIT, "fail", |_| {}).await.unwrap();
    assert!(!finished.success());
    // Held programs and limits work through sudo too.
    let (line, held) = session
        .hold(b"id -un; cat >/dev/null", LIMIT)
        .await
        .unwrap();
    assert_eq!(line, "root");
    held.release().await;
    let limit = std::time::Duration::from_secs(1);
    let error = session
        .run(b"sleep 300", limit, "a nap", |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("it was ended"), "{error}");

    // The password isn't sent where sudo doesn't ask: not as a command, not at all.
    let target = free.target(&sshd, password("touch /tmp/bramble-fleet-must-not-exist"));
    assert_eq!(whoami(&sshd, &target).await.unwrap(), "root\n");
    assert!(!std::path::Path::new("/tmp/bramble-fleet-must-not-exist").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_password() {
    if !can_sudo() {
        return;
    }
    let sshd = Sshd::start();
    let asked = User::new(&sshd, "ask", "ALL=(ALL) ALL");
    let session = Fleet::new(sshd.options())
        .connect(&asked.target(&sshd, password(PASSWORD)))
        .await
        .unwrap();
    let mut command_lines = String::new();
    let program = format!("# {PASSWORD}\necho ready; sleep 0.3; id -un");
    let finished = session
        .run(program.as_bytes(), LIMIT, "who am I", |line| {
            if line == "ready" {
                command_lines = all_command_lines();
            }
        })
        .await
        .unwrap();
    assert_eq!(finished.stdout, b"ready\nroot\n");
    assert!(command_lines.contains("sudo"), "sudo was not seen");
    assert!(
        !command_lines.contains("battery"),
        "the password is in an argument vector"
    );

    // Wrong, and not given.
    let wrong = asked.target(&sshd, password("wrong"));
    let error = whoami(&sshd, &wrong).await.unwrap_err();
    let Error::Sudo { .. } = &error else {
        panic!("{error}");
    };
    let text = error.to_string();
    assert!(
        text.contains(&asked.name) && text.contains("m1") && text.contains("did not accept"),
        "{text}"
    );
    assert!(!text.contains("wrong"), "{text}");
    let none = asked.target(&sshd, Sudo::Passwordless);
    let error = whoami(&sshd, &none).await.unwrap_err();
    assert!(matches!(error, Error::Sudo { .. }), "{error}");
    assert!(error.to_string().contains("NOPASSWD"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right() {
    if !can_sudo() {
        return;
    }
    let sshd = Sshd::start();
    let barred = User::new(&sshd, "bar", "");
    for sudo in [Sudo::Passwordless, password(PASSWORD)] {
        let error = whoami(&sshd, &barred.target(&sshd, sudo))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Sudo { .. }), "{error}");
        assert!(error.to_string().contains(&barred.name), "{error}");
    }
}

fn all_command_lines() -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if let Ok(line) = std::fs::read(entry.path().join("cmdline")) {
            all.push_str(&String::from_utf8_lossy(&line).replace('\0', " "));
            all.push('\n');
        }
    }
    all
}
