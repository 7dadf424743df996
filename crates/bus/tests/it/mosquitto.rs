//! Debian's mosquitto and its clients.

use crate::world::{Certificates, LIMIT, free_port};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;
use std::{fs, net};

const INSTALL: &str = "mosquitto is missing: apt-get install mosquitto mosquitto-clients";

/// A broker with TLS, passwords and an access list; it ends with the value.
pub struct Mosquitto {
    pub port: u16,
    pub certificates: Certificates,
    child: Child,
}

impl Mosquitto {
    /// A broker for these users; `access` is its access list.
    pub fn start(users: &[(&str, &str)], access: &str) -> Self {
        let certificates = Certificates::new();
        let file = |name: &str| certificates.file(name);
        let passwords = file("passwords");
        fs::write(&passwords, "").unwrap();
        for (user, password) in users {
            let done = Command::new("mosquitto_passwd")
                .arg("-b")
                .arg(&passwords)
                .args([user, password])
                .status()
                .expect(INSTALL);
            assert!(done.success());
        }
        fs::write(file("access"), access).unwrap();
        let port = free_port();
        let mut text = format!("listener {port} 127.0.0.1\nallow_anonymous false\n");
        // Started by root, it would become a user who can't read a test's folder.
        text += "user root\npersistence false\nlog_type all\n";
        for (key, name) in [
            ("password_file", "passwords"),
            ("acl_file", "access"),
            ("cafile", "ca.pem"),
            ("certfile", "broker.pem"),
            ("keyfile", "broker.key"),
        ] {
            writeln!(text, "{key} {}", file(name).display()).unwrap();
        }
        fs::write(file("conf"), text).unwrap();
        let child = run(&certificates.file("conf"), port);
        Self {
            port,
            certificates,
            child,
        }
    }

    pub fn url(&self) -> String {
        format!("mqtts://localhost:{}", self.port)
    }

    pub fn authority(&self) -> PathBuf {
        self.certificates.file("ca.pem")
    }

    /// Ends it as a power failure does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    pub fn again(&mut self) {
        self.child = run(&self.certificates.file("conf"), self.port);
    }

    /// Its clients' options for the way to it.
    pub fn way(&self) -> Way {
        Way {
            port: self.port,
            authority: Some(self.authority()),
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(conf: &std::path::Path, port: u16) -> Child {
    let log = fs::File::create(conf.with_extension("log")).unwrap();
    let mut child = Command::new("mosquitto")
        .arg("-c")
        .arg(conf)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect(INSTALL);
    let began = Instant::now();
    while net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > LIMIT || child.try_wait().unwrap().is_some() {
            let log = fs::read_to_string(conf.with_extension("log")).unwrap();
            panic!("mosquitto does not listen:\n{log}");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

/// How mosquitto's clients reach a broker.
#[derive(Clone)]
pub struct Way {
    pub port: u16,
    /// With TLS, the authority's certificate.
    pub authority: Option<PathBuf>,
}

impl Way {
    fn command(&self, program: &str, user: &str, password: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "localhost", "-p", &self.port.to_string()]);
        if let Some(authority) = &self.authority {
            command.arg("--cafile").arg(authority);
        }
        if !user.is_empty() {
            command.args(["-i", user, "-u", user, "-P", password]);
        }
        command
    }

    /// `mosquitto_pub`, to its end.
    pub async fn publish(&self, (user, password): (&str, &str), args: &[&str]) -> Output {
        let mut command = self.command("mosquitto_pub", user, password);
        command.args(args);
        finished(command).await
    }

    /// `mosquitto_sub`, to its end.
    pub async fn subscribe(&self, (user, password): (&str, &str), args: &[&str]) -> Output {
        let mut command = self.command("mosquitto_sub", user, password);
        command.args(args);
        finished(command).await
    }

    /// `mosquitto_sub` that goes on, with its messages on standard output.
    pub fn listen(&self, (user, password): (&str, &str), args: &[&str]) -> Child {
        let mut command = self.command("mosquitto_sub", user, password);
        command.args(args).stdout(Stdio::piped());
        command.spawn().expect(INSTALL)
    }
}

async fn finished(mut command: Command) -> Output {
    let ended = tokio::task::spawn_blocking(move || command.output().expect(INSTALL));
    let ended = tokio::time::timeout(LIMIT, ended).await;
    ended.expect("mosquitto's client ends in time").unwrap()
}

/// What a program said.
pub fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}
