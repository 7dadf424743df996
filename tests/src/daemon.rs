//! A daemon, as a person has it: `bramble serve` and nothing else, asked by curl and by the program itself.

use crate::program::{Done, Running, binary};
use crate::{failure, site, wait};
use bramble_lab::{DEFAULT_BASE, Lab};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the first user's password is.
pub const PASSWORD: &str = "correct horse battery";

/// Daemons of two tests at once would choose the same free network for their labs.
static ONE_TEST: Mutex<()> = Mutex::new(());

/// A daemon with a folder of its own. What its runs left behind goes with it.
pub struct Daemon {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Running>,
    /// What the names of all its clusters begin with.
    prefix: String,
    /// Further arguments.
    more: Vec<String>,
    /// Its name among several that share a store.
    replica: Option<String>,
    /// Held until all else of it is gone.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Daemon {
    /// Starts one, with its first user. The names of its clusters begin with `prefix`, and it listens at `port` and,
    /// for buttons, at the next one.
    ///
    /// # Panics
    /// When it does not serve.
    pub fn new(prefix: &str, port: u16) -> Self {
        let daemon = Self::bare(prefix, port, &[], turn());
        daemon.first_user();
        daemon.log_in();
        daemon
    }

    /// Starts one of several that share a store, told by further arguments. The first of them makes the user.
    ///
    /// # Panics
    /// When it does not serve.
    pub fn sharing(prefix: &str, port: u16, more: &[&str], first: bool) -> Self {
        let daemon = Self::bare(prefix, port, more, first.then(turn).flatten());
        if first {
            daemon.first_user();
        }
        daemon.log_in();
        daemon
    }

    fn bare(prefix: &str, port: u16, more: &[&str], turn: Option<MutexGuard<'static, ()>>) -> Self {
        failure::remember();
        site::one_run_at_a_time();
        assert!(prefix.starts_with("t-"), "labs of tests are called t-...");
        remove_labs(prefix);
        let folder = tempfile::Builder::new()
            .prefix("bramble-")
            .tempdir()
            .expect("a folder");
        let mut daemon = Self {
            folder,
            port,
            running: None,
            prefix: prefix.into(),
            more: more.iter().map(|word| (*word).to_owned()).collect(),
            replica: None,
            _turn: turn,
        };
        daemon.start();
        daemon
    }

    /// Its name among several that share a store.
    ///
    /// # Panics
    /// When it is alone.
    pub fn replica(&self) -> &str {
        self.replica.as_deref().expect("it is one of several")
    }

    /// Starts it, again after [`Daemon::kill`].
    ///
    /// # Panics
    /// When it does not serve.
    pub fn start(&mut self) {
        let mut command = Command::new(binary());
        command
            .args(["serve", "--output", "json", "--name", "localhost", "--data"])
            .arg(self.data())
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--mqtt", &format!("127.0.0.1:{}", self.port + 1)])
            .env("HOME", self.folder())
            // Its runs are its own, whatever daemon whoever started it uses.
            .env("BRAMBLE_SERVER", "https://nowhere.invalid:7443")
            .args(&self.more);
        let mut running = Running::start(&mut command);
        let serving = running.event("it serves", |event| event["event"] == "serving");
        self.replica = serving["replica"].as_str().map(str::to_owned);
        self.running = Some(running);
    }

