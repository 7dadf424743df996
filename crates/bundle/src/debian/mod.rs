//! A bundle from Debian alone: Kubernetes 1.20 from the source package of Debian 12, etcd and the rest from
//! its packages. For places that reach a Debian mirror and nothing else.
//!
//! CoreDNS is not in Debian; the index then has no such image.

mod apt;
mod golang;
mod images;
mod sources;
mod stage;
mod tools;

pub use self::images::DEMO_PAGE;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bramble_spec::cluster::{Arch, Version};
use tokio::process::Command;

use self::stage::{Open, Stage, Stages, key};
use crate::bundle::{Bundle, Writer, standing};
use crate::event::{Phase, Sink};
use crate::exec::Run;
use crate::files::{self, blocking, sha256_hex};
use crate::index::{Artefact, Binary, Image, Index, Origin};
use crate::{Error, oci};

/// The release in Debian 12's source package.
pub const VERSION: Version = Version {
    major: 1,
    minor: 20,
    patch: 2,
};

const CRICTL: &str = include_str!("assets/crictl.sh");
const PAUSE: &str = include_str!("assets/pause.c");

/// How programs are built. As inputs of a stage's key, sources of this crate make sure that no stage of an
/// older recipe is taken for the newer one's; with Go's own cache a needless repetition takes seconds.
const PROGRAMS_RECIPE: &str = include_str!("golang.rs");

/// How images are made.
const IMAGES_RECIPE: &str = concat!(
    include_str!("images.rs"),
    include_str!("../oci.rs"),
    include_str!("assets/demo.sh"),
    include_str!("assets/demo.cgi")
);

/// Everything else.
const RECIPE: &str = "1";

/// Packages whose files go into images or into the build, each alone.
const PACKAGES: [&str; 5] = [
    "etcd-server",
    "etcd-client",
    "libc6",
    "busybox-static",
    "golang-github-modern-go-reflect2-dev",
];

/// Packages of kube-proxy's image, with their dependencies.
const NETWORK: [&str; 4] = ["iptables", "conntrack", "ipset", "nftables"];

/// For programs that take seconds: unpacking, generating, one C file.
const SHORT: Duration = Duration::from_secs(15 * 60);

/// Stages: packages, source, programs, pause, and one for each image, and the bundle.
const STAGES: usize = 5 + 7;

/// Minor releases that the programs may call themselves: kubeadm of 1.20 knows no images of later ones.
const LABELS: std::ops::RangeInclusive<u16> = 20..=22;

/// Builds the bundle in `dir`. `version`: what the programs call themselves.
pub(crate) async fn build(
    cache: &Path,
    version: Version,
    archs: &[Arch],
    dir: &Path,
    events: Sink<'_>,
) -> Result<Bundle, Error> {
    if version.major != VERSION.major || !LABELS.contains(&version.minor) {
        return Err(Error::Request(format!(
            "Debian's source package is Kubernetes {VERSION}: {version} can't be built from it; \
             ask for {VERSION}, or use --from upstream (for tests its programs may call themselves up to v1.22)"
        )));
    }
    let arch = tools::arch()?;
    if archs.iter().any(|a| *a != arch) {
        return Err(Error::Request(format!(
            "a bundle from Debian's source is for this computer's own architecture, {}; \
             build the others on such machines, or use --from upstream",
            arch.as_str()
        )));
    }
    let bundle_key = bundle_key(version, arch);
    if let Some(bundle) = standing(dir, &bundle_key, events).await? {
        return Ok(bundle);
    }
    files::create_dir(cache)?;
    tools::check(arch, &std::env::var("PATH").unwrap_or_default(), cache)?;
    let mut stages = Stages::open(cache, STAGES, events).await?;
    let packages = packages(&mut stages).await?;
    let gopath = source(&mut stages, &packages).await?;
    let programs = programs(&mut stages, &gopath, arch, version).await?;
    let pause = pause(&mut stages, arch).await?;
    let parts = PartPaths {
        programs,
        packages: packages.join("unpacked"),
        network: packages.join("network"),
        pause: pause.join("pause"),
        arch,
    };
    let mut images = Vec::new();
    for recipe in images::recipes(version, arch) {
        images.push(image(&mut stages, recipe, &parts).await?);
    }
    let detail = source_version(&packages)?;
    let origin = Origin {
        kind: "debian".into(),
        detail: format!("source package kubernetes {detail}"),
        key: bundle_key,
    };
    let bundle = assemble(&stages, dir, version, origin, parts, images).await?;
    stages.prune()?;
    Ok(bundle)
}

