//! A control plane's own pods raised to another release.

use super::control_plane::has_dns;
use crate::context::{On, r};
use crate::release::Pods;
use bramble_machine::Step;
use bramble_spec::cluster::Role;

pub(super) fn step(on: &On) -> Option<Step> {
    on.is(Role::ControlPlane).then(|| {
        let pods = Pods::of(on, has_dns(on));
        on.step("control-plane/upgrade", vec![r(pods)])
    })
}
