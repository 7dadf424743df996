//! A terminal, or a command with this process's standard input and output.

use crate::Error;
use crate::run::Session;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelWriteHalf};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::Read;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, stderr, stdout};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long the machine may take to open the channel.
const OPEN_LIMIT: Duration = Duration::from_secs(20);

impl Session {
    /// A shell of the login user (no sudo) in a terminal, or `command` with stdin, stdout and stderr passed through.
    /// The terminal is in raw mode meanwhile and put back afterwards; changes of its size are passed on. Without
    /// a terminal on stdin the shell gets none either. Returns the exit code (128 + 9 and the like aren't known over
    /// SSH: a signal counts as 255).
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::Closed`], [`Error::TimedOut`] for the channel, [`Error::Io`] for the terminal.
    pub async fn interactive(&self, command: Option<&str>) -> Result<i32, Error> {
        let connection = &self.connection;
        let channel = match timeout(OPEN_LIMIT, connection.handle.channel_open_session()).await {
            Ok(channel) => {
                channel.map_err(|error| connection.not_opened("open a channel", error))?
            }
            Err(_) => return Err(connection.timed_out("opening a channel", OPEN_LIMIT)),
        };
        let (mut read, write) = channel.split();
        let gone = |_| connection.closed("starting a shell");
        let terminal = command.is_none() && isatty(rustix::stdio::stdin());
        if terminal {
            let (columns, rows) = size();
            let term = std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned());
            write
                .request_pty(false, &term, columns, rows, 0, 0, &[])
                .await
                .map_err(gone)?;
        }
        match command {
            Some(command) => write.exec(true, command).await.map_err(gone)?,
            None => write.request_shell(true).await.map_err(gone)?,
        }
        let _raw = match terminal {
            true => Some(Raw::begin()?),
            false => None,
        };
        let mut resized = signal(SignalKind::window_change())
            .map_err(|error| Error::io("SIGWINCH can't be watched", error))?;
        let mut input = Input::begin()?;
        let (mut out, mut err) = (stdout(), stderr());
        let failed = |error| Error::io("standard output can't be written", error);
        let mut exit = None;
        // Apart from reading: a machine that takes no input must not keep its output from us.
        let sending = forward_input(&mut input, &write, &mut resized, terminal);
        tokio::pin!(sending);
        let mut sent = false;
        loop {
            let message = tokio::select! {
                message = read.wait() => message,
                () = &mut sending, if !sent => {
                    sent = true;
                    continue;
                }
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    out.write_all(&data).await.map_err(failed)?;
                    out.flush().await.map_err(failed)?;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    err.write_all(&data).await.map_err(failed)?;
                    err.flush().await.map_err(failed)?;
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => exit = Some(exit_status as i32),
                Some(ChannelMsg::ExitSignal { .. }) => exit = Some(255),
                Some(ChannelMsg::Failure) => {
                    return Err(Error::Refused {
                        machine: self.machine.clone(),
                        address: connection.address.clone(),
                        what: "start a shell".to_owned(),
                        cause: "its sshd refused the request".to_owned(),
                    });
                }
                Some(ChannelMsg::Close) | None => break,
                Some(_) => {}
            }
        }
        exit.ok_or_else(|| connection.closed("a shell ran"))
    }
}

async fn forward_input(
    input: &mut Input,
    write: &ChannelWriteHalf<Msg>,
    resized: &mut Signal,
    terminal: bool,
) {
    loop {
        tokio::select! {
            piece = input.pieces.recv() => match piece {
                Some(piece) => if write.data_bytes(piece).await.is_err() {
                    return;
                },
                None => {
                    let _ = write.eof().await;
                    return;
                }
            },
            Some(()) = resized.recv(), if terminal => {
                let (columns, rows) = size();
                if write.window_change(columns, rows, 0, 0).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Columns and rows of our terminal.
fn size() -> (u32, u32) {
    match tcgetwinsize(rustix::stdio::stdin()) {
        Ok(size) if size.ws_col > 0 => (u32::from(size.ws_col), u32::from(size.ws_row)),
        _ => (80, 24),
    }
}

/// Raw mode, until dropped.
struct Raw(Termios);

impl Raw {
    fn begin() -> Result<Self, Error> {
        let failed = |error: rustix::io::Errno| {
            Error::io("the terminal's mode can't be changed", error.into())
        };
        let before = tcgetattr(rustix::stdio::stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Our stdin, read by a thread that stops when this is dropped. (Tokio's own stdin keeps a thread in
/// `read`, which takes one more line from the user after the end and keeps the runtime from stopping.)
struct Input {
    pieces: mpsc::Receiver<Vec<u8>>,
    _stop: OwnedFd,
}

impl Input {
    fn begin() -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::io("standard input can't be read", error);
        let (stopped, stop) = rustix::pipe::pipe().map_err(|error| failed(error.into()))?;
        let (send, pieces) = mpsc::channel(16);
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || read_input(&stopped, &send))
            .map_err(failed)?;
        Ok(Self {
            pieces,
            _stop: stop,
        })
    }
}

fn read_input(stopped: &OwnedFd, send: &mpsc::Sender<Vec<u8>>) {
    let mut stdin = std::io::stdin().lock();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let ready = {
            let input = rustix::stdio::stdin();
            let mut both = [
                PollFd::new(&input, PollFlags::IN),
                PollFd::new(stopped, PollFlags::IN),
            ];
            match poll(&mut both, None) {
                Ok(_) => (!both[0].revents().is_empty(), !both[1].revents().is_empty()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            }
        };
        match ready {
            (_, true) => return,
            (true, _) => match stdin.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(size) => {
                    if send.blocking_send(buffer[..size].to_vec()).is_err() {
                        return;
                    }
                }
            },
            _ => {}
        }
    }
}
