//! Container images near the machines: mirrors, a private registry, the bundle's images.

use crate::context::On;
use bramble_machine::Step;

pub(crate) fn step(on: &On) -> Option<Step> {
    on.router()?;
    None
}
