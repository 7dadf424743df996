//! Makes connections: TCP or a channel of the jump host, handshake, host key, authentication.

use crate::auth::{Attempt, Memory};
use crate::connection::{Connection, SESSIONS};
use crate::known_hosts::{self, Known};
use crate::tunnel::{Tunnel, Unread};
use crate::watcher::Watcher;
use crate::{Error, Options, Target};
use russh::client;
use russh::keys::Algorithm;
use russh::{Preferred, cipher, compression, kex};
use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Pauses before a connection that was closed before its greeting is tried again: sshd drops new
/// connections while too many others are in their handshake (`MaxStartups`).
const PAUSES: [Duration; 4] = [
    Duration::from_millis(150),
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(1200),
];

/// Kinds of host key that are asked for one by one when a machine shows another key than the pinned one.
const FAMILIES: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// Makes the connections of a fleet.
pub(crate) struct Connector {
    pub(crate) options: Arc<Options>,
    pub(crate) memory: Memory,
    pub(crate) handshakes: Semaphore,
}

impl Connector {
    /// Connects, through `jump` when the target has one. `turn` bounds the handshakes through it.
    pub(crate) async fn connect(
        &self,
        target: &Arc<Target>,
        jump: Option<(Arc<Connection>, Arc<Semaphore>)>,
    ) -> Result<Connection, Error> {
        // The jump host's turn first: whoever holds a turn of the whole fleet never waits for another.
        let (jump, turns) = jump.unzip();
        let _through = match &turns {
            Some(turns) => turns.acquire().await.ok(),
            None => None,
        };
        let _turn = self.handshakes.acquire().await;
        let mut pauses = PAUSES.iter();
        let mut families = FAMILIES.iter();
        let mut only = None;
        // What the machine's first choice of key was refused for: says more than what came of others.
        let mut first: Option<Error> = None;
        loop {
            let result = match &jump {
                Some(jump) => {
                    let stream = self.stage(
                        target,
                        "a connection through its jump host",
                        self.through(target, jump),
                    );
                    self.greet(target, stream.await?, Some(jump), only).await
                }
                None => {
                    let stream = self.stage(target, "a TCP connection", self.tcp(target));
                    self.greet(target, stream.await?, None, only).await
                }
            };
            match (result, pauses.next()) {
                (Err(Greeting::Dropped(_)), Some(pause)) => sleep(*pause).await,
                (Err(Greeting::Dropped(error) | Greeting::Failed(error)), _) => {
                    let shows_another = match &error {
                        Error::ChangedHostKey { .. } => true,
                        // It has no key of the kind that was asked for.
                        Error::Unreachable { .. } => first.is_some(),
                        _ => false,
                    };
                    // A fingerprint doesn't say of what kind the pinned key is, and a machine has
                    // one of each.
                    if target.host_key.is_none() || !shows_another {
                        return Err(error);
                    }
                    let first = first.get_or_insert(error);
                    only = families.next();
                    if only.is_none() {
                        return Err(first.clone());
                    }
                }
                (Ok(connection), _) => return Ok(connection),
            }
        }
    }

