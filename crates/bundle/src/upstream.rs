//! A bundle from the places where Kubernetes and its neighbours are published.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bramble_spec::cluster::{Arch, Version};
use futures::future::BoxFuture;
use reqwest::Url;

use crate::Error;
use crate::bundle::{Bundle, Writer, standing};
use crate::event::{Phase, Sink};
use crate::fetch::{Fetch, Patience, checksum_in, in_parallel, join};
use crate::files::{blocking, create_dir, sha256_hex};
use crate::index::{Archive, Artefact, Binary, Image, ImageName, ImageRole, Index, Origin};
use crate::registry::{self, Resolved, Session};
use crate::tags::{ImageTags, image_tags};
use crate::tools::{Form, Tool, default_tools};

/// Where upstream's files are. [`Upstream::default`] is the public places.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Site with `release/vX.Y.Z/bin/linux/ARCH/NAME` and `NAME.sha256`.
    pub release_base: Url,
    /// Registry (with a path, if all repositories are below one) that has kubeadm's images. The images keep
    /// the names that kubeadm expects, wherever they come from.
    pub registry: Url,
    /// Site laid out like `https://github.com` for the default tools.
    pub tools_base: Url,
    /// Other tools, or other releases of them, instead of [`default_tools`].
    pub tools: Option<Vec<Tool>>,
    /// Tags instead of the table's; needed for releases that the table does not have.
    pub tags: Option<ImageTags>,
    /// Images beside kubeadm's, each from the registry that its name says, for all nodes; those of
    /// [`CONTROL_PLANE_IMAGES`] for control planes.
    pub images: Vec<String>,
    /// How long transfers go on trying.
    pub patience: Patience,
}

impl Default for Upstream {
    fn default() -> Upstream {
        let url = |text| Url::parse(text).unwrap_or_else(|_| unreachable!("{text} is an address"));
        Upstream {
            release_base: url("https://dl.k8s.io"),
            // k8s.gcr.io is frozen and leads here.
            registry: url("https://registry.k8s.io"),
            tools_base: url("https://github.com"),
            tools: None,
            tags: None,
            images: Vec::new(),
            patience: Patience::default(),
        }
    }
}

/// Stages of this kind of build.
const STAGES: usize = 3;

/// A file that is named by its address and checked against a published checksum.
struct File {
    name: String,
    url: Url,
    checksum: Url,
    arch: Arch,
    version: String,
    form: Form,
}

/// A busybox of the Kubernetes project's own, for the demo page (kubernetes/test/images/busybox).
const DEMO: &str = "e2e-test-images/busybox";
const DEMO_TAG: &str = "1.36.1-1";

/// Short names of additional images that nothing but control planes run.
pub const CONTROL_PLANE_IMAGES: [&str; 1] = ["kube-vip"];

/// An image to be had.
struct Wanted {
    /// Where, if not from where kubeadm's are.
    registry: Option<Url>,
    path: String,
    tag: String,
    reference: String,
    roles: ImageRole,
    arch: Arch,
    /// kubeadm wants it: without it there is no cluster.
    needed: bool,
}

/// Something to download.
struct Job<'s> {
    name: String,
    url: Url,
    session: Option<&'s Session>,
    to: PathBuf,
}