/// Everything that the bundle depends on, apart from what the mirror holds that day.
fn bundle_key(version: Version, arch: Arch) -> String {
    let version = version.to_string();
    let images = include_str!("images.rs");
    let golang = include_str!("golang.rs");
    let text = [
        RECIPE,
        &version,
        arch.as_str(),
        CRICTL,
        PAUSE,
        images,
        golang,
    ]
    .join("\0");
    sha256_hex(text.as_bytes())
}

struct PartPaths {
    programs: PathBuf,
    packages: PathBuf,
    network: PathBuf,
    pause: PathBuf,
    arch: Arch,
}

fn run<'a>(stages: &Stages<'a>, stage: &'a str, log: &'a Path) -> Run<'a> {
    Run {
        stage,
        log,
        limit: SHORT,
        events: stages.events(),
    }
}

fn go_cache(stages: &Stages<'_>) -> PathBuf {
    stages.cache().join("go")
}

/// Source package and packages, downloaded and (packages) unpacked.
async fn packages(stages: &mut Stages<'_>) -> Result<PathBuf, Error> {
    let name = "packages";
    let inputs = [RECIPE, &PACKAGES.join(" "), &NETWORK.join(" ")];
    let open = match stages.begin(name, &inputs)? {
        Stage::Done(path) => return Ok(path),
        Stage::Open(open) => open,
    };
    let log = stages.log(name);
    let run = run(stages, name, &log);
    let list = sources::private_list(Path::new("/etc/apt"))?;
    let apt = apt::Apt::new(&stages.cache().join("apt"), &list)?;
    apt.update(&run).await?;
    let sub = |name: &str| -> Result<PathBuf, Error> {
        let path = open.path().join(name);
        files::create_dir(&path)?;
        Ok(path)
    };
    apt.source("kubernetes", &sub("source")?, &run).await?;
    apt.download(&PACKAGES, &sub("debs")?, &run).await?;
    apt.download_with_dependencies(&NETWORK, &sub("network-debs")?, &run)
        .await?;
    apt::unpack_all(&sub("debs")?, &sub("unpacked")?, &run).await?;
    apt::unpack_all(&sub("network-debs")?, &sub("network")?, &run).await?;
    stages.finish(open)
}

/// The version of the source package that was fetched.
fn source_version(packages: &Path) -> Result<String, Error> {
    let found = apt::with_extension(&packages.join("source"), "dsc")?;
    let name = found
        .first()
        .and_then(|p| p.file_stem())
        .unwrap_or_default()
        .to_string_lossy();
    Ok(name.strip_prefix("kubernetes_").unwrap_or(&name).to_owned())
}

/// The tree, ready to compile.
async fn source(stages: &mut Stages<'_>, packages: &Path) -> Result<PathBuf, Error> {
    let name = "source";
    let open = match stages.begin(name, &[PROGRAMS_RECIPE, &key(packages)])? {
        Stage::Done(path) => return Ok(path),
        Stage::Open(open) => open,
    };
    let log = stages.log(name);
    let run = run(stages, name, &log);
    golang::prepare(
        &packages.join("source"),
        &packages.join("unpacked"),
        open.path(),
        &go_cache(stages),
        &run,
    )
    .await?;
    stages.finish(open)
}

async fn programs(
    stages: &mut Stages<'_>,
    gopath: &Path,
    arch: Arch,
    version: Version,
) -> Result<PathBuf, Error> {
    let name = "programs";
    let label = version.to_string();
    let inputs = [PROGRAMS_RECIPE, &key(gopath), arch.as_str(), &label];
    let open = match stages.begin(name, &inputs)? {
        Stage::Done(path) => return Ok(path),
        Stage::Open(open) => open,
    };
    let log = stages.log(name);
    let run = run(stages, name, &log);
    golang::build(gopath, &go_cache(stages), arch, version, open.path(), &run).await?;
    stages.finish(open)
}