    async fn stage<T>(
        &self,
        target: &Target,
        what: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let limit = self.options.connect_limit;
        match timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut {
                machine: target.name.clone(),
                address: target.address(),
                what: what.to_owned(),
                limit,
                note: String::new(),
                unreachable: true,
            }),
        }
    }

    async fn tcp(&self, target: &Target) -> Result<TcpStream, Error> {
        let unreachable = |stage: String, source: io::Error| Error::Unreachable {
            machine: target.name.clone(),
            address: target.address(),
            stage,
            source: Arc::new(source),
        };
        let addresses: Vec<_> = tokio::net::lookup_host((target.host.as_str(), target.port))
            .await
            .map_err(|error| unreachable("its name has no address".to_owned(), error))?
            .collect();
        // Each address gets its share, so that one which swallows packets doesn't use up the limit.
        let share = self.options.connect_limit / (addresses.len().max(1) as u32);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    // Data that nobody acknowledges ends the connection, as unanswered keepalives do.
                    let patience =
                        self.options.keepalive * (self.options.keepalive_misses as u32 + 1);
                    let _ = rustix::net::sockopt::set_tcp_user_timeout(
                        &stream,
                        u32::try_from(patience.as_millis()).unwrap_or(0),
                    );
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => {
                    last = io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("no answer from {address} within {share:?}"),
                    );
                }
            }
        }
        if last.kind() == io::ErrorKind::TimedOut {
            return Err(Error::TimedOut {
                machine: target.name.clone(),
                address: target.address(),
                what: "a TCP connection".to_owned(),
                limit: self.options.connect_limit,
                note: String::new(),
                unreachable: true,
            });
        }
        Err(unreachable("no TCP connection".to_owned(), last))
    }

    async fn through(&self, target: &Target, jump: &Connection) -> Result<Tunnel, Error> {
        jump.tcp(&target.host, target.port, Unread::BoundedInside)
            .await
            .map_err(|error| match error {
                russh::Error::ChannelOpenFailure(failure) => Error::Unreachable {
                    machine: target.name.clone(),
                    address: target.address(),
                    stage: format!("no connection from its jump host {}", jump.machine),
                    source: Arc::new(io::Error::other(format!(
                        "{} said \"{}\"{}",
                        jump.machine,
                        failure.description(),
                        match failure {
                            russh::ChannelOpenFailure::AdministrativelyProhibited =>
                                " (see AllowTcpForwarding in its sshd_config)",
                            _ => "",
                        }
                    ))),
                },
                _ => jump.closed(format!("{} was reached through it", target.name)),
            })
    }

    async fn greet<S>(
        &self,
        target: &Arc<Target>,
        stream: S,
        jump: Option<&Arc<Connection>>,
        only: Option<&&str>,
    ) -> Result<Connection, Greeting>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let options = &self.options;
        let files = known_hosts::files(&options.known_hosts, options.user_known_hosts.as_deref());
        let known = Known::about(&target.host, target.port, &files)
            .map_err(|error| Error::io("known hosts can't be read".to_owned(), error))?;
        let config = config(options, &known, only);
        let refused = Arc::new(Mutex::new(None));
        let ended = Arc::new(OnceLock::new());
        let watcher = Watcher {
            target: target.clone(),
            options: options.clone(),
            known: Arc::new(known),
            refused: refused.clone(),
            ended: ended.clone(),
        };
        let limit = options.connect_limit;
        let handshake = self.stage(target, "the SSH handshake", async {
            Ok(client::connect_stream(config, stream, watcher).await)
        });
        let mut handle = handshake.await?.map_err(|error| {
            if let Some(error) = refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Greeting::Failed(error);
            }
            let dropped = matches!(&error, russh::Error::Disconnect | russh::Error::HUP)
                || matches!(&error, russh::Error::IO(error) if matches!(error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
            let error = Error::Unreachable {
                machine: target.name.clone(),
                address: target.address(),
                stage: match dropped {
                    true => "the connection was closed during the SSH handshake (see MaxStartups in its sshd_config)",
                    false => "the SSH handshake failed",
                }
                .to_owned(),
                source: Arc::new(io::Error::other(error)),
            };
            match dropped {
                true => Greeting::Dropped(error),
                false => Greeting::Failed(error),
            }
        })?;
        let attempt = Attempt::new(&mut handle, target, options, &self.memory);
        match timeout(limit, attempt.run()).await {
            Ok(Ok(())) => {}
            Ok(Err(failed)) => {
                return Err(Greeting::Failed(Error::Auth {
                    machine: target.name.clone(),
                    address: target.address(),
                    user: target.user.clone(),
                    tried: failed.tried,
                }));
            }
            Err(_) => {
                return Err(Greeting::Failed(Error::TimedOut {
                    machine: target.name.clone(),
                    address: target.address(),
                    what: "authentication".to_owned(),
                    limit,
                    note: String::new(),
                    unreachable: true,
                }));
            }
        }
        Ok(Connection {
            handle,
            machine: target.name.clone(),
            address: target.address(),
            user: target.user.clone(),
            sessions: Semaphore::new(SESSIONS),
            ended,
            _jump: jump.cloned(),
        })
    }
}

/// Why a stream did not become a connection.
enum Greeting {
    /// Closed before the handshake was done; trying again may help.
    Dropped(Error),
    Failed(Error),
}

impl From<Error> for Greeting {
    fn from(error: Error) -> Self {
        Greeting::Failed(error)
    }
}

/// Cheap algorithms first: X25519 costs a fraction of the hybrid and finite-field exchanges, and AES-GCM
/// is in the hardware of whoever runs many connections. All in the lists are considered safe; nothing is
/// compressed.
fn config(options: &Options, known: &Known, only: Option<&&str>) -> Arc<client::Config> {
    let mut keys = known.algorithms();
    // A known RSA key has no hash in its name; the handshake's signature wants one.
    let rsa = keys.iter().any(is_rsa);
    keys.retain(|key| !is_rsa(key));
    let defaults = Preferred::DEFAULT.key;
    let defaults = defaults
        .iter()
        .filter(|key| !matches!(key, Algorithm::Rsa { hash: None }));
    let first = defaults
        .clone()
        .filter(|key| keys.contains(key) || (rsa && is_rsa(key)));
    let mut key: Vec<Algorithm> = first.cloned().collect();
    for algorithm in defaults {
        if !key.contains(algorithm) {
            key.push(algorithm.clone());
        }
    }
    if let Some(only) = only {
        key.retain(|algorithm| algorithm.as_str().contains(only));
    }
    let patience = options.keepalive * (options.keepalive_misses as u32 + 2);
    Arc::new(client::Config {
        client_id: russh::SshId::Standard(Cow::Borrowed("SSH-2.0-Bramble")),
        nodelay: true,
        keepalive_interval: Some(options.keepalive),
        keepalive_max: options.keepalive_misses,
        // Also ends handshakes that were given up, and writes that a frozen machine doesn't take.
        inactivity_timeout: Some(patience.max(options.connect_limit)),
        preferred: Preferred {
            kex: Cow::Borrowed(&[
                kex::CURVE25519,
                kex::CURVE25519_PRE_RFC_8731,
                kex::MLKEM768X25519_SHA256,
                kex::DH_GEX_SHA256,
                kex::DH_G16_SHA512,
                kex::DH_G14_SHA256,
                kex::EXTENSION_SUPPORT_AS_CLIENT,
                kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
            ]),
            key: Cow::Owned(key),
            cipher: Cow::Borrowed(&[
                cipher::AES_128_GCM,
                cipher::AES_256_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_CTR,
                cipher::AES_128_CTR,
            ]),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    })
}

fn is_rsa(key: &Algorithm) -> bool {
    matches!(key, Algorithm::Rsa { .. })
}
