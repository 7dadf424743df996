//! Buttons against the daemon's handler, through a real broker.

/// Tries something with both brokers.
macro_rules! with_both {
    ($($name:ident($world:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn tried(kind: super::super::brokers::Kind) {
                #[allow(unused_mut, reason = "some end the handler")]
                let mut $world = super::super::world::World::new(kind).await;
                $body
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                tried(super::super::brokers::Kind::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mosquitto() {
                tried(super::super::brokers::Kind::Mosquitto).await;
            }
        }
    )*};
}

mod brokers;
mod flood;
mod old;
mod press;
mod signed;
mod table;
mod till;
mod twin;
mod world;