pub(crate) async fn build(
    upstream: &Upstream,
    version: Version,
    archs: &[Arch],
    dir: &Path,
    events: Sink<'_>,
) -> Result<Bundle, Error> {
    let tags = match &upstream.tags {
        Some(tags) => tags.clone(),
        None => image_tags(version).map_err(Error::Request)?,
    };
    let files = files(upstream, version, archs)?;
    let mut wanted = images(&tags, version, archs);
    wanted.extend(more(&upstream.images, archs)?);
    let key = key(upstream, &files, &wanted);
    if let Some(bundle) = standing(dir, &key, events).await? {
        return Ok(bundle);
    }
    let fetch = Fetch::new(upstream.patience, events)?;
    let phase = Phase::begin(events, "checksums and manifests", 1, STAGES);
    let mut jobs: Vec<BoxFuture<'_, _>> = Vec::new();
    for file in &files {
        jobs.push(Box::pin(published_hash(&fetch, file)));
    }
    let hashes = in_parallel(jobs).await?;
    let mut jobs: Vec<BoxFuture<'_, _>> = Vec::new();
    for w in &wanted {
        let registry = w.registry.as_ref().unwrap_or(&upstream.registry);
        jobs.push(Box::pin(resolve(&fetch, registry, w)));
    }
    let (resolved, wanted): (Vec<Resolved>, Vec<Wanted>) = in_parallel(jobs)
        .await?
        .into_iter()
        .zip(wanted)
        .filter_map(|(resolved, wanted)| Some((resolved?, wanted)))
        .unzip();

    phase.done();

    let phase = Phase::begin(events, "downloads", 2, STAGES);
    let writer = Writer::new(dir)?;
    let layers = dir.join("layers");
    create_dir(&layers)?;
    // By content: layers are shared between images, and two transfers must not write the same file.
    let mut jobs = BTreeMap::new();
    for (file, hash) in files.iter().zip(&hashes) {
        jobs.insert(
            hash.clone(),
            Job {
                name: format!("{} ({})", file.name, file.arch.as_str()),
                url: file.url.clone(),
                session: None,
                to: writer.blob_path(hash),
            },
        );
    }
    for image in &resolved {
        for (hash, url) in image.layers()? {
            let to = layers.join(&hash);
            jobs.entry(hash).or_insert(Job {
                name: format!("{} ({})", image.reference, image.arch.as_str()),
                url,
                session: Some(&image.session),
                to,
            });
        }
    }
    let mut transfers: Vec<BoxFuture<'_, _>> = Vec::new();
    for (hash, job) in &jobs {
        transfers.push(Box::pin(fetch.download(
            &job.name,
            &job.url,
            job.session,
            hash,
            &job.to,
        )));
    }
    let sizes = in_parallel(transfers).await?;
    let sizes: BTreeMap<String, u64> = jobs.keys().cloned().zip(sizes).collect();
    drop(jobs);

    phase.done();

    let phase = Phase::begin(events, "images", 3, STAGES);
    let mut artefacts: Vec<Artefact> = files
        .into_iter()
        .zip(hashes)
        .map(|(file, sha256)| {
            let size = sizes.get(&sha256).copied().unwrap_or_default();
            artefact(file, sha256, size)
        })
        .collect();
    let archs = archs.to_vec();
    let origin = Origin {
        kind: "upstream".into(),
        detail: "Kubernetes release site and registry".into(),
        key,
    };
    let bundle = blocking("writing the bundle", move || {
        for (image, wanted) in resolved.into_iter().zip(wanted) {
            let tar = layers.join("image.tar");
            let image_digest = image.write(&tar, |hash| layers.join(hash))?;
            let (sha256, size) = writer.add_file(&tar)?;
            artefacts.push(Artefact::Image(Image {
                reference: wanted.reference,
                arch: wanted.arch,
                roles: wanted.roles,
                sha256,
                size,
                image_digest,
            }));
        }
        let bundle = writer.finish(&Index::new(version, origin, archs, artefacts))?;
        std::fs::remove_dir_all(&layers).map_err(Error::io("remove", &layers))?;
        Ok(bundle)
    })
    .await?;
    phase.done();
    Ok(bundle)
}

/// Programs of the release and the tools.
fn files(upstream: &Upstream, version: Version, archs: &[Arch]) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    let tools = upstream
        .tools
        .clone()
        .unwrap_or_else(|| default_tools(upstream.tools_base.as_str(), version));
    let parse = |text: String| {
        Url::parse(&text).map_err(|e| Error::Request(format!("{text:?} is no address: {e}")))
    };
    for &arch in archs {
        for name in ["kubeadm", "kubelet", "kubectl"] {
            let path = format!("release/{version}/bin/linux/{}/{name}", arch.as_str());
            files.push(File {
                name: name.into(),
                url: join(&upstream.release_base, &path)?,
                checksum: join(&upstream.release_base, &format!("{path}.sha256"))?,
                arch,
                version: version.to_string(),
                form: Form::Program,
            });
        }
        for tool in &tools {
            files.push(File {
                name: tool.name.clone(),
                url: parse(tool.fill(&tool.file, arch))?,
                checksum: parse(tool.fill(&tool.checksum, arch))?,
                arch,
                version: tool.version.clone(),
                form: tool.form.clone(),
            });
        }
    }
    Ok(files)
}

/// Looks an image up; `None` if the registry doesn't have it and it can be done without, as in registries
/// that somebody filled with what kubeadm wants alone.
async fn resolve(
    fetch: &Fetch<'_>,
    registry: &Url,
    wanted: &Wanted,
) -> Result<Option<Resolved>, Error> {
    let Wanted {
        path,
        tag,
        reference,
        arch,
        needed,
        ..
    } = wanted;
    match registry::resolve(fetch, registry, path, tag, reference, *arch).await {
        Ok(resolved) => Ok(Some(resolved)),
        Err(Error::Status { .. }) if !needed => Ok(None),
        Err(error) => Err(error),
    }
}

