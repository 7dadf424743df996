//! External programs: bounded, their output told as events and kept in a log.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::event::Sink;
use crate::{Error, Event};

/// How many lines of output an error shows.
const TAIL: usize = 20;

/// Longer lines are cut: they are shown on a terminal and in errors.
const LINE: usize = 400;

/// One run of a program.
pub(crate) struct Run<'a> {
    pub stage: &'a str,
    /// Both output streams are appended to this file.
    pub log: &'a Path,
    pub limit: Duration,
    pub events: Sink<'a>,
}

impl Run<'_> {
    /// Runs the program to its end.
    pub(crate) async fn run(&self, command: &mut Command) -> Result<(), Error> {
        let program = shown(command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Compilers have children: on a time-out the whole group ends.
            .process_group(0)
            .kill_on_drop(true);
        let spawned = command.spawn();
        let mut child = spawned.map_err(|source| Error::Spawn {
            stage: self.stage.into(),
            program: program.clone(),
            source,
        })?;
        let _group = Group::of(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut log = tokio::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log)
            .await
            .map_err(Error::io("open", self.log))?;
        let mut tail = VecDeque::new();
        let ended = tokio::time::timeout(self.limit, async {
            let (send, mut lines) = tokio::sync::mpsc::channel(64);
            let read = async move {
                tokio::join!(read_lines(stdout, send.clone()), read_lines(stderr, send));
            };
            let take = async {
                while let Some(line) = lines.recv().await {
                    // A log that can't be written is no reason to stop a build.
                    let _ = log.write_all(format!("{line}\n").as_bytes()).await;
                    (self.events)(Event::Output {
                        stage: self.stage.into(),
                        line: line.clone(),
                    });
                    tail.push_back(line);
                    if tail.len() > TAIL {
                        tail.pop_front();
                    }
                }
            };
            tokio::join!(read, take);
            child.wait().await
        })
        .await;
        let _ = log.flush().await;
        let outcome = match ended {
            Ok(Ok(status)) if status.success() => return Ok(()),
            Ok(Ok(status)) => format!("ended with {status}"),
            Ok(Err(e)) => format!("could not be waited for ({e})"),
            Err(_) => format!("did not end within {} s", self.limit.as_secs()),
        };
        Err(Error::Command {
            stage: self.stage.into(),
            program,
            outcome,
            tail: Vec::from(tail).join("\n"),
            log: self.log.into(),
        })
    }
}

/// Kills a program's group when it goes out of scope.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(rustix::process::Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // No such group is the usual case: everything has ended.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

async fn read_lines(from: Option<impl AsyncRead + Unpin>, to: tokio::sync::mpsc::Sender<String>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    // Bytes, not `lines()`: a compiler may print anything.
    while from.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        let text: String = text.trim_end().chars().take(LINE).collect();
        if !text.is_empty() && to.send(text).await.is_err() {
            return;
        }
        line.clear();
    }
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    let text = words.join(" ");
    match text.char_indices().nth(120) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(text: &str, limit: Duration) -> (Result<(), Error>, String, Vec<Event>) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let events = std::sync::Mutex::new(Vec::new());
        let run = Run {
            stage: "trial",
            log: &log,
            limit,
            events: &|e| events.lock().unwrap().push(e),
        };
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        let result = run.run(&mut command).await;
        let log = std::fs::read_to_string(&log).unwrap();
        (result, log, events.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_failure_shows_how_it_ended_and_its_last_lines() {
        let text =
            "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo line $i; done; echo why >&2; exit 3";
        let (result, log, events) = sh(text, Duration::from_secs(20)).await;
        let message = result.unwrap_err().to_string();
        assert!(
            message.contains("exit status: 3") && message.contains("why"),
            "{message}"
        );
        assert!(
            message.contains("line 50") && !message.contains("line 2\n"),
            "{message}"
        );
        assert!(log.contains("line 2\n") && log.contains("why"), "{log}");
        assert_eq!(events.len(), 51);
    }

    #[tokio::test]
    async fn at_the_limit_the_whole_group_ends() {
        let (result, log, _) = sh("sleep 600 & echo $!; wait", Duration::from_secs(1)).await;
        let message = result.unwrap_err().to_string();
        assert!(message.contains("did not end within 1 s"), "{message}");
        // Killed, though perhaps not collected yet by whoever inherited it.
        let stat = format!("/proc/{}/stat", log.trim());
        let gone = || match std::fs::read_to_string(&stat) {
            Ok(text) => text.contains(") Z"),
            Err(_) => true,
        };
        let since = std::time::Instant::now();
        while !gone() {
            assert!(
                since.elapsed() < Duration::from_secs(20),
                "sleep still runs"
            );
            tokio::task::yield_now().await;
        }
    }
}
