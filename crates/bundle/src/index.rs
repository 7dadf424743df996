//! What a bundle holds, as pure data: no file is opened here, so that planning can use it.

use std::collections::BTreeSet;

use bramble_spec::cluster::{Arch, Role, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The format of `bundle.json` that this release reads and writes.
pub const FORMAT: u32 = 1;

/// The content of `bundle.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Version of this format, [`FORMAT`].
    pub format: u32,
    /// The Kubernetes release that the artefacts make up.
    #[serde(with = "version_text")]
    pub kubernetes: Version,
    /// Where they come from.
    pub source: Origin,
    /// Architectures for which the bundle is complete.
    pub archs: Vec<Arch>,
    /// Everything in it, sorted by kind, name and architecture.
    pub artefacts: Vec<Artefact>,
}

/// Where a bundle comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `debian` or `upstream`.
    pub kind: String,
    /// For people: the source package's version, or the kind of site.
    pub detail: String,
    /// Digest of the recipe and its parameters; a build that would give the same key has nothing to do.
    pub key: String,
}

/// One thing in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Artefact {
    /// A program to install as it is.
    Binary(Binary),
    /// A gzip-compressed tar to unpack.
    Archive(Archive),
    /// A container image.
    Image(Image),
}

/// A program to install as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// File name: `kubeadm`, `kubelet`, `kubectl`, `crictl`.
    pub name: String,
    /// Where it runs.
    pub arch: Arch,
    /// Its own version, as text.
    pub version: String,
    /// Content, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// File mode, as in `chmod`, e.g. 0o755 (decimal 493 in JSON).
    pub mode: u32,
}

/// A gzip-compressed tar to unpack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// `crictl`, `containerd`, `cni-plugins`.
    pub name: String,
    /// Where its programs run.
    pub arch: Arch,
    /// Its own version, as text.
    pub version: String,
    /// Content, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// How many leading path components to drop when unpacking (`tar --strip-components`).
    pub strip: u32,
    /// What to unpack, paths as in the archive without a leading `./`; empty: everything.
    pub members: Vec<String>,
    /// Folder to unpack into.
    pub into: String,
}

/// Which machines need an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageRole {
    /// Control planes only.
    ControlPlane,
    /// Every node.
    All,
}

/// The parts of an image's full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// Host of the registry, with its port if one is named; `docker.io` if none is.
    pub host: String,
    /// Path in the registry: `coredns/coredns`.
    pub path: String,
    /// Tag; `latest` if there is none.
    pub tag: String,
}

impl std::fmt::Display for ImageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}:{}", self.host, self.path, self.tag)
    }
}

impl ImageName {
    /// Reads a name as `docker pull` does: without a host it is Docker Hub's.
    pub fn of(reference: &str) -> Self {
        let reference = reference.split('@').next().unwrap_or(reference);
        let (name, tag) = match reference.rsplit_once(':') {
            // A colon before the last slash is the registry's port.
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (reference, "latest"),
        };
        let has_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if has_host(first) => (first, rest.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        Self {
            host: host.to_owned(),
            path,
            tag: tag.to_owned(),
        }
    }

    /// What the host is called in paths of a registry that holds images of many hosts.
    pub fn prefix(&self) -> String {
        self.host.to_ascii_lowercase().replace(':', "_")
    }

    /// Path in such a registry.
    pub fn stored(&self) -> String {
        format!("{}/{}", self.prefix(), self.path)
    }
}

/// A container image: an OCI layout in a tar, as `ctr images import` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Full name, e.g. `k8s.gcr.io/kube-apiserver:v1.20.2`; also the name after the import.
    pub reference: String,
    /// Where it runs.
    pub arch: Arch,
    /// Which machines need it.
    pub roles: ImageRole,
    /// The tar's content, hexadecimal.
    pub sha256: String,
    /// The tar's bytes.
    pub size: u64,
    /// Digest of the image's manifest, `sha256:...`, as `ctr images ls` shows it.
    pub image_digest: String,
}

impl Image {
    /// The part between the registry's path and the tag: `kube-apiserver`.
    pub fn short_name(&self) -> String {
        let name = self.name();
        name.path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// The parts of its name.
    pub fn name(&self) -> ImageName {
        ImageName::of(&self.reference)
    }

    /// Whether a machine with this role needs the image.
    pub fn needed_by(&self, role: Role) -> bool {
        match (self.roles, role) {
            (_, Role::Router) => false,
            (ImageRole::All, _) | (ImageRole::ControlPlane, Role::ControlPlane) => true,
            (ImageRole::ControlPlane, Role::Worker) => false,
        }
    }
}

impl Artefact {
    /// Content, hexadecimal.
    pub fn sha256(&self) -> &str {
        match self {
            Artefact::Binary(b) => &b.sha256,
            Artefact::Archive(a) => &a.sha256,
            Artefact::Image(i) => &i.sha256,
        }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        match self {
            Artefact::Binary(b) => b.size,
            Artefact::Archive(a) => a.size,
            Artefact::Image(i) => i.size,
        }
    }

    /// Where it runs.
    pub fn arch(&self) -> Arch {
        match self {
            Artefact::Binary(b) => b.arch,
            Artefact::Archive(a) => a.arch,
            Artefact::Image(i) => i.arch,
        }
    }

    /// A name for messages: the program's, the archive's, the image's reference.
    pub fn name(&self) -> &str {
        match self {
            Artefact::Binary(b) => &b.name,
            Artefact::Archive(a) => &a.name,
            Artefact::Image(i) => &i.reference,
        }
    }

