//! The real program: started, watched, killed.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long any call of the program may take.
pub const LIMIT: Duration = Duration::from_secs(400);

/// The program under test: `BRAMBLE_BIN`, or what cargo built beside this test.
///
/// # Panics
/// When there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("BRAMBLE_BIN") {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "BRAMBLE_BIN names {}, which is no file",
            path.display()
        );
        return path;
    }
    // target/<profile>/deps/main-<hash>
    let own = std::env::current_exe().expect("a running test has a path");
    let path = own
        .ancestors()
        .nth(2)
        .map(|profile| profile.join("bramble"))
        .unwrap_or_default();
    assert!(
        path.is_file(),
        "there is no {}: build it first (cargo build -p bramble), or name it in BRAMBLE_BIN",
        path.display()
    );
    path
}

/// How a call ended.
#[derive(Debug)]
pub struct Done {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Done {
    /// Asserts the exit code; gives the call back.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code {:?} (signal {:?}) instead of {code} after {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            self.signal,
            self.took,
            tail(&self.stdout),
            tail(&self.stderr)
        );
        self
    }

    /// Standard output as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("no JSON ({e}):\n{}\n{}", self.stdout, tail(&self.stderr)))
    }

    /// Everything that was said.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Asserts that a text was said.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.said().contains(text),
            "{text:?} was not said:\n{}",
            self.said()
        );
        self
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// A call that is under way.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stdout: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    stderr: Arc<Mutex<String>>,
    begun: Instant,
}

impl Running {
    /// Starts a program with its output captured.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (sender, lines) = channel();
        let stdout = Arc::new(Mutex::new(String::new()));
        let stderr = Arc::new(Mutex::new(String::new()));
        let mut readers = Vec::new();
        if let Some(out) = child.stdout.take() {
            let all = Arc::clone(&stdout);
            readers.push(std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    push(&all, &format!("{line}\n"));
                    // The receiver may be gone; the text is kept anyway.
                    let _ = sender.send(line);
                }
            }));
        }
        if let Some(mut out) = child.stderr.take() {
            let all = Arc::clone(&stderr);
            readers.push(std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                // What was read before a failure is all there is.
                while let Ok(count @ 1..) = out.read(&mut bytes) {
                    push(&all, &String::from_utf8_lossy(&bytes[..count]));
                }
            }));
        }
        Self {
            child,
            lines,
            stdout,
            readers,
            stderr,
            begun: Instant::now(),
        }
    }

    /// Waits for an event (`--output json`) that fits; gives it.
    ///
    /// # Panics
    /// When the program ends before, or the limit is over.
    pub fn event(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(event) = serde_json::from_str(&line).ok().filter(&fits) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no event {what} within {LIMIT:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!(
                    "the program ended before {what}:\n{}\n{}",
                    tail(&text(&self.stdout)),
                    tail(&text(&self.stderr))
                ),
            }
        }
    }

    /// Waits until a text was said on standard error.
    ///
    /// # Panics
    /// When it is not within three minutes.
    pub fn said(&self, what: &str) {
        crate::until(what, Duration::from_secs(180), || {
            text(&self.stderr).contains(what)
        });
    }

    /// Sends a signal (`INT`, `KILL`).
    ///
    /// # Panics
    /// When the program is gone already.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.is_ok_and(|s| s.success()), "{name} could not be sent");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than [`LIMIT`].
    pub fn finish(mut self) -> Done {
        let status = self.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Done {
            code: status.code(),
            signal: status.signal(),
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            took: self.begun.elapsed(),
        }
    }

    fn wait(&mut self) -> ExitStatus {
        while self.begun.elapsed() < LIMIT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "the program did not end within {LIMIT:?}:\n{}",
            tail(&text(&self.stdout))
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to kill where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn push(all: &Mutex<String>, text: &str) {
    all.lock().unwrap_or_else(|e| e.into_inner()).push_str(text);
}

fn text(all: &Mutex<String>) -> String {
    all.lock().unwrap_or_else(|e| e.into_inner()).clone()
}
