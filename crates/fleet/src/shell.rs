//! A root shell on a machine, reading its program from stdin.

use crate::connection::Connection;
use crate::program::{Output, Stdin, frame, marker, nonce};
use crate::run::{Exit, Session};
use crate::{Error, Sudo};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

/// sudo and PAM are slow on small machines and after a wrong password, but not slower than this.
const SUDO_LIMIT: Duration = Duration::from_secs(30);

/// A channel on which a root shell was asked for.
pub(crate) struct Shell<'a> {
    session: &'a Session,
    read: ChannelReadHalf,
    pub(crate) write: Arc<ChannelWriteHalf<Msg>>,
    pub(crate) output: Output,
    pub(crate) exit: Option<Exit>,
    /// Closed by the machine.
    over: bool,
    refused: bool,
    nonce: String,
    _turn: Option<SemaphorePermit<'a>>,
}

/// Whether a shell takes one of the connection's turns (sshd's `MaxSessions`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Waits until fewer programs run on the connection.
    Wait,
    /// For what lasts, or must not wait.
    Beside,
}

impl<'a> Shell<'a> {
    /// Asks for a shell. Nothing is waited for but the channel and, with a sudo password, sudo.
    pub(crate) async fn start(
        session: &'a Session,
        what: &str,
        turn: Turn,
        pid: Arc<AtomicU32>,
    ) -> Result<Self, Error> {
        let connection: &Connection = &session.connection;
        let turn = match turn {
            Turn::Wait => connection.sessions.acquire().await.ok(),
            Turn::Beside => None,
        };
        let nonce = nonce();
        let prompt = format!("{nonce}-password:");
        let command = match &session.sudo {
            Sudo::No => "exec sh -s".to_owned(),
            Sudo::Passwordless => "exec sudo -n -- sh -s".to_owned(),
            // The shell must say that it runs before anything is sent: what sudo doesn't take as a password
            // would be the shell's, and what the shell should get might be taken as a password.
            Sudo::Password(_) => format!(
                "exec sudo -S -p '{prompt}' -- sh -c '{}; exec sh -s'",
                marker(&nonce)
            ),
        };
        let channel = connection
            .handle
            .channel_open_session()
            .await
            .map_err(|error| connection.not_opened(&format!("open a channel for {what}"), error))?;
        let (read, write) = channel.split();
        write
            .exec(true, command)
            .await
            .map_err(|_| connection.closed(what))?;
        let mut shell = Self {
            session,
            read,
            write: Arc::new(write),
            output: Output::new(nonce.clone(), pid),
            exit: None,
            over: false,
            refused: false,
            nonce,
            _turn: turn,
        };
        if let Sudo::Password(password) = &session.sudo {
            if password.expose().contains('\n') {
                return Err(session.sudo_error(
                    "the sudo password has more than one line",
                    "remove the newline at its end",
                ));
            }
            let line = format!("{}\n", password.expose());
            match timeout(SUDO_LIMIT, shell.authorize(&prompt, line.into_bytes())).await {
                Ok(result) => result?,
                Err(_) => {
                    let said = shell.output.said_instead();
                    let _ = shell.write.close().await;
                    return Err(session.sudo_error(
                        &format!("sudo did not come to an end within {SUDO_LIMIT:?}: {said}"),
                        "it may ask for more than a password (see its PAM configuration)",
                    ));
                }
            }
        }
        Ok(shell)
    }

    /// Gives sudo the password when it asks, and waits until the shell runs.
    async fn authorize(&mut self, prompt: &str, password: Vec<u8>) -> Result<(), Error> {
        let mut password = Some(password);
        let mut wrong = false;
        loop {
            if self.output.started() {
                return Ok(());
            }
            if self.output.take_from_err(prompt) {
                match password.take() {
                    // An error shows as the end of the channel.
                    Some(password) => drop(self.write.data_bytes(password).await),
                    None => {
                        wrong = true;
                        let _ = self.write.eof().await;
                    }
                }
            }
            if !self.step(&mut |_| {}).await {
                let said = self.output.said_instead();
                return Err(match (wrong, self.exit.is_some()) {
                    (true, _) => self.session.sudo_error(
                        &format!("sudo did not accept the password: {said}"),
                        "check the sudo password given for this machine",
                    ),
                    (false, true) => self.session.no_sudo(&said),
                    (false, false) => self.ended("sudo"),
                });
            }
        }
    }