    fn order(&self) -> (u8, &str, Arch) {
        let kind = match self {
            Artefact::Binary(_) => 0,
            Artefact::Archive(_) => 1,
            Artefact::Image(_) => 2,
        };
        (kind, self.name(), self.arch())
    }
}

impl Index {
    /// An index with its artefacts in order.
    pub fn new(
        kubernetes: Version,
        source: Origin,
        archs: Vec<Arch>,
        mut artefacts: Vec<Artefact>,
    ) -> Index {
        artefacts.sort_by(|a, b| a.order().cmp(&b.order()));
        Index {
            format: FORMAT,
            kubernetes,
            source,
            archs,
            artefacts,
        }
    }

    /// The program of that name for that architecture.
    pub fn binary(&self, name: &str, arch: Arch) -> Option<&Binary> {
        self.artefacts.iter().find_map(|a| match a {
            Artefact::Binary(b) if b.name == name && b.arch == arch => Some(b),
            _ => None,
        })
    }

    /// The archive of that name for that architecture.
    pub fn archive(&self, name: &str, arch: Arch) -> Option<&Archive> {
        self.artefacts.iter().find_map(|a| match a {
            Artefact::Archive(x) if x.name == name && x.arch == arch => Some(x),
            _ => None,
        })
    }

    /// All programs for that architecture.
    pub fn binaries(&self, arch: Arch) -> impl Iterator<Item = &Binary> {
        self.artefacts.iter().filter_map(move |a| match a {
            Artefact::Binary(b) if b.arch == arch => Some(b),
            _ => None,
        })
    }

    /// All archives for that architecture.
    pub fn archives(&self, arch: Arch) -> impl Iterator<Item = &Archive> {
        self.artefacts.iter().filter_map(move |a| match a {
            Artefact::Archive(x) if x.arch == arch => Some(x),
            _ => None,
        })
    }

    /// All images for that architecture.
    pub fn images(&self, arch: Arch) -> impl Iterator<Item = &Image> {
        self.artefacts.iter().filter_map(move |a| match a {
            Artefact::Image(i) if i.arch == arch => Some(i),
            _ => None,
        })
    }

    /// The image with that short name ("coredns", "pause") for that architecture.
    pub fn image(&self, short_name: &str, arch: Arch) -> Option<&Image> {
        self.images(arch).find(|i| i.short_name() == short_name)
    }

    /// Whether there is an image with that short name ("coredns") for every architecture of the bundle.
    pub fn has_image(&self, short_name: &str) -> bool {
        !self.archs.is_empty()
            && self
                .archs
                .iter()
                .all(|arch| self.image(short_name, *arch).is_some())
    }

    /// Bytes that a machine with this role and architecture receives at most. A router receives nothing.
    pub fn total_for(&self, role: Role, arch: Arch) -> u64 {
        self.artefacts
            .iter()
            .filter(|a| a.arch() == arch)
            .filter(|a| match a {
                Artefact::Image(i) => i.needed_by(role),
                Artefact::Binary(_) | Artefact::Archive(_) => role != Role::Router,
            })
            .map(Artefact::size)
            .sum()
    }

    /// What contradicts itself in an index that came from elsewhere; `None`: it is sound.
    pub fn problem(&self) -> Option<String> {
        if self.format != FORMAT {
            return Some(format!(
                "it has format {}, this release reads {FORMAT}: build the bundle again, or use the release that made it",
                self.format
            ));
        }
        if self.archs.is_empty() {
            return Some("it lists no architecture".into());
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.artefacts.iter().find(|a| !seen.insert(a.order())) {
            return Some(format!("it lists {} twice", twice.name()));
        }
        self.artefacts.iter().find_map(|a| {
            let hash = a.sha256();
            let plain =
                hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            // The hash becomes a file name: nothing but hexadecimal digits may get that far.
            (!plain).then(|| format!("{} has the impossible sha256 {hash:?}", a.name()))
        })
    }
}

/// Reads `v1.20.2` or `1.20.2`.
///
/// # Errors
/// A message that names the text, if it is not three numbers with dots.
pub fn parse_version(text: &str) -> Result<Version, String> {
    let bad = || format!("{text:?} is no Kubernetes release; write it as v1.34.2");
    let mut numbers = text
        .strip_prefix('v')
        .unwrap_or(text)
        .split('.')
        .map(|part| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if plain {
                part.parse::<u16>().ok()
            } else {
                None
            }
        });
    let mut next = || numbers.next().flatten().ok_or_else(bad);
    let version = Version {
        major: next()?,
        minor: next()?,
        patch: next()?,
    };
    match numbers.next() {
        None => Ok(version),
        Some(_) => Err(bad()),
    }
}

mod version_text {
    use super::*;

    pub fn serialize<S: Serializer>(version: &Version, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(version)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Version, D::Error> {
        let text = String::deserialize(from)?;
        parse_version(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::ImageName;

    #[test]
    fn names_have_parts() {
        for (text, host, path, tag) in [
            ("k8s.gcr.io/pause:3.2", "k8s.gcr.io", "pause", "3.2"),
            (
                "registry.k8s.io/coredns/coredns:v1",
                "registry.k8s.io",
                "coredns/coredns",
                "v1",
            ),
            ("localhost:5000/a/b", "localhost:5000", "a/b", "latest"),
            ("busybox", "docker.io", "library/busybox", "latest"),
            ("anna/web:1", "docker.io", "anna/web", "1"),
            ("r.example/x:1@sha256:00", "r.example", "x", "1"),
        ] {
            let name = ImageName::of(text);
            assert_eq!(
                (&*name.host, &*name.path, &*name.tag),
                (host, path, tag),
                "{text}"
            );
        }
        assert_eq!(
            ImageName::of("localhost:5000/a").stored(),
            "localhost_5000/a"
        );
    }
}
