//! `bramble serve` as a process of this computer.

use crate::common::{Place, err};
use crate::served::Served;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

/// Long enough for a slow computer.
const LONG: Duration = Duration::from_secs(60);

/// Logins at once; fewer than one address may try in a row.
const LOGINS: usize = 8;

/// Bytes that a daemon may keep of them: half of what one of them takes.
const KEPT: usize = 19 * 1024 * 1024 / 2;

/// A daemon; it ends when this goes.
struct Daemon {
    child: Child,
    port: u64,
}

impl Daemon {
    fn begin(place: &Place) -> Self {
        let mut command = place.process(Place::program());
        command
            .args(["serve", "--output", "json", "--name", "localhost"])
            .args(["--listen", "127.0.0.1:0", "--mqtt", "off", "--data", "data"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let serving: Value = serde_json::from_str(&line).unwrap();
        let port = serving["listen"].as_str().unwrap().rsplit(':').next();
        let port = port.unwrap().parse().unwrap();
        Self { child, port }
    }

    /// Bytes of memory that are no file's.
    fn memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
        kilobytes.parse::<usize>().unwrap() * 1024
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already: as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Making the hash of a password takes 19 MiB, each time by another thread.
#[test]
fn a_daemon_keeps_no_memory_of_logins() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let place = Place::new();
    let daemon = Daemon::begin(&place);
    let before = daemon.memory();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let statuses = runtime.block_on(async {
        let authority = std::fs::read(place.path("data/tls/ca.pem")).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .timeout(LONG)
            .build()
            .unwrap();
        let url = format!("https://localhost:{}", daemon.port);
        let login = || {
            client
                .post(format!("{url}/api/v1/login"))
                .header("origin", &url)
                .json(&json!({ "name": "nobody", "password": "correct horse" }))
                .send()
        };
        let answers = futures::future::join_all((0..LOGINS).map(|_| login())).await;
        let statuses = answers.into_iter().map(|a| a.unwrap().status().as_u16());
        statuses.collect::<Vec<_>>()
    });
    assert_eq!(statuses, [401; LOGINS]);
    let after = daemon.memory();
    assert!(after < before + KEPT, "{before} bytes, now {after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_in_the_log_without_a_word_of_what_was_typed() {
    let place = Place::new();
    let daemon = Served::start(&place, "127.0.0.1:0", "--mqtt off");
    let login = daemon
        .client(&place)
        .post(format!("{}/api/v1/login", daemon.url))
        .header("origin", &daemon.url)
        .json(&json!({ "name": "typed too soon", "password": "correct horse" }));
    assert_eq!(login.send().await.unwrap().status(), 401);
    let log = place.read("serve.log");
    let said = "127.0.0.1 tried a wrong name or password";
    assert!(log.contains(said), "{log}");
    assert!(!log.contains("typed too soon") && !log.contains("correct horse"));
}

/// A run has a folder of its own to work in: what is meant from here must be found from there.
#[tokio::test(flavor = "multi_thread")]
async fn runs_find_their_files_where_the_daemon_s_folder_is_given_from_here() {
    let place = Place::new();
    let port = crate::common::closed_port();
    let machine = format!(
        "{{ name: gone, roles: [control-plane], address: 198.18.77.5, management: 127.0.0.1, ssh: {{ port: {port} }} }}"
    );
    let file = format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: faded }}\nspec:\n  machines: [{machine}]\n"
    );
    std::fs::write(place.path("bramble.yaml"), file).unwrap();
    let daemon = Served::start(&place, "127.0.0.1:0", "--mqtt off");
    daemon.log_in(&place).await;
    let mut up = place.bramble(&format!("--server {} up --yes", daemon.url));
    let failed = tokio::task::spawn_blocking(move || up.assert().failure());
    let said = err(&failed.await.unwrap());
    // It was read: without a bundle it ends there, with one at the machine.
    let read = said.contains("there is no bundle") || said.contains("can't be reached");
    assert!(read, "{said}");
}

#[test]
fn what_can_t_be_served_with_is_refused_before_anything_is_made() {
    let place = Place::new();
    for (name, said) in [
        ("bad name", "\"bad name\""),
        ("https://pi", "without https://"),
        ("pi:7443", "\"pi:7443\""),
        ("", "\"\""),
        ("1.2.3.400", "\"1.2.3.400\""),
    ] {
        let mut serve = place.bramble("serve --data data --listen 127.0.0.1:0 --mqtt off");
        let text = err(&serve
            .args(["--name", "pi.lan", "--name", name])
            .assert()
            .code(2));
        assert!(
            text.contains("--name") && text.contains(said),
            "{name}: {text}"
        );
        assert!(!place.path("data").exists(), "{name}");
    }
    for (arguments, said) in [
        ("--mqtt off --old-topic DashButton", "--mqtt off"),
        ("--mqtt 127.0.0.1:0 --old-topic Dash/#", "\"Dash/#\""),
        ("--mqtt nowhere", "no address with a port"),
        (
            "--broker mqtt://b --old-topic D --old-listen 127.0.0.1:0 --old-login x",
            "--old-listen",
        ),
    ] {
        let serve = format!("serve --data data --listen 127.0.0.1:0 {arguments}");
        let text = err(&place.bramble(&serve).assert().code(2));
        assert!(text.contains(said), "{arguments}: {text}");
        assert!(!place.path("data").exists(), "{arguments}");
    }
}
