//! Programs that run to their end.

use crate::connection::Connection;
use crate::program::Stdin;
use crate::shell::{Shell, Turn, send};
use crate::{Error, Sudo, Target};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long ending a program that passed its limit may take.
const END_LIMIT: Duration = Duration::from_secs(8);

/// Ends the process group of PID. dash, Debian's sh, takes a group after `--` only with `-s`; and `kill -0` also finds processes that have ended but that init hasn't collected.
const END_PROGRAM: &str = r#"g=$(cut -d' ' -f5 /proc/PID/stat 2>/dev/null) || exit 0
[ -n "$g" ] || exit 0
left() { cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | grep -q "^[^Z] [0-9]* $g "; }
kill -s TERM -- "-$g" 2>/dev/null
n=0
while left; do
  n=$((n+1))
  [ "$n" != 30 ] || kill -s KILL -- "-$g" 2>/dev/null
  [ "$n" -le 40 ] || exit 1
  sleep 0.1
done
"#;

/// A machine that is connected. Clones share the connection.
#[derive(Clone)]
pub struct Session {
    pub(crate) connection: Arc<Connection>,
    pub(crate) machine: String,
    pub(crate) sudo: Sudo,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By a signal, named without `SIG`.
    Signal(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(name) => write!(f, "signal {name}"),
        }
    }
}

/// A program that ran to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output, up to 16 MiB.
    pub stdout: Vec<u8>,
    /// Whether there was more output than `stdout` holds.
    pub truncated: bool,
    /// The last 64 KiB of its standard error.
    pub stderr: Vec<u8>,
    /// From the request to the end.
    pub elapsed: Duration,
}

impl Finished {
    /// Whether it ended with exit code 0.
    pub fn success(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// The last `lines` non-empty lines of standard error, for messages.
    pub fn stderr_tail(&self, lines: usize) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let all: Vec<_> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Session {
    pub(crate) fn new(connection: Arc<Connection>, target: &Target) -> Self {
        Self {
            connection,
            machine: target.name.clone(),
            sudo: target.sudo.clone(),
        }
    }

    /// The target's name.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Whether the connection can still be used. When not, ask the fleet for a new one.
    pub fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// Runs a POSIX sh program as root. It is sent over stdin to `sh -s`, through sudo when the target says so.
    /// The program's commands find nothing on stdin. Each line of stdout goes to `on_line` as it comes (bytes
    /// that are no UTF-8 replaced); `on_line` must be quick, the connection waits for it.
    ///
    /// `what` names the program in errors. When `limit` passes, or the returned future is dropped, the program
    /// and its process group are ended on the machine.
    ///
    /// A program whose connection is cut goes on by itself, until it ends or writes to its output: let programs
    /// that must not overlap hold a lock (see [`Session::hold`]).
    ///
    /// A program that starts something in the background must redirect its output: the end of the output is
    /// waited for, as ssh does.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`], [`Error::Sudo`], [`Error::Refused`] when no shell starts, and [`Error::Closed`] when
    /// the connection ends. An exit code other than 0 is no error.
    pub async fn run(
        &self,
        program: &[u8],
        limit: Duration,
        what: &str,
        mut on_line: impl FnMut(&str) + Send,
    ) -> Result<Finished, Error> {
        let pid = Arc::new(AtomicU32::new(0));
        let mut guard = EndOnDrop {
            session: Some(self.clone()),
            pid: pid.clone(),
        };
        let mut last = String::new();
        let result = timeout(
            limit,
            self.execute(program, what, Turn::Wait, &pid, &mut |line| {
                if !line.is_empty() {
                    last.clear();
                    last.push_str(line);
                }
                on_line(line);
            }),
        )
        .await;
        guard.session = None;
        match result {
            Ok(result) => result,
            Err(_) => {
                let ended = self.end(&pid).await;
                Err(Error::TimedOut {
                    machine: self.machine.clone(),
                    address: self.connection.address.clone(),
                    what: what.to_owned(),
                    limit,
                    note: limit_note(&pid, ended, &last),
                    unreachable: false,
                })
            }
        }
    }

    pub(crate) async fn execute(
        &self,
        program: &[u8],
        what: &str,
        turn: Turn,
        pid: &Arc<AtomicU32>,
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Finished, Error> {
        let start = Instant::now();
        let mut shell = Shell::start(self, what, turn, pid.clone()).await?;
        let text = shell.text(program, Stdin::Empty);
        let sending = send(shell.write.clone(), text, true);
        shell.drive(sending, on_line, || false).await?;
        let exit = shell.outcome(what)?;
        Ok(Finished {
            exit,
            stderr: shell.output.stderr_tail().to_vec(),
            truncated: shell.output.truncated,
            stdout: std::mem::take(&mut shell.output.stdout),
            elapsed: start.elapsed(),
        })
    }

    /// Ends a program by the process group of its shell: TERM, then KILL. True when it is gone.
    ///
    /// Not by SSH's signal request: sshd refuses that for root, and a closed channel alone only ends
    /// programs that write. Boxed because it runs a program itself.
    pub(crate) fn end(&self, pid: &AtomicU32) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        let pid = pid.load(Ordering::Relaxed);
        Box::pin(async move {
            if pid == 0 || !self.is_open() {
                return false;
            }
            let program = END_PROGRAM.replace("PID", &pid.to_string());
            let none = Arc::new(AtomicU32::new(0));
            let mut no_lines = |_: &str| {};
            let work = self.execute(
                program.as_bytes(),
                "ending a program",
                Turn::Beside,
                &none,
                &mut no_lines,
            );
            matches!(timeout(END_LIMIT, work).await, Ok(Ok(finished)) if finished.success())
        })
    }

    pub(crate) fn sudo_error(&self, cause: &str, remedy: &str) -> Error {
        Error::Sudo {
            machine: self.machine.clone(),
            user: self.connection.user.clone(),
            cause: cause.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    /// The error for a sudo that ended without having started a shell.
    pub(crate) fn no_sudo(&self, said: &str) -> Error {
        let user = &self.connection.user;
        let remedy = match &self.sudo {
            Sudo::Password(_) => {
                format!("let {user} run all commands in the sudoers file, or log in as root")
            }
            _ => format!(
                "give `{user} ALL=(ALL) NOPASSWD:ALL` in the sudoers file, give the sudo password, or log in as root"
            ),
        };
        self.sudo_error(said, &remedy)
    }
}

fn limit_note(pid: &AtomicU32, ended: bool, last: &str) -> String {
    let mut note = match (pid.load(Ordering::Relaxed), ended) {
        (0, _) => "; it had not started".to_owned(),
        (_, true) => "; it was ended".to_owned(),
        (_, false) => "; it may still be running there".to_owned(),
    };
    if !last.is_empty() {
        let last: String = last.chars().take(200).collect();
        note.push_str(&format!("; its last line was: {last}"));
    }
    note
}

/// Ends the program when the future that waits for it is dropped.
struct EndOnDrop {
    session: Option<Session>,
    pid: Arc<AtomicU32>,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        let (Some(session), Ok(runtime)) =
            (self.session.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let pid = self.pid.clone();
        runtime.spawn(async move { session.end(&pid).await });
    }
}
