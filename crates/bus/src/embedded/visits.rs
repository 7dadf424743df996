//! Who is connected, so that they can be sent away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// All connections.
#[derive(Clone, Default)]
pub(super) struct Visits(Arc<Mutex<All>>);

#[derive(Default)]
struct All {
    next: u64,
    open: HashMap<u64, Open>,
}

struct Open {
    /// User and client; empty before they are known.
    names: [String; 2],
    end: broadcast::Sender<()>,
}

/// One connection; it is over when this is dropped.
pub(super) struct Visit {
    visits: Visits,
    number: u64,
}

impl Visits {
    /// Notes a connection; the receiver is told when it is to end.
    pub fn begin(&self) -> (Visit, broadcast::Receiver<()>) {
        let (end, ended) = broadcast::channel(1);
        let mut all = self.all();
        let number = all.next;
        all.next += 1;
        let names = Default::default();
        all.open.insert(number, Open { names, end });
        let visits = self.clone();
        (Visit { visits, number }, ended)
    }

    /// Ends all connections of a user or client.
    pub fn dismiss(&self, name: &str) {
        let all = self.all();
        let has = |open: &&Open| open.names.iter().any(|known| known == name);
        for open in all.open.values().filter(has) {
            // One that is ending doesn't listen.
            let _ = open.end.send(());
        }
    }

    /// Ends all connections.
    pub fn dismiss_all(&self) {
        for open in self.all().open.values() {
            let _ = open.end.send(());
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    /// Notes whose it is.
    pub fn is_of(&self, user: &str, client: &str) {
        if let Some(open) = self.visits.all().open.get_mut(&self.number) {
            open.names = [user.to_owned(), client.to_owned()];
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.visits.all().open.remove(&self.number);
    }
}
