//! The way through a SOCKS5 proxy. The MQTT client dials for itself and knows no proxies: it dials a port of this
//! computer instead, whose one connection is passed on.

use super::{Address, Proxy};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_socks::tcp::Socks5Stream;

/// How long the client may take to dial.
const DIAL: Duration = Duration::from_secs(5);

/// A way that is open until it is dropped.
pub(super) struct Relay {
    /// Where it begins.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// Opens the way to a broker; what the proxy says against it is known then.
    pub async fn open(proxy: &Proxy, broker: &Address) -> Result<Self, tokio_socks::Error> {
        let at = (proxy.host.as_str(), proxy.port);
        let to = (broker.host.as_str(), broker.port);
        let mut outside = match &proxy.login {
            None => Socks5Stream::connect(at, to).await?,
            Some((user, password)) => {
                Socks5Stream::connect_with_password(at, to, user, password.expose()).await?
            }
        }
        .into_inner();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // Either end closing it is its usual end, and the other end notices.
            if let Ok(mut inside) = dialled(listener).await {
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            }
        });
        Ok(Self { address, task })
    }
}

async fn dialled(listener: TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = tokio::time::timeout(DIAL, listener.accept()).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
