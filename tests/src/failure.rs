//! What a failed test leaves to be read: a record of a long run keeps its beginning and its end, not its middle.

use crate::Site;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on each thread remembers what it panicked with.
pub(crate) fn remember() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            LAST.with_borrow_mut(|last| *last = Some(info.to_string()));
            before(info);
        }));
    });
}

/// What may explain the failure and is gone with the lab: what the kubelets said last. Then, once more and at the
/// end, why the test failed.
pub(crate) fn tell(site: &Site) {
    // A worker's kubelet says once a second that it has no folder of static pods.
    let asked = "[ -e /var/lib/kubelet/config.yaml ] || exit 0; date +%T; cat /proc/loadavg; df -h / | tail -n 1; \
                 journalctl -u kubelet -n 400 -o cat --no-pager | grep -E '^E|demo|reflector|PLEG' | \
                 grep -v 'Unable to read config path' | cut -c 1-220 | tail -n 8";
    let why = LAST.with_borrow(Clone::clone);
    for name in site.machines() {
        let said = catch_unwind(AssertUnwindSafe(|| site.try_on(&name, asked).said()));
        match said {
            Ok(said) if !said.is_empty() => eprintln!("--- kubelet of {name}\n{said}"),
            _ => {}
        }
    }
    eprintln!("--- {} failed: {}", site.name(), why.unwrap_or_default());
}
