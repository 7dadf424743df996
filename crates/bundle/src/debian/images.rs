//! The images of a Debian bundle: one layer each, from programs built here and Debian packages.

use std::path::Path;

use bramble_spec::cluster::{Arch, Version};

use super::tools::multiarch;
use crate::Error;
use crate::index::ImageRole;
use crate::oci::{Layer, Start};

/// What starts the demo web service.
const DEMO_START: &str = include_str!("assets/demo.sh");
/// The demo page: a CGI program for the shell of busybox that says which pod served it.
pub const DEMO_PAGE: &str = include_str!("assets/demo.cgi");

/// Image of the demo web service.
pub(crate) const DEMO: &str = "bramble.dev/demo:1";

/// kubeadm 1.20 asks for this name; the program is Debian's 3.4.23.
const ETCD: &str = "k8s.gcr.io/etcd:3.4.13-0";

/// Where the parts of images are.
pub(crate) struct Parts<'a> {
    /// Programs from [`super::golang`].
    pub programs: &'a Path,
    /// `etcd-server`, `etcd-client`, `libc6`, `busybox-static`, unpacked.
    pub packages: &'a Path,
    /// `iptables` and so on with all dependencies, unpacked.
    pub network: &'a Path,
    /// The static pause program.
    pub pause: &'a Path,
    pub arch: Arch,
}

/// An image to write.
pub(crate) struct Recipe {
    pub reference: String,
    pub roles: ImageRole,
    pub start: Start,
    pub fill: fn(&Parts<'_>, &mut Layer) -> Result<(), Error>,
}

/// All images, with the names that kubeadm 1.20 wants.
pub(crate) fn recipes(version: Version, arch: Arch) -> Vec<Recipe> {
    use ImageRole::{All, ControlPlane};
    let kube = |name: &str| format!("k8s.gcr.io/{name}:{version}");
    let recipe = |reference: String, roles, entry: &[&str], fill| Recipe {
        reference,
        roles,
        start: Start {
            entrypoint: entry.iter().map(|s| s.to_string()).collect(),
            env: Vec::new(),
            ports: Vec::new(),
        },
        fill,
    };
    let mut recipes = vec![
        recipe(
            kube("kube-apiserver"),
            ControlPlane,
            &["kube-apiserver"],
            |p, l| program(p, l, "kube-apiserver"),
        ),
        recipe(
            kube("kube-controller-manager"),
            ControlPlane,
            &["kube-controller-manager"],
            |p, l| program(p, l, "kube-controller-manager"),
        ),
        recipe(
            kube("kube-scheduler"),
            ControlPlane,
            &["kube-scheduler"],
            |p, l| program(p, l, "kube-scheduler"),
        ),
        recipe(ETCD.into(), ControlPlane, &["etcd"], etcd),
        recipe(kube("kube-proxy"), All, &["kube-proxy"], kube_proxy),
        recipe("k8s.gcr.io/pause:3.2".into(), All, &["/pause"], |p, l| {
            l.file("pause", p.pause, 0o755);
            Ok(())
        }),
        recipe(DEMO.into(), All, &["/usr/local/bin/demo"], demo),
    ];
    for recipe in &mut recipes {
        match recipe.reference.as_str() {
            DEMO => recipe.start.ports = vec![8080],
            // etcd 3.4 refuses to start on 64-bit ARM without; upstream's image says so too.
            ETCD if arch == Arch::Arm64 => {
                recipe.start.env = vec!["ETCD_UNSUPPORTED_ARCH=arm64".into()]
            }
            _ => {}
        }
    }
    recipes
}

/// What every program expects to find.
fn common(layer: &mut Layer) {
    layer
        .dir("tmp", 0o1777)
        .dir("var/tmp", 0o1777)
        .dir("run", 0o755)
        .dir("etc/ssl/certs", 0o755)
        .bytes(
            "etc/passwd",
            "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
            0o644,
        )
        .bytes("etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644)
        // Without it the C library asks DNS before /etc/hosts.
        .bytes(
            "etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\nservices: files\n",
            0o644,
        );
}

fn program(parts: &Parts<'_>, layer: &mut Layer, name: &str) -> Result<(), Error> {
    common(layer);
    layer.file(
        &format!("usr/local/bin/{name}"),
        &parts.programs.join(name),
        0o755,
    );
    Ok(())
}

/// Debian's etcd is linked with the C library.
fn etcd(parts: &Parts<'_>, layer: &mut Layer) -> Result<(), Error> {
    common(layer);
    for name in ["etcd", "etcdctl"] {
        let from = parts.packages.join("usr/bin").join(name);
        layer.file(&format!("usr/local/bin/{name}"), &from, 0o755);
    }
    let folder = format!("lib/{}", multiarch(parts.arch));
    let libraries = [
        "ld-linux",
        "libc.so",
        "libpthread.so",
        "libdl.so",
        "libresolv.so",
        "libnss_files.so",
        "libnss_dns.so",
    ];
    layer.tree(parts.packages, &|path| {
        let library = path
            .strip_prefix(&folder)
            .and_then(|rest| rest.strip_prefix('/'));
        match library {
            Some(name) => libraries.iter().any(|l| name.starts_with(l)),
            // Folders on the way, and the link under which the kernel looks for the loader.
            None => {
                matches!(path, "lib" | "lib64")
                    || path == folder
                    || path.starts_with("lib64/ld-linux")
                    || path.starts_with("lib/ld-linux")
            }
        }
    })?;
    layer.dir("var/lib/etcd", 0o700);
    Ok(())
}

/// kube-proxy calls iptables, conntrack and ipset.
fn kube_proxy(parts: &Parts<'_>, layer: &mut Layer) -> Result<(), Error> {
    common(layer);
    layer.tree(parts.network, &|path| {
        let unused = path.starts_with("usr/share/")
            || path.starts_with("usr/games")
            || path.contains("/gconv")
            || path.contains("/audit")
            || path.starts_with("usr/bin/")
            || path.starts_with("etc/init.d");
        !unused
    })?;
    // What the package's install script does with alternatives: the nftables back end.
    for name in ["iptables", "ip6tables"] {
        for tool in ["", "-save", "-restore"] {
            layer.link(&format!("usr/sbin/{name}{tool}"), "xtables-nft-multi");
        }
    }
    layer.file(
        "usr/local/bin/kube-proxy",
        &parts.programs.join("kube-proxy"),
        0o755,
    );
    Ok(())
}

/// A web page that says which pod served it.
fn demo(parts: &Parts<'_>, layer: &mut Layer) -> Result<(), Error> {
    common(layer);
    layer.file("bin/busybox", &parts.packages.join("bin/busybox"), 0o755);
    for applet in [
        "sh", "httpd", "hostname", "cat", "ls", "ps", "wget", "nslookup", "ping", "ip", "sleep",
        "env", "id",
    ] {
        layer.link(&format!("bin/{applet}"), "busybox");
    }
    layer
        .bytes("usr/local/bin/demo", DEMO_START, 0o755)
        // httpd runs this for a folder without index.html: nothing is written, so a read-only root does.
        .bytes("www/cgi-bin/index.cgi", DEMO_PAGE, 0o755);
    Ok(())
}
