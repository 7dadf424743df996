//! Clients that ask all the time: the API through its shared address, who has that address by ARP, and a
//! service with several replicas.

use bramble_tests::Site;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(100);
/// More than any test asks.
const MOST: usize = 20_000;

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When it was made.
    pub at: Instant,
    /// When it was answered.
    pub done: Instant,
    /// What was wrong, if it was.
    pub failed: Option<String>,
}

/// Asks one address after the other until it is dropped.
pub struct Client {
    all: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Asks these addresses in turn; each must answer within the limit.
    pub fn new(urls: Vec<String>, limit: Duration) -> Self {
        for url in &urls {
            assert!(url.contains("//10.78."), "{url} is none of the lab's");
        }
        let all = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&all), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for url in urls.iter().cycle().take(MOST) {
                if until.load(Ordering::Relaxed) {
                    break;
                }
                let at = Instant::now();
                let failed = ask(url, limit).err();
                let done = Instant::now();
                lock(&into).push(Asked { at, done, failed });
                std::thread::sleep(PAUSE);
            }
        });
        Self {
            all,
            stop,
            thread: Some(thread),
        }
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.all).clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn ask(url: &str, limit: Duration) -> Result<(), String> {
    let seconds = limit.as_secs_f32().to_string();
    let done = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--insecure",
            "--noproxy",
            "*",
        ])
        .args(["--output", "/dev/null", "--max-time", &seconds, url])
        .output()
        .map_err(|e| e.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
}

/// Programs that ask by ARP, each once a second.
const ASKING: u32 = 4;

/// Asks by ARP who has an address, several times a second.
pub struct Owners {
    children: Vec<Child>,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Owners {
    /// Of an address of the lab's.
    pub fn new(site: &Site, address: &str) -> Self {
        assert!(
            address.starts_with("10.78."),
            "{address} is none of the lab's"
        );
        let way = Command::new("ip")
            .args(["-o", "route", "get", address])
            .output()
            .expect("ip runs");
        let way = String::from_utf8_lossy(&way.stdout).into_owned();
        let bridge = way.split_whitespace().skip_while(|w| *w != "dev").nth(1);
        let bridge = bridge.expect("an interface of the lab").to_owned();
        assert!(
            bridge.starts_with("brl-"),
            "{} is reached by {bridge}",
            site.name()
        );
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut children = Vec::new();
        for _ in 0..ASKING {
            children.push(asking(&bridge, address, Arc::clone(&lines)));
            // Their questions are spread over the second.
            std::thread::sleep(Duration::from_secs(1) / ASKING);
        }
        Self { children, lines }
    }

    /// Who answered since then, a new entry where the owner changed.
    pub fn since(&self, begin: Instant) -> Vec<String> {
        let lines = lock(&self.lines);
        let mut out: Vec<String> = Vec::new();
        for (_, owner) in lines.iter().filter(|(at, _)| *at >= begin) {
            if out.last() != Some(owner) {
                out.push(owner.clone());
            }
        }
        out
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One program that asks; whoever answers is written down.
fn asking(bridge: &str, address: &str, into: Arc<Mutex<Vec<(Instant, String)>>>) -> Child {
    let mut child = Command::new("arping")
        .args(["-b", "-w", "600", "-I", bridge, address])
        .stdout(Stdio::piped())
        .spawn()
        .expect("arping runs (iputils-arping)");
    let out = child.stdout.take().expect("its output");
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let owner = line.split(['[', ']']).nth(1).map(str::to_lowercase);
            if let Some(owner) = owner {
                lock(&into).push((Instant::now(), owner));
            }
        }
    });
    child
}