    /// Ends it as the kernel would, in the middle of everything.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let running = self.running.take().expect("it runs");
        running.signal("KILL");
        running.finish();
    }

    fn first_user(&self) {
        let link = std::fs::read_to_string(self.data().join("first-user")).expect("a link");
        let secret = link.trim().rsplit('#').next().expect("a secret");
        let body = json!({ "link": secret, "name": "anna", "password": PASSWORD });
        self.api("POST", "/first", Some(&body));
    }

    fn log_in(&self) {
        let body = json!({ "name": "anna", "password": PASSWORD });
        self.api("POST", "/login", Some(&body));
    }

    /// A file of this folder.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> PathBuf {
        self.data().join("tls/ca.pem")
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The address of its broker.
    pub fn broker(&self) -> String {
        format!("mqtts://localhost:{}", self.port + 1)
    }

    /// What its API answers, as the first user.
    ///
    /// # Panics
    /// When it refuses, or answers no JSON.
    #[track_caller]
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let jar = self.folder().join("cookies");
        let mut command = Command::new("curl");
        command
            .args(["-sS", "--fail-with-body", "--max-time", "60", "-X", method])
            .arg("--cacert")
            .arg(self.authority())
            .arg("-b")
            .arg(&jar)
            .arg("-c")
            .arg(&jar)
            .args(["-H", &format!("Origin: {}", self.url())])
            .args(["-H", "Content-Type: application/json"])
            .arg(format!("{}/api/v1{path}", self.url()));
        if let Some(body) = body {
            command.args(["-d", &body.to_string()]);
        }
        let done = command.output().expect("curl runs");
        let said = String::from_utf8_lossy(&done.stdout);
        let beside = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{method} {path}: {said} {beside}");
        serde_json::from_str(&said).unwrap_or(Value::Null)
    }

    /// The program, with the daemon as its server.
    pub fn bramble(&self, args: &[&str]) -> Done {
        let mut command = Command::new(binary());
        command
            .args(args)
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .env("BRAMBLE_SERVER", self.url());
        Running::start(&mut command).finish()
    }

    /// A button by that name with the template `lab`; what it is simulated with.
    ///
    /// # Panics
    /// When it can't be registered.
    pub fn button(&self, id: &str) -> PathBuf {
        let wish = json!({ "id": id, "profile": { "template": "lab", "teardown": true } });
        let made = self.api("POST", "/buttons", Some(&wish));
        let key = self.write("key", made["key"].as_str().expect("a key"));
        let settings = format!(
            "id: {id}\nkeyFile: {}\nbroker: {}\nauthority: {}\n",
            key.display(),
            self.broker(),
            self.authority().display()
        );
        self.write("button.yaml", &settings)
    }

    /// Presses a button: `short` or `long`.
    pub fn press(&self, settings: &Path, length: &str) -> Running {
        let mut command = Command::new(binary());
        command
            .args([
                "button",
                "simulate",
                "--once",
                "--yes",
                "--press",
                length,
                "--settings",
            ])
            .arg(settings)
            .env("HOME", self.folder());
        Running::start(&mut command)
    }

    /// Labs that are there, of this daemon's clusters.
    pub fn labs(&self) -> Vec<String> {
        labs(&self.prefix)
    }

    /// Waits until a run is as it should be.
    ///
    /// # Panics
    /// When it is not in time.
    pub fn until_run(&self, what: &str, run: &str, fits: impl Fn(&Value) -> bool) -> Value {
        wait::answer(what, crate::program::LIMIT, || {
            let run = self.api("GET", &format!("/runs/{run}"), None);
            match fits(&run) {
                true => Ok(run),
                false => Err(run.to_string()),
            }
        })
    }
}

fn turn() -> Option<MutexGuard<'static, ()>> {
    Some(ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner))
}

fn labs(prefix: &str) -> Vec<String> {
    let all = Lab::list(Path::new(DEFAULT_BASE)).into_iter();
    all.map(|lab| lab.name)
        .filter(|name| name.starts_with(prefix))
        .collect()
}

fn remove_labs(prefix: &str) {
    for name in labs(prefix) {
        if let Err(error) = Lab::down_by_name(Path::new(DEFAULT_BASE), &name, |_| {}) {
            eprintln!("lab {name} could not be removed: {error}");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // One that is gone already can't be told; a second panic would hide the first.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                running.signal("TERM");
                running.finish().said()
            }));
            if std::thread::panicking() {
                eprintln!("--- the daemon said:\n{}", ended.unwrap_or_default());
            }
        }
        // Runs are processes of their own, and end with what they work at.
        remove_labs(&self.prefix);
    }
}
