//! The way to a release that is several minor ones away: Kubernetes' version skew policy wants each of them on
//! every node, in turn (kubernetes.io, "Version Skew Policy").

use crate::bundles;
use crate::context::Context;
use crate::error::CliError;
use bramble_engine::Look;
use bramble_spec::cluster::Version;
use std::collections::BTreeMap;

/// Where a node has written down its release.
pub(super) const NOTE: &str = "/var/lib/bramble/fixed.kubernetes.version";

/// The release that comes first on the way to that of the file, if it can't be gone to directly.
///
/// # Errors
///
/// If one of the minor releases between has no bundle on this computer: known before the first is begun.
pub(super) fn first(context: &Context, look: &Look) -> Result<Option<Version>, CliError> {
    let notes = look.seen.values().filter_map(|seen| seen.content(NOTE));
    let found: Vec<Version> = notes
        .filter_map(|note| bramble_bundle::parse_version(note.trim()).ok())
        .collect();
    let wanted = context.cluster.kubernetes.version;
    if between(&found, wanted).is_empty() {
        return Ok(None);
    }
    let (all, broken) = bundles::local();
    let all: Vec<Version> = all.iter().map(|b| b.index().kubernetes).collect();
    way(&found, wanted, &all)
        .map(|way| way.first().copied())
        .map_err(|minor| {
            let what = format!(
                "no minor release may be left out on the way to {wanted}, and there is no bundle of v1.{minor}"
            );
            CliError::failed(bundles::with_broken(what, &broken)).hint(format!(
                "fetch one, of its newest patch if you can: bramble bundle build --from upstream --version v1.{minor}.0"
            ))
        })
}

/// The minor releases between those that run and the wanted one.
fn between(found: &[Version], wanted: Version) -> Vec<u16> {
    let lowest = found.iter().filter(|v| v.major == wanted.major).min();
    lowest.map_or(Vec::new(), |v| (v.minor + 1..wanted.minor).collect())
}

/// The releases on the way, without the wanted one: of each minor release the newest that there is. The minor
/// release that is missing if one is.
fn way(found: &[Version], wanted: Version, all: &[Version]) -> Result<Vec<Version>, u16> {
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
        assert_eq!(
            way(&[v(31, 1)], v(34, 1), &all),
            Ok(vec![v(32, 11), v(33, 2)])
        );
        // One that was left behind by a run that was cut off.
        assert_eq!(
            way(&[v(32, 11), v(31, 1)], v(34, 1), &all),
            Ok(vec![v(32, 11), v(33, 2)])
        );
        assert_eq!(
            way(&[v(32, 11), v(33, 2)], v(34, 1), &all),
            Ok(vec![v(33, 2)])
        );
        assert_eq!(way(&[v(33, 0)], v(34, 1), &all), Ok(Vec::new()));
        assert_eq!(way(&[v(34, 0)], v(34, 1), &all), Ok(Vec::new()));
        assert_eq!(way(&[v(34, 3)], v(31, 1), &all), Ok(Vec::new()));
        assert_eq!(way(&[], v(34, 1), &all), Ok(Vec::new()));
        assert_eq!(way(&[v(30, 1)], v(34, 1), &[v(31, 4), v(33, 2)]), Err(32));
    }
}
