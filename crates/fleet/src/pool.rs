//! One connection per machine and per jump host, shared by all who ask.

use crate::auth::Memory;
use crate::connection::Connection;
use crate::connector::Connector;
use crate::run::Session;
use crate::{Error, Options, Target};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Connections to many machines. Cheap to clone; the connections end when the last clone and the last
/// [`Session`] are gone.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Connector,
    slots: Mutex<HashMap<Key, Pending>>,
    jumps: Mutex<HashMap<Key, Arc<Semaphore>>>,
}

type Pending = Shared<BoxFuture<'static, Result<Arc<Connection>, Error>>>;

/// What makes two targets the same connection. The name is not part of it, nor is sudo.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    user: String,
    host: String,
    port: u16,
    keys: Vec<PathBuf>,
    host_key: Option<String>,
    jump: Option<Box<Key>>,
}

impl Key {
    fn of(target: &Target) -> Self {
        Key {
            user: target.user.clone(),
            host: target.host.clone(),
            port: target.port,
            keys: target.keys.clone(),
            host_key: target.host_key.clone(),
            jump: target.jump.as_ref().map(|jump| Box::new(Key::of(jump))),
        }
    }
}

impl Fleet {
    /// A fleet without connections.
    pub fn new(options: Options) -> Self {
        let handshakes = Semaphore::new(options.handshakes.max(1));
        Self {
            inner: Arc::new(Inner {
                connector: Connector {
                    options: Arc::new(options),
                    memory: Memory::default(),
                    handshakes,
                },
                slots: Mutex::default(),
                jumps: Mutex::default(),
            }),
        }
    }

    /// The connection to a machine: the one that there is, or a new one. Concurrent callers for the same
    /// target share one attempt, and its error. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// All kinds of [`Error`] that concern connecting; each stage is bounded by
    /// [`Options::connect_limit`].
    pub async fn connect(&self, target: &Target) -> Result<Session, Error> {
        let connection = self.inner.clone().shared(Arc::new(target.clone())).await?;
        Ok(Session::new(connection, target))
    }
}

impl Inner {
    fn shared(self: Arc<Self>, target: Arc<Target>) -> Pending {
        let key = Key::of(&target);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pending) = slots.get(&key) {
            match pending.peek() {
                Some(Ok(connection)) if connection.is_open() => return pending.clone(),
                None => return pending.clone(),
                _ => {}
            }
        }
        // A task of its own: it goes on when its first caller gives up, a panic in it is an error of this
        // machine only, and what waits here keeps nothing of the fleet alive.
        let machine = target.name.clone();
        let task = tokio::spawn(self.clone().attempt(target));
        let pending = async move {
            match task.await {
                Ok(result) => result,
                Err(error) => Err(Error::Panicked {
                    machine,
                    what: "connecting".to_owned(),
                    message: panic_message(error),
                }),
            }
        };
        let pending = pending.boxed().shared();
        slots.insert(key, pending.clone());
        pending
    }

    fn attempt(
        self: Arc<Self>,
        target: Arc<Target>,
    ) -> BoxFuture<'static, Result<Arc<Connection>, Error>> {
        async move {
            let jump = match &target.jump {
                Some(jump) => {
                    let turns = self.turns(Key::of(jump));
                    Some((self.clone().shared(jump.clone()).await?, turns))
                }
                None => None,
            };
            self.connector.connect(&target, jump).await.map(Arc::new)
        }
        .boxed()
    }

    fn turns(&self, key: Key) -> Arc<Semaphore> {
        let turns = self.connector.options.handshakes_per_jump.max(1);
        self.jumps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_insert_with(|| Arc::new(Semaphore::new(turns)))
            .clone()
    }
}

pub(crate) fn panic_message(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic
                .downcast::<&str>()
                .map_or_else(|_| "unknown panic".to_owned(), |text| (*text).to_owned()),
        },
        Err(error) => error.to_string(),
    }
}
