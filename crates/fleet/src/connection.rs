//! One authenticated SSH connection.

use crate::Error;
use crate::tunnel::{Tunnel, Unread};
use crate::watcher::Watcher;
use russh::client::Handle;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Programs and copies at the same time on one connection. sshd's `MaxSessions` is 10 by default; the
/// rest is left to held programs and to a terminal.
pub(crate) const SESSIONS: usize = 7;

/// An authenticated connection.
pub(crate) struct Connection {
    pub(crate) handle: Handle<Watcher>,
    /// The name of the target it was made for.
    pub(crate) machine: String,
    pub(crate) address: String,
    pub(crate) user: String,
    pub(crate) sessions: Semaphore,
    pub(crate) ended: Arc<OnceLock<String>>,
    /// Kept open as long as this connection, which runs through it.
    pub(crate) _jump: Option<Arc<Connection>>,
}

impl Connection {
    /// Whether it can still be used.
    pub(crate) fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }

    /// The error for a connection, or a channel of it, that ended.
    pub(crate) fn closed(&self, during: impl Into<String>) -> Error {
        let cause = match self.ended.get() {
            Some(cause) => cause.clone(),
            None if self.is_open() => "the machine closed the channel".to_owned(),
            None => "the machine closed it".to_owned(),
        };
        Error::Closed {
            machine: self.machine.clone(),
            address: self.address.clone(),
            during: during.into(),
            cause,
        }
    }

    pub(crate) fn timed_out(&self, what: impl Into<String>, limit: Duration) -> Error {
        Error::TimedOut {
            machine: self.machine.clone(),
            address: self.address.clone(),
            what: what.into(),
            limit,
            note: String::new(),
            unreachable: false,
        }
    }

    /// The error for a channel that was not opened.
    pub(crate) fn not_opened(&self, what: &str, error: russh::Error) -> Error {
        match error {
            russh::Error::ChannelOpenFailure(failure) => Error::Refused {
                machine: self.machine.clone(),
                address: self.address.clone(),
                what: what.to_owned(),
                cause: format!(
                    "its sshd said \"{}\" (see MaxSessions and AllowTcpForwarding in its sshd_config)",
                    failure.description()
                ),
            },
            _ => self.closed(what),
        }
    }

    /// A TCP connection made by this machine.
    pub(crate) async fn tcp(
        &self,
        host: &str,
        port: u16,
        unread: Unread,
    ) -> Result<Tunnel, russh::Error> {
        let channel = self
            .handle
            .channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0)
            .await?;
        Ok(Tunnel::new(channel, unread))
    }
}
