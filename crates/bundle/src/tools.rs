//! Programs beside Kubernetes' own that a node needs, and where their projects publish them.

use bramble_spec::cluster::{Arch, Version};

/// A program or archive that its project publishes at a predictable address.
///
/// In addresses `{version}` stands for [`Tool::version`], `{arch}` for `amd64` or `arm64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Name in the index.
    pub name: String,
    /// Release, without a leading `v`.
    pub version: String,
    /// Address of the file.
    pub file: String,
    /// Address of a file with its SHA-256.
    pub checksum: String,
    /// What to do with it.
    pub form: Form,
}

/// What a published file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The program itself.
    Program,
    /// A gzip-compressed tar.
    Archive {
        /// Leading path components to drop.
        strip: u32,
        /// What to unpack; empty: everything.
        members: Vec<String>,
        /// Folder to unpack into.
        into: String,
    },
}

impl Tool {
    pub(crate) fn fill(&self, template: &str, arch: Arch) -> String {
        template
            .replace("{version}", &self.version)
            .replace("{arch}", arch.as_str())
    }
}

/// crictl, containerd, runc and the CNI plugins, in releases that go with a Kubernetes release. All addresses
/// are below `base`, which is laid out like `https://github.com`.
///
/// Kubernetes before 1.26 speaks the runtime interface v1alpha2, which containerd 2 no longer has.
pub fn default_tools(base: &str, kubernetes: Version) -> Vec<Tool> {
    let base = base.trim_end_matches('/');
    let old = (kubernetes.major, kubernetes.minor) < (1, 26);
    let containerd = if old { "1.7.29" } else { "2.2.3" };
    let tool = |name: &str, version: &str, project: &str, file: &str, checksum: &str, form| Tool {
        name: name.into(),
        version: version.into(),
        file: format!("{base}/{project}/releases/download/v{{version}}/{file}"),
        checksum: format!("{base}/{project}/releases/download/v{{version}}/{checksum}"),
        form,
    };
    let archive = |members: &[&str], into: &str| Form::Archive {
        strip: 0,
        members: members.iter().map(|m| m.to_string()).collect(),
        into: into.into(),
    };
    vec![
        tool(
            "crictl",
            // The project makes a .0 for every minor release of Kubernetes, fixes for few.
            &format!("{}.{}.0", kubernetes.major, kubernetes.minor),
            "kubernetes-sigs/cri-tools",
            "crictl-v{version}-linux-{arch}.tar.gz",
            "crictl-v{version}-linux-{arch}.tar.gz.sha256",
            archive(&["crictl"], "/usr/local/bin"),
        ),
        tool(
            "containerd",
            containerd,
            "containerd/containerd",
            "containerd-{version}-linux-{arch}.tar.gz",
            "containerd-{version}-linux-{arch}.tar.gz.sha256sum",
            archive(&[], "/usr/local"),
        ),
        tool(
            "runc",
            "1.3.3",
            "opencontainers/runc",
            "runc.{arch}",
            "runc.sha256sum",
            Form::Program,
        ),
        tool(
            "cni-plugins",
            "1.9.1",
            "containernetworking/plugins",
            "cni-plugins-linux-{arch}-v{version}.tgz",
            "cni-plugins-linux-{arch}-v{version}.tgz.sha256",
            archive(&[], "/opt/cni/bin"),
        ),
    ]
}
