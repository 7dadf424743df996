//! Who may come in, and do what.

use async_trait::async_trait;
use bramble_secret::Secret;
use mqtt5::broker::{AuthProvider, AuthResult};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use super::visits::Visit;

/// Somebody who wants to come in.
#[derive(Debug)]
pub struct Visitor<'a> {
    /// The name that they give.
    pub user: &'a str,
    /// Their password.
    pub password: Secret,
    /// The name of their client: of two with one name, the broker keeps the later, so that a name should be its user's
    /// alone.
    pub client: &'a str,
    /// From where.
    pub address: SocketAddr,
    /// Whether nobody else could read that.
    pub encrypted: bool,
}

/// What somebody wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Publish to it.
    Publish,
    /// Subscribe to it: a filter, which may have wildcards.
    Subscribe,
}

/// Who may come in, and do what. It is asked each time.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Whether somebody may come in.
    async fn admits(&self, visitor: &Visitor<'_>) -> bool;

    /// Whether somebody who came in may do this.
    async fn allows(&self, user: &str, act: Act, topic: &str) -> bool;
}

/// The gate of this process's own listener.
pub(super) struct Own(pub Secret);

impl Own {
    /// Name of its only user and client.
    pub const NAME: &str = "bramble";
}

#[async_trait]
impl Gate for Own {
    async fn admits(&self, visitor: &Visitor<'_>) -> bool {
        visitor.user == Self::NAME
            && visitor.client == Self::NAME
            && visitor.password.is_same(&self.0)
    }

    async fn allows(&self, _: &str, _: Act, _: &str) -> bool {
        true
    }
}

/// A gate as the library asks it, for one connection.
pub(super) struct Asked {
    pub gate: Arc<dyn Gate>,
    pub visit: Visit,
    pub encrypted: bool,
}

type Asking<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Asked {
    async fn admits(&self, connect: &ConnectPacket, address: SocketAddr) -> Option<String> {
        let user = connect.username.as_deref()?;
        let password = std::str::from_utf8(connect.password.as_deref()?).ok()?;
        let visitor = Visitor {
            user,
            password: Secret::new(password),
            client: &connect.client_id,
            address,
            encrypted: self.encrypted,
        };
        if !self.gate.admits(&visitor).await {
            return None;
        }
        self.visit.is_of(user, &connect.client_id);
        Some(user.to_owned())
    }

    async fn allows(&self, user: Option<&str>, act: Act, topic: &str) -> bool {
        match user {
            Some(user) => self.gate.allows(user, act, topic).await,
            None => false,
        }
    }
}

impl AuthProvider for Asked {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        address: SocketAddr,
    ) -> Asking<'a, mqtt5::Result<AuthResult>> {
        Box::pin(async move {
            Ok(match self.admits(connect, address).await {
                Some(user) => AuthResult::success_with_user(user),
                None => {
                    tracing::info!("a client at {address} is not let in");
                    AuthResult::fail(ReasonCode::BadUsernameOrPassword)
                }
            })
        })
    }

    fn authorize_publish<'a>(
        &'a self,
        _: &str,
        user: Option<&'a str>,
        topic: &'a str,
    ) -> Asking<'a, bool> {
        Box::pin(self.allows(user, Act::Publish, topic))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _: &str,
        user: Option<&'a str>,
        filter: &'a str,
    ) -> Asking<'a, bool> {
        Box::pin(self.allows(user, Act::Subscribe, filter))
    }
}
