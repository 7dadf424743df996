//! Ctrl-C: the first press stops after the running steps, the second leaves at once.

use crate::printer::Printer;
use std::sync::OnceLock;
use tokio::sync::watch;

/// Becomes true at the first Ctrl-C (or SIGTERM). One for the whole command, however often it looks
/// again: a press counts once.
pub fn listen(printer: Printer) -> watch::Receiver<bool> {
    static STOP: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    STOP.get_or_init(|| start(printer)).clone()
}

fn start(printer: Printer) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        pressed().await;
        printer.note("\nstopping after the running steps; press Ctrl-C again to leave at once");
        sender.send_replace(true);
        pressed().await;
        // Programs on the machines go on to the end of their step; the journal there knows how far.
        printer.note("left; run the same command again: it goes on where it stopped");
        std::process::exit(130);
    });
    receiver
}

/// Becomes true at the first Ctrl-C or SIGTERM, and nothing is said about it.
pub fn when_told() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        pressed().await;
        sender.send_replace(true);
        // Who listens may still be on the way.
        sender.closed().await;
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
