//! The way in for people who are elsewhere: WireGuard and OpenVPN.

use crate::context::On;
use bramble_machine::Step;

pub(crate) fn step(on: &On) -> Option<Step> {
    on.router()?;
    None
}