async fn pause(stages: &mut Stages<'_>, arch: Arch) -> Result<PathBuf, Error> {
    let name = "pause";
    let open = match stages.begin(name, &[RECIPE, PAUSE, arch.as_str()])? {
        Stage::Done(path) => return Ok(path),
        Stage::Open(open) => open,
    };
    let log = stages.log(name);
    let run = run(stages, name, &log);
    let source = open.path().join("pause.c");
    std::fs::write(&source, PAUSE).map_err(Error::io("write", &source))?;
    let mut compile = Command::new("gcc");
    compile
        .args([
            "-static",
            "-Os",
            "-s",
            "-Wall",
            "-Wl,--build-id=none",
            "-o",
            "pause",
            "pause.c",
        ])
        .current_dir(open.path());
    run.run(&mut compile).await?;
    stages.finish(open)
}

/// An image's tar and what the index says of it.
struct Built {
    tar: PathBuf,
    recipe: images::Recipe,
    digest: String,
}

async fn image(
    stages: &mut Stages<'_>,
    recipe: images::Recipe,
    parts: &PartPaths,
) -> Result<Built, Error> {
    let short = recipe.reference.rsplit('/').next().unwrap_or_default();
    let name = format!("image {}", short.split(':').next().unwrap_or_default());
    let inputs = [
        IMAGES_RECIPE,
        &recipe.reference,
        &key(&parts.programs),
        &key(parts.packages.parent().unwrap_or(Path::new(""))),
        &key(parts.pause.parent().unwrap_or(Path::new(""))),
    ];
    let path = match stages.begin(&name, &inputs)? {
        Stage::Done(path) => path,
        Stage::Open(open) => {
            let mut layer = oci::Layer::default();
            let parts = images::Parts {
                programs: &parts.programs,
                packages: &parts.packages,
                network: &parts.network,
                pause: &parts.pause,
                arch: parts.arch,
            };
            (recipe.fill)(&parts, &mut layer)?;
            let open = write(
                open,
                recipe.reference.clone(),
                parts.arch,
                layer,
                recipe.start.clone(),
            )
            .await?;
            stages.finish(open)?
        }
    };
    let digest = path.join("digest");
    let digest = std::fs::read_to_string(&digest).map_err(Error::io("read", &digest))?;
    Ok(Built {
        tar: path.join("image.tar"),
        recipe,
        digest,
    })
}

async fn write(
    open: Open,
    reference: String,
    arch: Arch,
    layer: oci::Layer,
    start: oci::Start,
) -> Result<Open, Error> {
    blocking("writing an image", move || {
        let tar = open.path().join("image.tar");
        let digest = oci::write_image(&tar, &reference, arch, &layer, &start)?;
        let path = open.path().join("digest");
        std::fs::write(&path, digest).map_err(Error::io("write", &path))?;
        Ok(open)
    })
    .await
}

async fn assemble(
    stages: &Stages<'_>,
    dir: &Path,
    version: Version,
    origin: Origin,
    parts: PartPaths,
    images: Vec<Built>,
) -> Result<Bundle, Error> {
    let phase = Phase::begin(stages.events(), "bundle", STAGES, STAGES);
    let dir = dir.to_owned();
    let bundle = blocking("writing the bundle", move || {
        let writer = Writer::new(&dir)?;
        let arch = parts.arch;
        let mut artefacts = Vec::new();
        let mut binary = |name: &str, version: &str, path: &Path| -> Result<(), Error> {
            let (sha256, size) = writer.add_file(path)?;
            artefacts.push(Artefact::Binary(Binary {
                name: name.into(),
                arch,
                version: version.into(),
                sha256,
                size,
                mode: 0o755,
            }));
            Ok(())
        };
        for name in ["kubeadm", "kubelet", "kubectl"] {
            binary(name, &version.to_string(), &parts.programs.join(name))?;
        }
        let shim = dir.join("blobs/crictl.part");
        std::fs::write(&shim, CRICTL).map_err(Error::io("write", &shim))?;
        binary("crictl", "shim-1", &shim)?;
        std::fs::remove_file(&shim).map_err(Error::io("remove", &shim))?;
        for image in images {
            let (sha256, size) = writer.add_file(&image.tar)?;
            artefacts.push(Artefact::Image(Image {
                reference: image.recipe.reference,
                arch,
                roles: image.recipe.roles,
                sha256,
                size,
                image_digest: image.digest,
            }));
        }
        writer.finish(&Index::new(version, origin, vec![arch], artefacts))
    })
    .await?;
    phase.done();
    Ok(bundle)
}
