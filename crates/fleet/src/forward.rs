//! TCP through a machine.

use crate::Error;
use crate::run::Session;
use crate::tunnel::{Tunnel, Unread};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// How long a machine may take to connect to somewhere else.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// A pause after a failed accept (no file descriptors left), so that it doesn't spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A local port that leads somewhere through a machine; closed with all its connections when dropped.
pub struct Forward {
    /// Where to connect to on this computer, on 127.0.0.1.
    pub local: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// A TCP connection to `host:port`, made by the machine. Reading from it should go on: 16 MiB may lie unread,
    /// then the machine's connection waits half a minute for the reader, then this stream ends.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when the machine can't connect or its sshd doesn't allow it, [`Error::TimedOut`] after half a
    /// minute, [`Error::Closed`].
    pub async fn open_tcp(
        &self,
        host: &str,
        port: u16,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, Error> {
        self.tunnel(host, port).await
    }

    async fn tunnel(&self, host: &str, port: u16) -> Result<Tunnel, Error> {
        let what = format!("connect to {host}:{port}");
        let opening = self.connection.tcp(host, port, Unread::Bounded);
        match timeout(OPEN_LIMIT, opening).await {
            Ok(Ok(tunnel)) => Ok(tunnel),
            Ok(Err(error)) => Err(self.connection.not_opened(&what, error)),
            Err(_) => Err(self
                .connection
                .timed_out(format!("its connection to {host}:{port}"), OPEN_LIMIT)),
        }
    }

    /// Listens on a free port of 127.0.0.1 and forwards each connection to `host:port` through the machine.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when no port can be had. A connection that the machine can't make is closed at once.
    pub async fn forward(&self, host: &str, port: u16) -> Result<Forward, Error> {
        let failed = |error| Error::io("no local port to forward from", error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let session = self.clone();
        let host = host.to_owned();
        let task = tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = JoinSet::new();
            loop {
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "forward: accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                while connections.try_join_next().is_some() {}
                connections.spawn(carry(session.clone(), host.clone(), port, stream));
            }
        });
        Ok(Forward { local, task })
    }
}

async fn carry(session: Session, host: String, port: u16, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    match session.tunnel(&host, port).await {
        Ok(mut tunnel) => {
            if let Err(error) = tokio::io::copy_bidirectional(&mut stream, &mut tunnel).await {
                tracing::debug!(%error, host, port, "forward: connection ended");
            }
        }
        Err(error) => tracing::warn!(%error, "forward"),
    }
}
