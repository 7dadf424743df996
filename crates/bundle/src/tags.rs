//! Which image tags belong to which Kubernetes release.

use bramble_spec::cluster::Version;

use crate::index::parse_version;

const TABLE: &str = include_str!("../data/images.txt");

/// The images of a release that have version numbers of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageTags {
    /// `3.10.1`
    pub pause: String,
    /// `3.6.5-0`
    pub etcd: String,
    /// Path below the repository and tag: `coredns/coredns:v1.12.1`.
    pub coredns: String,
    /// kubeadm's default repository, the first part of every image's name: `registry.k8s.io`.
    pub repository: String,
}

/// kubeadm's image tags for a release.
///
/// # Errors
/// A message that names the releases that are known and how to give tags for others.
pub fn image_tags(version: Version) -> Result<ImageTags, String> {
    let mut last = None;
    for (from, to, tags) in rows() {
        if (from..=to).contains(&version) {
            return Ok(tags);
        }
        last = last.max(Some(to));
    }
    let known = last
        .map(|v| format!(" (known: v1.20.0 to {v})"))
        .unwrap_or_default();
    Err(format!(
        "the image tags of Kubernetes {version} are not known to this release{known}; \
         `kubeadm config images list` of that release prints them: \
         give them as pause, etcd, CoreDNS and repository"
    ))
}

fn rows() -> impl Iterator<Item = (Version, Version, ImageTags)> {
    TABLE
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [from, to, pause, etcd, coredns, repository] = words[..] else {
                return None;
            };
            let tags = ImageTags {
                pause: pause.into(),
                etcd: etcd.into(),
                coredns: coredns.into(),
                repository: repository.into(),
            };
            Some((parse_version(from).ok()?, parse_version(to).ok()?, tags))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read_and_ranges_do_not_overlap() {
        let lines = TABLE.lines().filter(|l| !l.starts_with('#')).count();
        let rows: Vec<_> = rows().collect();
        assert_eq!(rows.len(), lines);
        for pair in rows.windows(2) {
            assert!(
                pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0,
                "{:?}",
                pair[1]
            );
        }
    }

    #[test]
    fn known_and_unknown_releases() {
        let tags = |text: &str| image_tags(parse_version(text).unwrap());
        assert_eq!(tags("v1.20.2").unwrap().etcd, "3.4.13-0");
        assert_eq!(tags("v1.22.17").unwrap().repository, "registry.k8s.io");
        assert_eq!(tags("v1.34.2").unwrap().coredns, "coredns/coredns:v1.12.1");
        let message = tags("v1.99.0").unwrap_err();
        assert!(
            message.contains("v1.99.0") && message.contains("kubeadm config images list"),
            "{message}"
        );
    }
}
