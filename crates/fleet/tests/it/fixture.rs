//! An sshd of our own, with its keys, config and log in a temporary folder.

use bramble_fleet::{Fleet, Options, Sudo, Target};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(20);

/// Whether sshd can be started here; prints why not.
pub fn can_run() -> bool {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: not root");
        return false;
    }
    if !Path::new("/usr/sbin/sshd").exists() {
        eprintln!("skipped: sshd absent (Debian: openssh-server)");
        return false;
    }
    true
}

/// Runs a command that must succeed, returns its stdout.
pub fn sh(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub fn keygen(path: &Path, kind: &str) {
    let path = path.to_str().unwrap();
    sh(
        "ssh-keygen",
        &["-q", "-t", kind, "-N", "", "-C", "test", "-f", path],
    );
}

/// `SHA256:...` of a key file.
pub fn fingerprint(key: &Path) -> String {
    let line = sh("ssh-keygen", &["-lf", key.to_str().unwrap()]);
    line.split(' ').nth(1).unwrap().to_owned()
}

/// Waits for a condition, with a limit.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running sshd; ended when dropped.
pub struct Sshd {
    pub dir: tempfile::TempDir,
    pub port: u16,
    child: Child,
}

impl Sshd {
    pub fn start() -> Self {
        Self::with("")
    }

    /// With further lines in its configuration.
    pub fn with(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        keygen(&dir.path().join("host"), "ed25519");
        keygen(&dir.path().join("user"), "ed25519");
        std::fs::copy(
            dir.path().join("user.pub"),
            dir.path().join("authorized_keys"),
        )
        .unwrap();
        // The users of sudo tests read it too.
        sh("chmod", &["755", dir.path().to_str().unwrap()]);
        let _ = std::fs::create_dir("/run/sshd");
        for _ in 0..5 {
            let port = free_port();
            if let Some(child) = launch(dir.path(), port, config) {
                return Self { dir, port, child };
            }
        }
        panic!("sshd does not start: {}", read(&dir.path().join("log")));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn log(&self) -> String {
        read(&self.path("log"))
    }

    /// Connections that sshd has taken.
    pub fn connections(&self) -> usize {
        self.log().matches("Connection from ").count()
    }

    /// A target as root with the right key, pinned to nothing.
    pub fn target(&self, name: &str) -> Target {
        Target {
            name: name.to_owned(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: "root".to_owned(),
            keys: vec![self.path("user")],
            jump: None,
            host_key: Some(fingerprint(&self.path("host.pub"))),
            sudo: Sudo::No,
        }
    }

    /// Kills the processes of this sshd that serve connections.
    pub fn cut_connections(&self) {
        self.signal_connections(rustix::process::Signal::KILL);
    }

    /// Stops the processes of this sshd that serve connections.
    pub fn freeze_connections(&self) {
        self.signal_connections(rustix::process::Signal::STOP);
    }

    fn signal_connections(&self, signal: rustix::process::Signal) {
        for process in children(self.child.id()) {
            let _ = rustix::process::kill_process(process, signal);
        }
    }

    pub fn options(&self) -> Options {
        Options::new(self.path("known_hosts"))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut_connections();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn launch(dir: &Path, port: u16, extra: &str) -> Option<Child> {
    let d = dir.display();
    let config = dir.join("sshd_config");
    // Not given twice: of this one setting sshd takes the last.
    let startups = match extra.contains("MaxStartups") {
        true => "",
        false => "MaxStartups 100\n",
    };
    let text = format!(
        "{extra}\nListenAddress 0.0.0.0\nHostKey {d}/host\nPidFile none\n\
         AuthorizedKeysFile {d}/authorized_keys\nTrustedUserCAKeys {d}/ca.pub\nStrictModes no\n\
         UsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nLogLevel VERBOSE\n{startups}"
    );
    std::fs::write(&config, text).unwrap();
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let mut child = Command::new("/usr/sbin/sshd")
        .args([
            "-D",
            "-e",
            "-f",
            config.to_str().unwrap(),
            "-p",
            &port.to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if read(&dir.join("log")).contains("Server listening") {
            return Some(child);
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(start.elapsed() < LIMIT, "sshd says nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes whose parent this is.
pub fn children(parent: u32) -> Vec<rustix::process::Pid> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let stat = read(&entry.path().join("stat"));
        // After the name, which may contain anything: state and parent.
        let after = stat.rsplit(')').next().unwrap_or_default();
        if after.split_whitespace().nth(1) == Some(parent.to_string().as_str()) {
            let id = entry.file_name().to_string_lossy().parse().unwrap_or(0);
            found.extend(rustix::process::Pid::from_raw(id));
        }
    }
    found
}

/// A real ssh-agent; ended when dropped.
pub struct Agent {
    pub socket: PathBuf,
    child: Child,
}

impl Agent {
    pub fn start(dir: &Path) -> Self {
        let socket = dir.join("agent");
        let child = Command::new("ssh-agent")
            .args(["-D", "-a", socket.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the agent's socket", || socket.exists());
        Self { socket, child }
    }

    pub fn add(&self, key: &Path) {
        let status = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A fleet with defaults, and the one machine on it.
pub fn one(sshd: &Sshd) -> (Fleet, Target) {
    (Fleet::new(sshd.options()), sshd.target("m1"))
}

pub fn through(mut target: Target, jump: &Arc<Target>) -> Target {
    target.jump = Some(jump.clone());
    target
}
