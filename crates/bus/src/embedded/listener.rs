//! Listening, and handing each connection to the library.

use super::gate::{Asked, Gate};
use super::visits::Visits;
use crate::error::Error;
use mqtt5::broker::client_handler::ClientHandler;
use mqtt5::broker::resource_monitor::{ResourceLimits, ResourceMonitor};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::sys_topics::BrokerStats;
use mqtt5::broker::tls_acceptor::TlsStreamWrapper;
use mqtt5::broker::transport::BrokerTransport;
use mqtt5::broker::{AuthProvider, BrokerConfig};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Most connections at once, also of those who haven't said who they are.
const CONNECTIONS: usize = 1000;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Bytes of the largest packet.
const PACKET: usize = 64 * 1024;

/// Most messages that a client may publish each second; its further ones are refused.
const MESSAGES: u32 = 1000;

/// Bytes that a client may publish each second.
const BANDWIDTH: u64 = 1024 * 1024;

/// Most topics with a retained message.
const RETAINED: usize = 10_000;

/// Most subscriptions of a client.
const SUBSCRIPTIONS: usize = 1000;

/// How long what is meant for a client that has gone is kept for it, if it wishes so.
const SESSION: Duration = Duration::from_secs(300);

/// How often what is over is cleared away.
const SWEEP: Duration = Duration::from_secs(60);

/// How long nobody is let in after the system has refused a connection: it may have no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
pub(super) struct Broker {
    pub visits: Visits,
    config: Arc<BrokerConfig>,
    router: Arc<MessageRouter>,
    stats: Arc<BrokerStats>,
    monitor: Arc<ResourceMonitor>,
    connections: Arc<Semaphore>,
}

impl Broker {
    pub fn new() -> Self {
        let mut config = BrokerConfig::new()
            .with_max_packet_size(PACKET)
            .with_session_expiry(SESSION)
            .with_max_retained_messages(RETAINED)
            .with_max_retained_message_size(PACKET)
            .with_max_subscriptions_per_client(SUBSCRIPTIONS)
            .with_sys_topics_enabled(false);
        config.shared_subscription_available = false;
        let limits = ResourceLimits {
            max_connections: CONNECTIONS,
            max_connections_per_ip: CONNECTIONS,
            max_message_rate_per_client: MESSAGES,
            max_bandwidth_per_client: BANDWIDTH,
            rate_limit_window: Duration::from_secs(1),
            ..ResourceLimits::default()
        };
        Self {
            visits: Visits::default(),
            config: Arc::new(config),
            router: Arc::new(MessageRouter::new().with_retained_limits(RETAINED, PACKET)),
            stats: Arc::new(BrokerStats::new()),
            monitor: Arc::new(ResourceMonitor::new(limits)),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Listens at an address as long as the task that is added lives; where it listens in fact.
    pub async fn listen(
        self: &Arc<Self>,
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        gate: Arc<dyn Gate>,
        tasks: &mut JoinSet<()>,
    ) -> Result<SocketAddr, Error> {
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let broker = self.clone();
        tasks.spawn(async move {
            loop {
                // Nobody closes the semaphore.
                let Ok(permit) = broker.connections.clone().acquire_owned().await else {
                    return;
                };
                match listener.accept().await {
                    Ok((stream, from)) => {
                        let (broker, tls, gate) = (broker.clone(), tls.clone(), gate.clone());
                        tokio::spawn(async move {
                            broker.serve(stream, from, tls, gate).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!("a connection at {bound} is refused: {error}");
                        sleep(PAUSE).await;
                    }
                }
            }
        });
        Ok(bound)
    }

    /// Serves one connection to its end.
    async fn serve(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        tls: Option<TlsAcceptor>,
        gate: Arc<dyn Gate>,
    ) {
        let encrypted = tls.is_some();
        let (visit, ended) = self.visits.begin();
        let transport = match transport(stream, tls).await {
            Ok(transport) => transport,
            Err(why) => return tracing::debug!("{from}: {why}"),
        };
        let asked: Arc<dyn AuthProvider> = Arc::new(Asked {
            gate,
            visit,
            encrypted,
        });
        let handler = ClientHandler::new(
            transport,
            from,
            self.config.clone(),
            self.router.clone(),
            asked,
            None,
            self.stats.clone(),
            self.monitor.clone(),
            ended,
        );
        if let Err(error) = handler.run().await {
            tracing::debug!("{from}: {error}");
        }
    }

    /// Clears away what is over, again and again.
    pub fn sweep(self: Arc<Self>, tasks: &mut JoinSet<()>) {
        tasks.spawn(async move {
            let mut interval = interval(SWEEP);
            loop {
                interval.tick().await;
                self.monitor.cleanup_expired_windows().await;
                self.router.sweep_sessions().await;
            }
        });
    }
}

async fn transport(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) -> Result<BrokerTransport, std::io::Error> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = tls else {
        return Ok(BrokerTransport::tcp(stream));
    };
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
    Ok(BrokerTransport::tls(TlsStreamWrapper::new(stream)))
}

/// How TLS is spoken with a certificate and its key.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let wrong = |path: &Path, why: String| Error::File {
        path: path.to_owned(),
        why,
    };
    let read = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> = read.map_err(|e| wrong(certificate, e.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "there is no certificate in it".into()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e.to_string()))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|e| wrong(key, e.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
