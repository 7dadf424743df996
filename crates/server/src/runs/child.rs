//! The process of a run. It outlives the daemon: it writes to files, and is known by a lock that it holds as
//! its standard input for as long as it lives.

use crate::files;
use crate::lifeline;
use bramble_store::record::{Origin, Verb};
use rustix::fs::{FlockOperation, flock};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The folder of all runs, below the daemon's.
const RUNS: &str = "runs";

/// Lines of what a run said that explain an end without events.
const EXPLAIN: usize = 6;

/// Whether any process of a run below the daemon's folder lives.
pub(crate) fn lives(data: &Path) -> io::Result<bool> {
    for name in folders(data)? {
        if Folder::of(data, &name).lives()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Names of the runs that have a folder below the daemon's.
pub(super) fn folders(data: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(data.join(RUNS)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().into_string()));
    // A name that is no text is no run's.
    names
        .filter_map(|name| name.map(Result::ok).transpose())
        .collect()
}

/// What a run's program is to do.
pub struct Task<'a> {
    /// Its verb.
    pub verb: Verb,
    /// Where the cluster's machines come from.
    pub origin: Option<Origin>,
    /// The cluster file.
    pub file: &'a str,
    /// The file that is written as long as the daemon leads, where there are several.
    pub lead: Option<&'a Path>,
}

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of that run below the daemon's.
    pub fn of(data: &Path, run: &str) -> Self {
        Self(data.join(RUNS).join(run))
    }

    /// Its events, a line each; they only grow.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// Everything else that it said.
    fn said(&self) -> PathBuf {
        self.0.join("stderr.log")
    }

    /// The last lines that its process said, as one sentence.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(self.said()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(EXPLAIN);
        match lines[from..].join("\n") {
            said if said.is_empty() => "it ended without a word".into(),
            said => said,
        }
    }

    fn file(&self) -> PathBuf {
        self.0.join("bramble.yaml")
    }

    fn process(&self) -> PathBuf {
        self.0.join("process")
    }

    /// Deletes all of it.
    pub fn delete(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether its process lives.
    pub fn lives(&self) -> io::Result<bool> {
        match files::private().read(true).write(true).open(self.process()) {
            Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => Ok(false),
                Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
                Err(error) => Err(error.into()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks its process to stop after the steps that it is at, as Ctrl-C does. Whether there was one.
    pub fn interrupt(&self) -> io::Result<bool> {
        if !self.lives()? {
            return Ok(false);
        }
        let text = std::fs::read_to_string(self.process())?;
        let number = text.trim().parse::<i32>().ok();
        let Some(process) = number.and_then(rustix::process::Pid::from_raw) else {
            return Ok(false);
        };
        rustix::process::kill_process(process, rustix::process::Signal::INT)?;
        Ok(true)
    }

    /// Starts the program.
    ///
    /// # Errors
    /// Why it could not; [`io::ErrorKind::WouldBlock`] where one lives already.
    pub fn start(&self, program: &Path, task: &Task<'_>) -> io::Result<std::process::Child> {
        files::folder(&self.0)?;
        let lock = files::private()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(self.process())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        // The number of an earlier try may be somebody else's by now.
        lock.set_len(0)?;
        files::write(&self.file(), task.file)?;
        let events = files::private()
            .create(true)
            .append(true)
            .open(self.events())?;
        let said = files::private()
            .create(true)
            .append(true)
            .open(self.said())?;
        let mut command = crate::program::command(program);
        if let Some(lead) = task.lead {
            command.env(lifeline::VARIABLE, lead);
        }
        let child = command
            .args(words(task.verb, task.origin))
            .args(["--yes", "--output", "json", "--file"])
            .arg(self.file())
            .current_dir(&self.0)
            // An open file's lock is the process's own from here on: this one's ends with the function.
            .stdin(Stdio::from(lock.try_clone()?))
            .stdout(Stdio::from(events))
            .stderr(Stdio::from(said))
            // Ctrl-C at the daemon's terminal is for the daemon.
            .process_group(0)
            .spawn()?;
        std::fs::write(self.process(), child.id().to_string())?;
        drop(lock);
        Ok(child)
    }
}

/// What the program is asked to do. Machines of a lab come and go with their cluster.
fn words(verb: Verb, origin: Option<Origin>) -> &'static [&'static str] {
    match (verb, origin) {
        (Verb::Up, Some(Origin::Lab)) => &["up", "--lab"],
        (Verb::Down, Some(Origin::Lab)) => &["down", "--lab"],
        (Verb::Up, Some(Origin::Ccp)) => &["ccp", "up"],
        (Verb::Down, Some(Origin::Ccp)) => &["ccp", "down"],
        (Verb::Up, Some(Origin::Pool) | None) => &["up"],
        (Verb::Down, Some(Origin::Pool) | None) => &["down"],
    }
}
