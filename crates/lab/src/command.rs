//! Programs of this computer: run with a time limit, their standard error kept for the message.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How much of standard error a message shows, in lines.
const TAIL_LINES: usize = 15;

/// Most programs here answer at once; what hangs this long is broken.
const SHORT: Duration = Duration::from_secs(30);

/// One run of a program.
pub(crate) struct Run<'a> {
    what: &'a str,
    command: Command,
    input: Option<String>,
    limit: Duration,
}

impl<'a> Run<'a> {
    /// `what` says in a message what the program was for.
    pub(crate) fn new<S: AsRef<std::ffi::OsStr>>(
        what: &'a str,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut command = Command::new(program);
        command.args(args).env("LC_ALL", "C.UTF-8");
        Self {
            what,
            command,
            input: None,
            limit: SHORT,
        }
    }

    pub(crate) fn input(mut self, text: String) -> Self {
        self.input = Some(text);
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it; its standard output.
    pub(crate) fn output(self) -> Result<String> {
        self.lines(|_| {})
    }

    /// Runs it, giving each line of standard error to `line` as it comes; its standard output.
    pub(crate) fn lines(mut self, mut line: impl FnMut(&str)) -> Result<String> {
        let shown = show(&self.command);
        let failed = |outcome: String, stderr: String| Error::Command {
            what: self.what.to_owned(),
            program: shown.clone(),
            outcome,
            stderr,
        };
        self.command
            .stdin(if self.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self
            .command
            .spawn()
            .map_err(|e| failed(format!("could not be started ({e})"), String::new()))?;
        let (tell, told) = std::sync::mpsc::channel::<String>();
        let mut stdin = child.stdin.take();
        let mut stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let input = self.input.take();
        let writer = std::thread::spawn(move || {
            if let (Some(pipe), Some(text)) = (stdin.as_mut(), input) {
                // A program that stops reading says why by its status.
                let _ = pipe.write_all(text.as_bytes());
            }
        });
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = stdout.as_mut() {
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let errors = std::thread::spawn(move || {
            let Some(pipe) = stderr else { return };
            let mut pipe = BufReader::new(pipe);
            let mut bytes = Vec::new();
            while matches!(pipe.read_until(b'\n', &mut bytes), Ok(n) if n > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                bytes.clear();
                if tell.send(text).is_err() {
                    return;
                }
            }
        });
        let mut tail: Vec<String> = Vec::new();
        let mut keep = |text: String| {
            line(&text);
            tail.push(text);
            if tail.len() > TAIL_LINES {
                tail.remove(0);
            }
        };
        let status = wait(&mut child, self.limit, || {
            while let Ok(text) = told.try_recv() {
                keep(text);
            }
        });
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(
                format!("did not end within {} s", self.limit.as_secs()),
                tail.join("\n"),
            ));
        }
        let _ = (writer.join(), errors.join());
        let output = reader.join().unwrap_or_default();
        told.try_iter().for_each(&mut keep);
        match status {
            Some(status) if status.success() => Ok(output),
            Some(status) => Err(failed(format!("failed ({status})"), tail.join("\n"))),
            None => Ok(output),
        }
    }
}

/// Runs a program; its standard output.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(
    what: &str,
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> Result<String> {
    Run::new(what, program, args).output()
}

/// Waits for the program's end with growing pauses (1 to 20 ms); `None` after the limit.
fn wait(
    child: &mut Child,
    limit: Duration,
    mut meanwhile: impl FnMut(),
) -> Option<std::process::ExitStatus> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        meanwhile();
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if begin.elapsed() > limit {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Whether a program is in the search path.
pub(crate) fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_end_of_standard_error() {
        let text = run("test", "sh", ["-c", "echo out; echo why >&2; exit 3"])
            .unwrap_err()
            .to_string();
        assert!(text.contains("test: `sh -c"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.ends_with("why"), "{text}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let text = Run::new("test", "sleep", ["60"])
            .limit(Duration::from_millis(50))
            .output()
            .unwrap_err()
            .to_string();
        assert!(text.contains("did not end"), "{text}");
    }

    #[test]
    fn input_arrives_and_output_returns() {
        let text = Run::new("test", "cat", [""; 0])
            .input("text".into())
            .output()
            .unwrap();
        assert_eq!(text, "text");
    }
}
