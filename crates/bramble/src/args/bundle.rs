//! Arguments about bundles, and of the registries that they go to.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Options of `bundle`.
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: BundleAction,
}

/// Where a bundle comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BundleFrom {
    /// Release site and registry of Kubernetes.
    Upstream,
    /// A copy of a bundle at a URL.
    Mirror,
    /// Debian's source package, compiled here.
    Debian,
}

/// Machines that need an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ImageFor {
    /// Every node.
    All,
    /// Control planes only.
    ControlPlane,
}

/// Actions on bundles.
#[derive(Debug, Subcommand)]
pub enum BundleAction {
    /// Make a bundle.
    #[command(
        disable_version_flag = true,
        after_help = "Examples:\n  bramble bundle build --from upstream --version v1.34.2 --arch arm64\n  bramble bundle build --from upstream --image ghcr.io/kube-vip/kube-vip:v1.2.3\n  bramble bundle build --from mirror --url http://mirror.internal/v1.34.2/\n  bramble bundle build --from debian"
    )]
    Build {
        /// Where from.
        #[arg(long, value_enum)]
        from: BundleFrom,
        /// Release of Kubernetes; by default the cluster file's, or Debian's.
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
        /// URL of the mirror (with `--from mirror`), or of another release site.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// URL of another registry, with `--from upstream`.
        #[arg(long, value_name = "URL")]
        registry: Option<String>,
        /// Release that the programs call themselves, with `--from debian`: the source has one, and trying an
        /// upgrade takes two. v1.20 to v1.22.
        #[arg(long, value_name = "VERSION")]
        label: Option<String>,
        /// One more image, with `--from upstream`, such as that of kube-vip; may be given more than once.
        #[arg(long = "image", value_name = "NAME:TAG")]
        images: Vec<String>,
        /// Architecture; may be given more than once. By default this computer's.
        #[arg(long = "arch", value_name = "ARCH")]
        archs: Vec<String>,
        /// Folder to make; by default one in `/var/cache/bramble/bundles` (root) or in the user's cache.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Add an image from a file to a bundle: machines get it with the others.
    #[command(
        after_help = "Examples:\n  docker save ghcr.io/kube-vip/kube-vip:v1.2.3 -o kube-vip.tar && bramble bundle add kube-vip.tar --for control-plane\n  bramble bundle add web.tar --name registry.example/web:1 --dir /var/cache/bramble/bundles/upstream-v1.34.2\n\nA bundle that is built anew with other parameters has only what these name."
    )]
    Add {
        /// File that `docker save`, `podman save` or `skopeo copy` wrote.
        #[arg(value_name = "FILE")]
        image: PathBuf,
        /// What it shall be called; by default as the file calls it.
        #[arg(long, value_name = "NAME:TAG")]
        name: Option<String>,
        /// The machines that need it.
        #[arg(long = "for", value_name = "MACHINES", value_enum, default_value_t = ImageFor::All)]
        machines: ImageFor,
        /// Folder of the bundle; by default the one that the cluster file uses.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Read every file of a bundle and compare it with its digest.
    #[command(
        after_help = "Examples:\n  bramble bundle verify\n  bramble bundle verify /var/cache/bramble/bundles/upstream-v1.34.2"
    )]
    Verify {
        /// Folder; by default the one that the cluster file uses.
        dir: Option<PathBuf>,
    },
    /// Put the images of a bundle into the router's registry, where machines pull them. `up` does it
    /// for the bundle that it uses.
    #[command(
        after_help = "Examples:\n  bramble bundle push\n  bramble bundle push /var/cache/bramble/bundles/upstream-v1.35.0"
    )]
    Push {
        /// Folder; by default the one that the cluster file uses.
        dir: Option<PathBuf>,
    },
    /// Bundles on this computer, or what one of them holds.
    #[command(
        after_help = "Examples:\n  bramble bundle list\n  bramble bundle list /var/cache/bramble/bundles/upstream-v1.34.2"
    )]
    List {
        /// Folder.
        dir: Option<PathBuf>,
    },
}

/// Options of `registry`.
#[derive(Debug, Args)]
pub struct RegistryArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: RegistryAction,
}

/// Actions on the router's registries.
#[derive(Debug, Subcommand)]
pub enum RegistryAction {
    /// Which there are, whether they work, what they hold.
    #[command(after_help = "Example:\n  bramble registry status --output json")]
    Status,
    /// Print the certificate of the registries, for docker, podman and skopeo on your computer.
    #[command(
        after_help = "Examples:\n  bramble registry ca\n  bramble registry ca --quiet > /etc/docker/certs.d/registry.home.internal:5000/ca.crt"
    )]
    Ca,
    /// Put an image into the private registry, by way of SSH.
    #[command(
        after_help = "Examples:\n  docker save web:1 -o web.tar && bramble registry push web.tar\n  bramble registry push web.tar anna/web:2\n\nPods name it as registry.DOMAIN:5000/anna/web:2."
    )]
    Push {
        /// File that `docker save`, `podman save` or `skopeo copy` wrote.
        #[arg(value_name = "FILE")]
        image: PathBuf,
        /// Name and tag; by default the image's own, without its host.
        name: Option<String>,
    },
}
