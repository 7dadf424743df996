//! Everything that the router's services need, by one run of apt.

use crate::context::On;
use bramble_machine::Step;

pub(crate) fn step(on: &On) -> Option<Step> {
    on.router()?;
    None
}