/// kubeadm's images, and one that serves the demo page. CoreDNS may run on any node.
fn images(tags: &ImageTags, version: Version, archs: &[Arch]) -> Vec<Wanted> {
    use ImageRole::{All, ControlPlane};
    let release = version.to_string();
    let (coredns, coredns_tag) = tags
        .coredns
        .rsplit_once(':')
        .unwrap_or((&tags.coredns, "latest"));
    let list = [
        ("kube-apiserver", release.as_str(), ControlPlane),
        ("kube-controller-manager", &release, ControlPlane),
        ("kube-scheduler", &release, ControlPlane),
        ("kube-proxy", &release, All),
        ("etcd", &tags.etcd, ControlPlane),
        ("pause", &tags.pause, All),
        (coredns, coredns_tag, All),
        (DEMO, DEMO_TAG, All),
    ];
    let mut wanted = Vec::new();
    for &arch in archs {
        for (path, tag, roles) in list {
            wanted.push(Wanted {
                registry: None,
                path: path.into(),
                tag: tag.into(),
                reference: format!("{}/{path}:{tag}", tags.repository),
                roles,
                arch,
                needed: path != DEMO,
            });
        }
    }
    wanted
}

/// Images that somebody asked for by name.
fn more(names: &[String], archs: &[Arch]) -> Result<Vec<Wanted>, Error> {
    let mut wanted = Vec::new();
    for name in names {
        let parts = ImageName::of(name);
        // Docker Hub's registry has another host than its names.
        let host = match parts.host.as_str() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let registry = Url::parse(&format!("https://{host}"))
            .map_err(|e| Error::Request(format!("{name:?} is no name of an image: {e}")))?;
        let short = parts.path.rsplit('/').next().unwrap_or_default();
        let roles = match CONTROL_PLANE_IMAGES.contains(&short) {
            true => ImageRole::ControlPlane,
            false => ImageRole::All,
        };
        wanted.extend(archs.iter().map(|&arch| Wanted {
            registry: Some(registry.clone()),
            path: parts.path.clone(),
            tag: parts.tag.clone(),
            reference: parts.to_string(),
            roles,
            arch,
            needed: true,
        }));
    }
    Ok(wanted)
}

/// Digest of everything that was asked for.
fn key(upstream: &Upstream, files: &[File], images: &[Wanted]) -> String {
    let mut text = format!("upstream 1\n{}\n", upstream.registry);
    for file in files {
        text.push_str(&format!("{} {} {:?}\n", file.name, file.url, file.form));
    }
    for image in images {
        text.push_str(&format!(
            "{} {} {:?}\n",
            image.reference,
            image.arch.as_str(),
            image.roles
        ));
    }
    sha256_hex(text.as_bytes())
}

async fn published_hash(fetch: &Fetch<'_>, file: &File) -> Result<String, Error> {
    let (text, _) = fetch.get(&file.checksum, None, None).await?;
    let name = file.url.path().rsplit('/').next().unwrap_or_default();
    checksum_in(&String::from_utf8_lossy(&text), name).ok_or_else(|| Error::Invalid {
        place: file.checksum.to_string(),
        problem: format!("it holds no sha256 of {name}"),
    })
}

fn artefact(file: File, sha256: String, size: u64) -> Artefact {
    match file.form {
        Form::Program => Artefact::Binary(Binary {
            name: file.name,
            arch: file.arch,
            version: file.version,
            sha256,
            size,
            mode: 0o755,
        }),
        Form::Archive {
            strip,
            members,
            into,
        } => Artefact::Archive(Archive {
            name: file.name,
            arch: file.arch,
            version: file.version,
            sha256,
            size,
            strip,
            members,
            into,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_beside_kubeadms_come_from_where_their_names_say() {
        let names = ["ghcr.io/kube-vip/kube-vip:v1.2.3", "nginx"].map(str::to_owned);
        let all = more(&names, &[Arch::Amd64, Arch::Arm64]).unwrap();
        let shown: Vec<String> = all
            .iter()
            .map(|w| {
                let registry = w.registry.as_ref().map_or("", |r| r.as_str());
                format!(
                    "{registry}{}:{} {:?} {}",
                    w.path,
                    w.tag,
                    w.roles,
                    w.arch.as_str()
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "https://ghcr.io/kube-vip/kube-vip:v1.2.3 ControlPlane amd64",
                "https://ghcr.io/kube-vip/kube-vip:v1.2.3 ControlPlane arm64",
                "https://registry-1.docker.io/library/nginx:latest All amd64",
                "https://registry-1.docker.io/library/nginx:latest All arm64",
            ]
        );
        assert!(all.iter().all(|w| w.needed));
    }
}
