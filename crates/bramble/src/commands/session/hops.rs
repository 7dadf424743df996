//! The way to a release that is several minor ones away: Kubernetes' version skew policy wants each of them on
//! every node, in turn (kubernetes.io, "Version Skew Policy").

use crate::bundles;
use crate::context::Context;
use crate::error::CliError;
use bramble_bundle::Bundle;
use bramble_engine::Look;
use bramble_spec::cluster::{Endpoint, Machine, Role, Version};
use std::collections::BTreeMap;

/// Where a node has written down its release.
pub(super) const NOTE: &str = "/var/lib/bramble/fixed.kubernetes.version";

/// The release that comes first on the way to that of the file, if it can't be gone to directly.
///
/// # Errors
///
/// If one of the minor releases between has no bundle on this computer: known before the first is begun.
pub(super) fn first(context: &Context, look: &Look) -> Result<Option<Version>, CliError> {
    let note = |name: &str| {
        let text = look.seen.get(name)?.content(NOTE)?;
        bramble_bundle::parse_version(text.trim()).ok()
    };
    let (planes, workers): (Vec<&Machine>, Vec<&Machine>) = context
        .cluster
        .machines
        .iter()
        .partition(|m| m.is(Role::ControlPlane));
    let notes =
        |of: &[&Machine]| -> Vec<Version> { of.iter().filter_map(|m| note(&m.name)).collect() };
    let found = Found {
        planes: notes(&planes),
        workers: notes(&workers),
    };
    let wanted = context.cluster.kubernetes.version;
    if between(&found, wanted).is_empty() {
        return Ok(None);
    }
    let (all, broken) = bundles::local();
    // One that lacks what the file asks for would end the way half-way.
    let kube_vip = matches!(
        context.cluster.kubernetes.endpoint,
        Endpoint::KubeVip { .. }
    );
    let fits = |b: &&Bundle| !kube_vip || b.index().has_image("kube-vip");
    let with = if kube_vip {
        " with kube-vip's image"
    } else {
        ""
    };
    let all = all.iter().filter(fits);
    let all: Vec<Version> = all.map(|b| b.index().kubernetes).collect();
    way(&found, wanted, &all)
        .map(|way| way.first().copied())
        .map_err(|minor| {
            let what = format!(
                "no minor release may be left out on the way to {wanted}, and there is no bundle of v1.{minor}{with}"
            );
            CliError::failed(bundles::with_broken(what, &broken)).hint(format!(
                "fetch one, of its newest patch if you can: bramble bundle build --from upstream --version v1.{minor}.0"
            ))
        })
}

/// What machines have written down.
struct Found {
    planes: Vec<Version>,
    workers: Vec<Version>,
}

/// The minor releases between what runs and the wanted one. Workers follow their control planes: where these have
/// been taken one further by a run that was cut off, that is finished first. A worker further behind was
/// away meanwhile, and keeps nobody else waiting.
fn between(found: &Found, wanted: Version) -> Vec<u16> {
    let Some(lowest) = found
        .planes
        .iter()
        .filter(|v| v.major == wanted.major)
        .min()
    else {
        return Vec::new();
    };
    let follows = |v: &Version| v.minor + 1 == lowest.minor;
    let unfinished = lowest.minor < wanted.minor && found.workers.iter().any(follows);
    let start = if unfinished {
        lowest.minor
    } else {
        lowest.minor + 1
    };
    (start..wanted.minor).collect()
}

/// The releases on the way, without the wanted one: of each minor release the newest that there is. The minor
/// release that is missing if one is.
fn way(found: &Found, wanted: Version, all: &[Version]) -> Result<Vec<Version>, u16> {
    let newest: BTreeMap<u16, Version> = {
        let mut sorted: Vec<Version> = all.to_vec();
        sorted.sort_unstable();
        let same = sorted.into_iter().filter(|v| v.major == wanted.major);
        same.map(|v| (v.minor, v)).collect()
    };
    let minors = between(found, wanted).into_iter();
    minors
        .map(|minor| newest.get(&minor).copied().ok_or(minor))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(minor: u16, patch: u16) -> Version {
        Version {
            major: 1,
            minor,
            patch,
        }
    }

    #[test]
    fn every_minor_release_is_gone_through() {
        let all = [v(31, 4), v(32, 9), v(32, 11), v(33, 2), v(34, 1)];
        let go = |planes: &[Version], workers: &[Version], wanted| {
            let found = Found {
                planes: planes.to_vec(),
                workers: workers.to_vec(),
            };
            way(&found, wanted, &all)
        };
        let both = Ok(vec![v(32, 11), v(33, 2)]);
        assert_eq!(go(&[v(31, 1)], &[v(31, 1)], v(34, 1)), both);
        // Cut off in the middle of the first.
        assert_eq!(go(&[v(32, 11), v(31, 1)], &[v(31, 1)], v(34, 1)), both);
        assert_eq!(go(&[v(32, 11)], &[v(31, 1)], v(34, 1)), both);
        assert_eq!(go(&[v(32, 11)], &[v(32, 11)], v(34, 1)), Ok(vec![v(33, 2)]));
        // A worker that was away for long.
        assert_eq!(
            go(&[v(34, 1)], &[v(34, 1), v(31, 1)], v(34, 1)),
            Ok(Vec::new())
        );
        for near in [v(33, 0), v(34, 0)] {
            assert_eq!(go(&[near], &[near], v(34, 1)), Ok(Vec::new()));
        }
        assert_eq!(go(&[v(34, 3)], &[], v(31, 1)), Ok(Vec::new()));
        assert_eq!(go(&[], &[], v(34, 1)), Ok(Vec::new()));
        assert_eq!(go(&[v(29, 1)], &[], v(34, 1)), Err(30));
    }
}
