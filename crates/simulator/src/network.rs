//! How a button gets to its broker.

use async_trait::async_trait;
use bramble_bus::{Bus, Client, Error, Link, Settings};
use std::sync::Arc;

/// A way to the broker.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// Connects once. The button leaves by dropping it.
    ///
    /// # Errors
    /// Why it didn't come about.
    async fn connect(&self) -> Result<Arc<dyn Bus>, Error>;
}

/// A connection of the button's own, each time it is awake.
pub struct Dialled(pub Settings);

#[async_trait]
impl Network for Dialled {
    async fn connect(&self) -> Result<Arc<dyn Bus>, Error> {
        Ok(Arc::new(Client::once(self.0.clone()).await?))
    }
}

/// A connection that this process has anyway. The bus must let it publish and hear what the button does.
pub struct Shared(pub Arc<dyn Bus>);

#[async_trait]
impl Network for Shared {
    async fn connect(&self) -> Result<Arc<dyn Bus>, Error> {
        match *self.0.link().borrow() {
            Link::Up => Ok(self.0.clone()),
            Link::Connecting | Link::Down { .. } => Err(Error::Down),
        }
    }
}
