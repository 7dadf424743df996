//! Addresses and names for the machines behind the router: dnsmasq.

use crate::context::On;
use bramble_machine::Step;

pub(crate) fn step(on: &On) -> Option<Step> {
    on.router()?;
    None
}
