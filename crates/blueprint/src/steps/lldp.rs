//! The link-layer neighbor daemon, on machines that are no containers (U062).

use crate::context::On;
use bramble_machine::Step;

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.cluster().network.lldp {
        return None;
    }
    None
}
