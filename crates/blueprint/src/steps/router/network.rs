//! The router's own interfaces: its side of the LAN, the uplink, wireless.

use crate::context::On;
use bramble_machine::Step;

pub(crate) fn step(on: &On) -> Option<Step> {
    on.router()?;
    None
}
