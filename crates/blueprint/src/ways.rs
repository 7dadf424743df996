//! Which machines can be reached only once the router serves them: it gives them their addresses, and
//! who comes to them comes through it. What it lets pass from outside is not part of that.

use crate::context::On;
use bramble_machine::Way;

/// What the router needs for that, in the order in which it is made.
const STEPS: [&str; 2] = ["router/network", "router/dhcp"];

pub(crate) fn way(on: &On) -> Option<Way> {
    let router = on.behind()?;
    Some(Way {
        through: router.machine.clone(),
        steps: STEPS.to_vec(),
    })
}
