//! Disks that are made ready once, and mounted.

use crate::context::On;
use bramble_machine::Step;

pub(super) fn step(on: &On) -> Option<Step> {
    if on.machine.disks.is_empty() {
        return None;
    }
    None
}
