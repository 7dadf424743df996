//! The question whether packages can be had, by the real apt against an archive of this test's own.

use crate::setup::{Setup, cluster, skip};
use bramble_machine::query::Answer;
use bramble_machine::{Observation, Query};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const PACKAGES: &str = "Package: bramble-reach\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example>\nFilename: x.deb\nSize: 1\nSHA256: 0000000000000000000000000000000000000000000000000000000000000000\nDescription: x\n\n";

/// An archive with one package; remembers what it was asked for.
struct Archive {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Archive {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, ended) = (asked.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self {
            port,
            asked,
            stop,
            thread: Some(thread),
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/debian", self.port)
    }

    /// Stops to answer: the port is closed.
    fn close(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the archive ended well");
        }
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = if path.ends_with("/InRelease") {
            Some(format!(
                "Suite: bookworm\nCodename: bookworm\nSHA256:\n {} {} main/binary-all/Packages\n {0} {1} main/binary-amd64/Packages\n {0} {1} main/binary-arm64/Packages\n",
                sha256(PACKAGES),
                PACKAGES.len()
            ))
        } else if path.ends_with("/Packages") {
            Some(PACKAGES.to_owned())
        } else {
            None
        };
        seen.lock().expect("the list").push(path);
        let answer = match body {
            Some(body) => format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn sha256(text: &str) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sha256sum");
    child
        .stdin
        .take()
        .expect("input")
        .write_all(text.as_bytes())
        .expect("written");
    let mut out = String::new();
    child
        .stdout
        .take()
        .expect("output")
        .read_to_string(&mut out)
        .expect("text");
    child.wait().expect("its end");
    out.split(' ').next().unwrap_or_default().to_owned()
}

/// A machine with apt's state of its own.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    /// `None` where there is no apt.
    fn new(sources: &str) -> Option<Self> {
        if !Path::new("/usr/lib/apt/apt-helper").is_file() {
            skip("apt is absent");
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let d = dir.path().display();
        for sub in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(dir.path().join(sub)).expect("a folder");
        }
        let config = format!(
            "Dir::Etc::sourcelist \"{d}/list\";\nDir::Etc::sourceparts \"/dev/null\";\nDir::State::Lists \"{d}/lists\";\nDir::State::status \"{d}/status\";\nDir::Cache \"{d}/cache\";\nAPT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
        );
        for (name, text) in [("list", sources), ("status", ""), ("apt.conf", &config)] {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        Some(Self { dir })
    }

    fn sh(&self, program: &str) -> Output {
        let mut command = Command::new("sh");
        for variable in [
            "http_proxy",
            "https_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "no_proxy",
            "NO_PROXY",
        ] {
            command.env_remove(variable);
        }
        command
            .args(["-ec", program])
            .env("APT_CONFIG", self.dir.path().join("apt.conf"))
            .env("LC_ALL", "C")
            .output()
            .expect("sh")
    }

    fn update(&self) {
        let out = self.sh("apt-get -q update");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }

    /// Asks as a cluster with this in its file does; whether that went well, and what was said.
    fn ask(&self, spec: &str) -> (bool, String) {
        let setup = Setup::new(cluster(spec));
        let program = setup.program("two", "base/packages", "reach:packages");
        let lines = program
            .lines()
            .map(|line| match line.starts_with("MISSING=") {
                true => "MISSING=bramble-reach".to_owned(),
                false => line.replace(
                    "/run/bramble/reach",
                    &self.dir.path().join("t").display().to_string(),
                ),
            });
        let program = lines.collect::<Vec<_>>().join("\n");
        let out = self.sh(&program);
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        (out.status.success(), said)
    }
}

fn from(url: &str) -> String {
    format!("deb [trusted=yes] {url} bookworm main\n")
}

#[test]
fn an_archive_that_answers_is_asked_once() {
    let archive = Archive::new();
    let Some(machine) = Machine::new(&from(&archive.url())) else {
        return;
    };
    // With and without lists of packages.
    for known in [false, true] {
        if known {
            machine.update();
        }
        archive.asked.lock().expect("the list").clear();
        assert_eq!(machine.ask(""), (true, String::new()), "known: {known}");
        let asked = archive.asked.lock().expect("the list").clone();
        assert_eq!(
            asked,
            ["/debian/dists/bookworm/InRelease"],
            "known: {known}"
        );
    }
}

#[test]
fn an_archive_that_is_silent_is_named_with_a_remedy() {
    let mut archive = Archive::new();
    let Some(machine) = Machine::new(&from(&archive.url())) else {
        return;
    };
    machine.update();
    archive.close();
    let (good, said) = machine.ask("");
    let place = format!("127.0.0.1:{}", archive.port);
    assert!(!good, "{said}");
    assert!(
        said.starts_with(&format!(
            "no answer from http://{place}/debian/dists/bookworm: "
        )),
        "{said}"
    );
    assert!(said.contains("Connection refused"), "{said}");
    assert!(
        said.contains(&format!(
            "The machine can't install bramble-reach without {place}."
        )),
        "{said}"
    );
    assert!(
        said.contains("mirrors.apt")
            && said.contains("proxy.http")
            && said.contains("/etc/resolv.conf"),
        "{said}"
    );
}

#[test]
fn the_mirror_of_the_file_is_asked_instead_of_debian() {
    let mut archive = Archive::new();
    // A name that no resolver knows: whoever asks it fails.
    let Some(machine) = Machine::new(&from("http://nowhere.debian.org/debian")) else {
        return;
    };
    let spec = format!("  mirrors: {{ apt: '{}' }}\n", archive.url());
    assert_eq!(machine.ask(&spec), (true, String::new()));
    assert!(archive.asked.lock().expect("the list")[0].starts_with("/debian/dists/"));
    archive.close();
    let (good, said) = machine.ask(&spec);
    assert!(!good && said.contains(&archive.url()), "{said}");
}

#[test]
fn the_proxy_of_the_file_is_used() {
    let proxy = Archive::new();
    let Some(machine) = Machine::new(&from("http://deb.invalid/debian")) else {
        return;
    };
    let spec = format!("  proxy: {{ http: 'http://127.0.0.1:{}' }}\n", proxy.port);
    assert_eq!(machine.ask(&spec), (true, String::new()));
    let asked = proxy.asked.lock().expect("the list").clone();
    assert_eq!(
        asked,
        ["http://deb.invalid/debian/dists/bookworm/InRelease"]
    );
}

/// A mirror that is reached directly is asked directly.
#[test]
fn a_near_mirror_is_asked_without_the_proxy() {
    let mut proxy = Archive::new();
    proxy.close();
    let mirror = Archive::new();
    let Some(machine) = Machine::new("") else {
        return;
    };
    let spec = format!(
        "  proxy: {{ http: 'http://127.0.0.1:{}', noProxy: [127.0.0.1] }}\n  mirrors: {{ apt: '{}' }}\n",
        proxy.port,
        mirror.url()
    );
    assert_eq!(machine.ask(&spec), (true, String::new()));
}

/// Files and disks need no network.
#[test]
fn archives_on_the_machine_are_not_asked() {
    let Some(machine) = Machine::new("") else {
        return;
    };
    let d = machine.dir.path().display().to_string();
    std::fs::write(machine.dir.path().join("Packages"), PACKAGES).expect("written");
    std::fs::write(
        machine.dir.path().join("list"),
        format!("deb [trusted=yes] file:{d} ./\n"),
    )
    .expect("written");
    assert_eq!(machine.ask(""), (true, String::new()));
}

/// Where all packages are installed nothing is asked, whatever the network does.
#[test]
fn nothing_is_asked_when_nothing_is_missing() {
    let setup = Setup::new(cluster(""));
    let reach = setup.step("two", "base/packages").remove(0);
    let mut seen = Observation::default();
    let wants = reach.wants(&seen);
    let names: Vec<&str> = wants
        .iter()
        .filter_map(|q| match q {
            Query::Package(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    // Those of all steps, not only of the first.
    for name in ["openssl", "chrony", "containerd", "bird2"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for query in &wants {
        seen.answers
            .insert(query.clone(), Answer::Text(Some("1".into())));
    }
    assert!(reach.plan(&seen).expect("a plan").is_none());
    seen.answers
        .insert(Query::Package("bird2".into()), Answer::Text(None));
    let change = reach.plan(&seen).expect("a plan").expect("a change");
    assert_eq!(change.summary, "ask the package archive whether it answers");
    assert!(change.apply.as_str().contains("MISSING=bird2\n"));
}
