//! The same work on several machines, a bounded number at a time.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use crate::error::Result;
use crate::event::Event;

/// Where workers put what they have to tell.
pub(crate) type Tell = Sender<Event>;

/// Runs `work` for every item, at most `limit` at a time. Events reach `events` on the calling
/// thread. All items are tried; the first error (in the items' order) is returned.
pub(crate) fn each<T: Sync>(
    items: &[T],
    limit: usize,
    events: &dyn Fn(Event),
    work: impl Fn(&T, &Tell) -> Result<()> + Sync,
) -> Result<()> {
    let next = Mutex::new(0..items.len());
    let results = Mutex::new(Vec::new());
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        for _ in 0..limit.clamp(1, items.len().max(1)) {
            let tell = tell.clone();
            let (next, results, work) = (&next, &results, &work);
            scope.spawn(move || {
                loop {
                    let at = next.lock().unwrap_or_else(|e| e.into_inner()).next();
                    let Some(at) = at else { return };
                    let result = work(&items[at], &tell);
                    results
                        .lock()
                        .unwrap_or_else(|e| e.into_inner())
                        .push((at, result));
                }
            });
        }
        drop(tell);
        told.iter().for_each(events);
    });
    let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().try_for_each(|(_, result)| result)
}
