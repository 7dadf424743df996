//! A place for backups: Borg over SSH.

use crate::context::On;
use bramble_machine::Step;

pub(crate) fn step(on: &On) -> Option<Step> {
    on.router()?;
    None
}
