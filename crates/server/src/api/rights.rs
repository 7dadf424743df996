//! Streams of those who may look, for as long as they may.

use super::state::App;
use crate::auth::{Auth, Caller};
use futures::{Stream, StreamExt};
use std::time::Duration;

/// The stream, until its follower's session or token has ended or is deleted, or the user is.
pub(super) fn while_known<S: Stream>(
    app: &App,
    caller: Caller,
    stream: S,
) -> impl Stream<Item = S::Item> + use<S> {
    stream.take_until(forgotten(app.auth.clone(), caller, app.known_again))
}

/// Waits until somebody is not recognized any more.
async fn forgotten(auth: Auth, caller: Caller, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        match auth.still_knows(&caller).await {
            Ok(true) => {}
            Ok(false) => return,
            // Nobody is sent away because a store is away for a moment; it is asked again.
            Err(error) => tracing::warn!("whether {} still may look: {error}", caller.name),
        }
    }
}