    /// What is to be sent for a program.
    pub(crate) fn text(&self, program: &[u8], stdin: Stdin) -> Vec<u8> {
        let mut text = match self.session.sudo {
            Sudo::Password(_) => Vec::new(),
            _ => format!("{}\n", marker(&self.nonce)).into_bytes(),
        };
        text.extend(frame(program, stdin));
        text
    }

    /// Sends while it receives, until `enough`, the end of the channel, or an error of `sending`.
    pub(crate) async fn drive(
        &mut self,
        sending: impl Future<Output = Result<(), Error>>,
        on_line: &mut (dyn FnMut(&str) + Send),
        mut enough: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        tokio::pin!(sending);
        let mut sent = false;
        loop {
            tokio::select! {
                result = &mut sending, if !sent => {
                    result?;
                    sent = true;
                }
                open = self.step(on_line) => if !open {
                    return Ok(());
                },
            }
            // Only when all is sent: the rest of the program would get lost.
            if sent && enough() {
                return Ok(());
            }
        }
    }

    /// Takes one message; false at the end of the channel. Can be cancelled without loss.
    async fn step(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) -> bool {
        if self.over {
            return false;
        }
        match self.read.wait().await {
            Some(ChannelMsg::Data { data }) => self.output.out(&data, on_line),
            Some(ChannelMsg::ExtendedData { data, .. }) => self.output.err(&data),
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                self.exit = Some(Exit::Code(exit_status as i32));
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                self.exit = Some(Exit::Signal(format!("{signal_name:?}")));
            }
            Some(ChannelMsg::Failure) => {
                self.refused = true;
                self.over = true;
            }
            Some(ChannelMsg::Close) | None => self.over = true,
            Some(_) => {}
        }
        if self.over {
            self.output.finish(on_line);
        }
        !self.over
    }

    /// How the program ended, after [`Self::drive`] came to the end of the channel.
    pub(crate) fn outcome(&mut self, what: &str) -> Result<Exit, Error> {
        match self.exit.take() {
            _ if self.refused => Err(Error::Refused {
                machine: self.session.machine.clone(),
                address: self.session.connection.address.clone(),
                what: format!("start a shell for {what}"),
                cause: "its sshd refused the exec request".to_owned(),
            }),
            Some(exit) if self.output.started() => Ok(exit),
            Some(_) if self.session.sudo != Sudo::No => {
                Err(self.session.no_sudo(&self.output.said_instead()))
            }
            Some(exit) => Err(Error::Refused {
                machine: self.session.machine.clone(),
                address: self.session.connection.address.clone(),
                what: format!("start a shell for {what}"),
                cause: format!(
                    "it ended with {exit} at once: {}",
                    self.output.said_instead()
                ),
            }),
            None => Err(self.ended(what)),
        }
    }

    fn ended(&self, what: &str) -> Error {
        self.session.connection.closed(what)
    }
}

impl Drop for Shell<'_> {
    /// A channel that is given up is closed, so that what runs there sees the end of its stdin.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let write = self.write.clone();
            runtime.spawn(async move { write.close().await });
        }
    }
}

/// Sends bytes, and the end of file when that was all. A channel that is gone shows on the reading side.
pub(crate) async fn send(
    write: Arc<ChannelWriteHalf<Msg>>,
    bytes: Vec<u8>,
    end: bool,
) -> Result<(), Error> {
    if write.data_bytes(bytes).await.is_ok() && end {
        let _ = write.eof().await;
    }
    Ok(())
}
