//! A broker that sends its clients to another server.

use crate::world::{Certificates, LIMIT, QUIET, link, provider};
use bramble_bus::{Client, Error, Link, Settings};
use bramble_secret::Secret;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Use another server, and: this server has moved (MQTT 5, 2.4).
const MOVED: [u8; 2] = [0x9c, 0x9d];

/// Whoever is connected to it has followed.
struct Thief(TcpListener);

impl Thief {
    async fn wait() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    fn url(&self) -> String {
        format!("mqtt://{}", self.0.local_addr().unwrap())
    }

    async fn has_nobody(&self) {
        let came = timeout(QUIET, self.0.accept()).await;
        assert!(came.is_err(), "somebody has followed");
    }
}

/// A packet that names another server.
fn answer(reason: u8, to: &str) -> Vec<u8> {
    let length = u8::try_from(to.len()).unwrap();
    // Flags, reason, length of the properties, server reference.
    let mut packet = vec![0x20, length + 6, 0, reason, length + 3, 0x1c, 0, length];
    packet.extend(to.as_bytes());
    packet
}

/// Answers one client with these bytes, and waits until it goes.
async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) {
    let mut heard = [0; 256];
    assert!(stream.read(&mut heard).await.unwrap() > 0);
    stream.write_all(words).await.unwrap();
    // It hangs up, one way or the other.
    while stream.read(&mut heard).await.is_ok_and(|n| n > 0) {}
}

/// A broker that answers everybody with these bytes; where it is.
async fn broker(words: Vec<u8>, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match &tls {
                None => speak(stream, &words).await,
                Some(tls) => speak(tls.accept(stream).await.unwrap(), &words).await,
            }
        }
    });
    address
}

fn settings(broker: &str, authority: Option<PathBuf>) -> Settings {
    Settings {
        broker: broker.parse().unwrap(),
        client: "handler".into(),
        login: Some(("handler".into(), Secret::new("one word"))),
        authority,
        proxy: None,
        will: None,
    }
}

async fn refuses(settings: Settings, thief: &Thief) {
    let once = timeout(LIMIT, Client::once(settings.clone()))
        .await
        .unwrap();
    let error = once.err().unwrap();
    assert!(matches!(error, Error::Elsewhere { .. }), "{error}");
    assert!(error.is_final() && error.hint().is_some());
    let kept = Client::kept(settings);
    let down = link(&kept, |link| matches!(link, Link::Down { .. })).await;
    assert!(format!("{down:?}").contains("another server"), "{down:?}");
    thief.has_nobody().await;
}

#[tokio::test]
async fn nobody_follows_a_broker_to_another_server() {
    provider();
    let thief = Thief::wait().await;
    for reason in MOVED {
        let at = broker(answer(reason, &thief.url()), None).await;
        refuses(settings(&format!("mqtt://{at}"), None), &thief).await;
    }
}

#[tokio::test]
async fn nor_with_tls() {
    let certificates = Certificates::new();
    let chain = CertificateDer::pem_file_iter(certificates.file("broker.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates.file("broker.key")).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let thief = Thief::wait().await;
    let at = broker(answer(MOVED[0], &thief.url()), Some(tls)).await;
    let url = format!("mqtts://localhost:{}", at.port());
    refuses(settings(&url, Some(certificates.file("ca.pem"))), &thief).await;
}

/// A client that was let in first, and one that is asked for more than its password first.
#[tokio::test]
async fn nor_later_or_behind_another_packet() {
    provider();
    let thief = Thief::wait().await;
    let to = thief.url();
    let length = u8::try_from(to.len()).unwrap();
    // Success, then a farewell (DISCONNECT) that names the other server.
    let mut words = vec![0x20, 3, 0, 0, 0];
    words.extend([0xe0, length + 5, MOVED[0], length + 3, 0x1c, 0, length]);
    words.extend(to.as_bytes());
    let at = broker(words, None).await;
    let kept = Client::kept(settings(&format!("mqtt://{at}"), None));
    link(&kept, |link| matches!(link, Link::Down { .. })).await;
    thief.has_nobody().await;

    // AUTH: go on, with the method `x`.
    let mut words = vec![0xf0, 6, 0x18, 4, 0x15, 0, 1, b'x'];
    words.extend(answer(MOVED[0], &to));
    let at = broker(words, None).await;
    let once = Client::once(settings(&format!("mqtt://{at}"), None));
    assert!(timeout(LIMIT, once).await.unwrap().is_err());
    thief.has_nobody().await;
}
