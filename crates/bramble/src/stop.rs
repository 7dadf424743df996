//! Ctrl-C: the first press stops after the running steps, the second leaves at once.

use tokio::sync::watch;

/// Becomes true at the first Ctrl-C (or SIGTERM).
pub fn listen(on_stop: impl Fn() + Send + 'static) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        pressed().await;
        on_stop();
        sender.send_replace(true);
        pressed().await;
        // Programs on the machines go on to the end of their step; the journal there knows how far.
        std::process::exit(130);
    });
    receiver
}

async fn pressed() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
