//! The way to a broker. The MQTT client doesn't go it itself: it knows no proxies, and where a broker names another
//! server it follows, with its password, to anybody and without TLS. So it dials a port of this computer, whose one
//! connection is passed on, and what the broker says first is looked at on the way.

use super::{Address, Settings, certificate};
use crate::error::Error;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use mqtt5::transport::TlsConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_socks::tcp::Socks5Stream;

/// How long the client may take to dial.
const DIAL: Duration = Duration::from_secs(5);

/// First byte of the packet that answers a client (CONNACK; MQTT 5, 3.2.1).
const ANSWER: u8 = 0x20;

/// Most bytes of a packet's length (MQTT 5, 1.5.5).
const LENGTH: usize = 4;

/// A way that is open until it is dropped.
pub(super) struct Relay {
    /// Where it begins.
    pub address: SocketAddr,
    elsewhere: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Relay {
    /// Opens the way to a broker; `at` is one of its addresses, unless a proxy looks its name up.
    ///
    /// # Errors
    /// What is in the way: [`Error::Unreachable`], [`Error::Closed`], [`Error::Certificate`], [`Error::File`].
    pub async fn open(settings: &Settings, at: Option<SocketAddr>) -> Result<Self, Error> {
        let failed = |why: String| Error::Unreachable {
            broker: settings.broker.to_string(),
            why,
        };
        let stream = match at {
            Some(at) => TcpStream::connect(at)
                .await
                .map_err(|e| unopened(settings, &e))?,
            None => proxied(settings).await.map_err(failed)?,
        };
        stream
            .set_nodelay(true)
            .map_err(|e| failed(e.to_string()))?;
        let outside: Box<dyn Stream> = match settings.broker.tls {
            false => Box::new(stream),
            true => {
                let connector = connector(&settings.broker, settings.authority.as_deref())?;
                let name = ServerName::try_from(settings.broker.host.clone())
                    .map_err(|e| failed(e.to_string()))?;
                let stream = connector.connect(name, stream).await;
                Box::new(stream.map_err(|e| certificate::failed(settings, &e))?)
            }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|e| failed(e.to_string()))?;
        let address = listener.local_addr().map_err(|e| failed(e.to_string()))?;
        let elsewhere = Arc::new(AtomicBool::new(false));
        let told = elsewhere.clone();
        let task = tokio::spawn(async move {
            // Either end closing it is its usual end, and the other end notices.
            if let Ok(inside) = dialled(listener).await {
                let _ = pass(inside, outside, &told).await;
            }
        });
        Ok(Self {
            address,
            elsewhere,
            task,
        })
    }

    /// Whether the broker has sent its client to another server.
    pub fn leads_elsewhere(&self) -> bool {
        self.elsewhere.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The error of a connection that did not come about.
fn unopened(settings: &Settings, error: &io::Error) -> Error {
    let broker = settings.broker.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::Closed { broker },
        _ => Error::Unreachable {
            broker,
            why: error.to_string(),
        },
    }
}

async fn proxied(settings: &Settings) -> Result<TcpStream, String> {
    let Some(proxy) = &settings.proxy else {
        return Err("its name has no address".into());
    };
    let at = (proxy.host.as_str(), proxy.port);
    let to = (settings.broker.host.as_str(), settings.broker.port);
    let opened = match &proxy.login {
        None => Socks5Stream::connect(at, to).await,
        Some((user, password)) => {
            Socks5Stream::connect_with_password(at, to, user, password.expose()).await
        }
    };
    let opened = opened.map_err(|e| format!("the proxy {proxy}: {e}"))?;
    Ok(opened.into_inner())
}

/// How TLS is spoken: with the authorities of a file, or those of the web.
fn connector(broker: &Address, authority: Option<&Path>) -> Result<TlsConnector, Error> {
    // The library knows which authorities the web has; it doesn't dial the address.
    let nowhere = (Ipv4Addr::UNSPECIFIED, 0).into();
    let mut tls = TlsConfig::new(nowhere, broker.host.clone());
    if let Some(path) = authority {
        let wrong = |why: String| Error::File {
            path: path.to_owned(),
            why,
        };
        let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        tls.load_ca_cert_pem_bytes(&pem)
            .map_err(|e| wrong(e.to_string()))?;
        if tls.root_certs.as_ref().is_none_or(Vec::is_empty) {
            return Err(wrong("there is no certificate in it".into()));
        }
        tls = tls.with_system_roots(false);
    }
    let config = tls.client_config().map_err(|e| Error::Unreachable {
        broker: broker.to_string(),
        why: e.to_string(),
    })?;
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn dialled(listener: TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = tokio::time::timeout(DIAL, listener.accept()).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Passes everything on until both ends have closed, or the broker sends its client elsewhere.
async fn pass(
    inside: TcpStream,
    outside: Box<dyn Stream>,
    elsewhere: &AtomicBool,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = inside.into_split();
    let (mut from_broker, mut to_broker) = split(outside);
    let up = async {
        copy(&mut from_client, &mut to_broker).await?;
        to_broker.shutdown().await
    };
    let down = async {
        let begin = answer(&mut from_broker, elsewhere).await?;
        to_client.write_all(&begin).await?;
        copy(&mut from_broker, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(up, down).map(drop)
}

/// The begin of a broker's answer, up to its reason code.
async fn answer(
    broker: &mut (impl AsyncRead + Unpin),
    elsewhere: &AtomicBool,
) -> io::Result<Vec<u8>> {
    let mut bytes = vec![broker.read_u8().await?];
    if bytes[0] != ANSWER {
        // A client that has not asked for more than a password is answered at once (MQTT 5, 4.12).
        return Err(io::ErrorKind::InvalidData.into());
    }
    for _ in 0..LENGTH {
        let byte = broker.read_u8().await?;
        bytes.push(byte);
        if byte < 0x80 {
            break;
        }
    }
    let flags = broker.read_u8().await?;
    let reason = broker.read_u8().await?;
    let moved = [ReasonCode::UseAnotherServer, ReasonCode::ServerMoved];
    if moved.iter().any(|code| u8::from(*code) == reason) {
        elsewhere.store(true, Ordering::SeqCst);
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    bytes.extend([flags, reason]);
    Ok(bytes)
}
