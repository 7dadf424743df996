//! Programs that live as long as someone here wants them to: locks.

use crate::program::Stdin;
use crate::run::{Exit, Session};
use crate::shell::{Shell, Turn, send};
use crate::{Error, pool};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// How long a program may take to end after the end of its stdin, before it is made to.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);
const WHAT: &str = "a held program";

/// A program that runs until this is dropped, or the connection ends.
pub struct Held {
    /// Dropping it lets the task close the program's stdin.
    _stop: oneshot::Sender<()>,
    over: watch::Receiver<bool>,
}

impl Held {
    /// Whether the program still runs, as far as is known here.
    pub fn is_held(&self) -> bool {
        !*self.over.borrow()
    }

    /// Waits until the program has ended: by itself, or with the connection.
    pub async fn lost(&self) {
        // An error means that the task is gone, which is the same.
        let _ = self.over.clone().wait_for(|over| *over).await;
    }

    /// Closes the program's stdin and waits until it has ended, some seconds at most (then it is killed).
    /// Dropping does the same without waiting.
    pub async fn release(self) {
        let over = self.over.clone();
        drop(self);
        let mut over = over;
        let _ = over.wait_for(|over| *over).await;
    }
}

impl Session {
    /// Runs a POSIX sh program as root that is to live as long as the returned handle: its stdin is kept
    /// open and empty, so that a last command `cat >/dev/null` (or `read`) waits for the release. The
    /// first line of its stdout is returned; what it prints later is dropped.
    ///
    /// The program also sees the end of its stdin when the connection ends.
    ///
    /// # Errors
    ///
    /// As [`Session::run`]; [`Error::Refused`] with its stderr when it ends before its first line, and
    /// [`Error::TimedOut`] when that line doesn't come within `first_line_limit`.
    pub async fn hold(
        &self,
        program: &[u8],
        first_line_limit: Duration,
    ) -> Result<(String, Held), Error> {
        let (stop, stopped) = oneshot::channel();
        let (say_over, over) = watch::channel(false);
        let (say_first, first) = oneshot::channel();
        let session = self.clone();
        let program = program.to_vec();
        let task = tokio::spawn(async move {
            session.held(&program, say_first, stopped).await;
            let _ = say_over.send(true);
        });
        match timeout(first_line_limit, first).await {
            Ok(Ok(Ok(line))) => Ok((line, Held { _stop: stop, over })),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) => Err(Error::Panicked {
                machine: self.machine.clone(),
                what: "holding a program".to_owned(),
                message: match task.await {
                    Ok(()) => "no answer".to_owned(),
                    Err(error) => pool::panic_message(error),
                },
            }),
            Err(_) => Err(self
                .connection
                .timed_out(format!("the first line of {WHAT}"), first_line_limit)),
        }
    }

    async fn held(
        &self,
        program: &[u8],
        say_first: oneshot::Sender<Result<String, Error>>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let pid = Arc::new(AtomicU32::new(0));
        let begun = tokio::select! {
            begun = self.begin_held(program, &pid) => begun,
            // Nobody waits for the line any more.
            _ = &mut stopped => {
                self.end(&pid).await;
                return;
            }
        };
        let mut shell = match begun {
            Ok((line, shell)) => {
                let _ = say_first.send(Ok(line));
                shell
            }
            Err(error) => {
                let _ = say_first.send(Err(error));
                return;
            }
        };
        let mut no_lines = |_: &str| {};
        tokio::select! {
            _ = shell.drive(std::future::pending(), &mut no_lines, || false) => return,
            _ = &mut stopped => {}
        }
        let _ = shell.write.eof().await;
        let rest = shell.drive(std::future::pending(), &mut no_lines, || false);
        if timeout(RELEASE_LIMIT, rest).await.is_err() {
            self.end(&pid).await;
        }
    }

    async fn begin_held(
        &self,
        program: &[u8],
        pid: &Arc<AtomicU32>,
    ) -> Result<(String, Shell<'_>), Error> {
        let mut shell = Shell::start(self, WHAT, Turn::Beside, pid.clone()).await?;
        let text = shell.text(program, Stdin::Ours);
        let first = OnceLock::new();
        let sending = send(shell.write.clone(), text, false);
        let mut on_line = |line: &str| {
            let _ = first.set(line.to_owned());
        };
        shell
            .drive(sending, &mut on_line, || first.get().is_some())
            .await?;
        match first.into_inner() {
            Some(line) => Ok((line, shell)),
            None => {
                let exit: Exit = shell.outcome(WHAT)?;
                Err(Error::Refused {
                    machine: self.machine.clone(),
                    address: self.connection.address.clone(),
                    what: "hold a program".to_owned(),
                    cause: format!(
                        "it ended with {exit} before its first line: {}",
                        shell.output.said_instead()
                    ),
                })
            }
        }
    }
}
