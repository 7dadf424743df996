//! containerd's configuration.
//!
//! Source: containerd, docs/cri/config.md, docs/hosts.md. containerd 2 split the CRI plug-in in two and
//! moved its settings (configuration version 3).

use super::runtime::{PLUGINS, pause_image};
use crate::context::On;
use crate::proxy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bramble_secret::Secret;
use std::fmt::Write as _;

pub(super) const CONFIG: &str = "/etc/containerd/config.toml";
pub(super) const CERTS: &str = "/etc/containerd/certs.d";

/// Which form of configuration containerd reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// containerd 1.x: version 2.
    One,
    /// containerd 2.x: version 3.
    Two,
}

/// The whole configuration.
pub(super) fn config(on: &On, generation: Generation) -> String {
    match generation {
        Generation::One => version_2(on),
        Generation::Two => version_3(on),
    }
}

fn version_2(on: &On) -> String {
    let cri = "plugins.\"io.containerd.grpc.v1.cri\"";
    let runc = format!("{cri}.containerd.runtimes.runc");
    let mut out = String::from("# Made by Bramble.\nversion = 2\n\n");
    let _ = writeln!(out, "[{cri}]");
    if let Some(image) = pause_image(on) {
        let _ = writeln!(out, "  sandbox_image = \"{image}\"");
    }
    if !on.facts.oom_adjustable {
        out.push_str("  restrict_oom_score_adj = true\n");
    }
    let _ = writeln!(
        out,
        "\n[{cri}.cni]\n  bin_dir = \"{PLUGINS}\"\n  conf_dir = \"/etc/cni/net.d\""
    );
    let _ = writeln!(
        out,
        "\n[{runc}]\n  runtime_type = \"io.containerd.runc.v2\""
    );
    let _ = writeln!(
        out,
        "\n[{runc}.options]\n  SystemdCgroup = {}",
        on.facts.cgroup2
    );
    let _ = writeln!(out, "\n[{cri}.registry]\n  config_path = \"{CERTS}\"");
    out
}

/// Folders of plug-ins and their configuration are the defaults: the setting's name changed between
/// 2.0 (`bin_dir`) and 2.1 (`bin_dirs`).
fn version_3(on: &On) -> String {
    let images = "plugins.'io.containerd.cri.v1.images'";
    let runtime = "plugins.'io.containerd.cri.v1.runtime'";
    let runc = format!("{runtime}.containerd.runtimes.runc");
    let mut out = String::from("# Made by Bramble.\nversion = 3\n");
    if let Some(image) = pause_image(on) {
        let _ = writeln!(out, "\n[{images}.pinned_images]\n  sandbox = \"{image}\"");
    }
    let _ = writeln!(out, "\n[{images}.registry]\n  config_path = \"{CERTS}\"");
    if !on.facts.oom_adjustable {
        let _ = writeln!(out, "\n[{runtime}]\n  restrict_oom_score_adj = true");
    }
    let _ = writeln!(
        out,
        "\n[{runc}]\n  runtime_type = \"io.containerd.runc.v2\""
    );
    let _ = writeln!(
        out,
        "\n[{runc}.options]\n  SystemdCgroup = {}",
        on.facts.cgroup2
    );
    out
}

/// Somewhere that images of a host can be pulled from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Source {
    /// Scheme, host and port, and with `below` a path.
    pub url: String,
    /// File of a certificate to trust.
    pub ca: Option<String>,
    /// Certificates are not checked.
    pub unchecked: bool,
    /// The URL's path stands before those of the images.
    pub below: bool,
    /// Name and password.
    pub login: Option<(String, Secret)>,
}

impl Source {
    /// A registry at a URL.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }
}

/// Where the images of a registry are pulled from, in the order in which it is tried; at last the
/// registry itself.
pub(super) fn hosts_toml(server: &Source, sources: &[Source]) -> String {
    let mut out = format!("# Made by Bramble.\nserver = \"{}\"\n", server.url);
    settings(server, "", "header", &mut out);
    // containerd 1.6 takes no file without any.
    let itself = [server.clone()];
    let sources = if sources.is_empty() { &itself } else { sources };
    for source in sources {
        let table = format!("host.\"{}\"", source.url);
        let _ = write!(
            out,
            "\n[{table}]\n  capabilities = [\"pull\", \"resolve\"]\n"
        );
        settings(source, "  ", &format!("{table}.header"), &mut out);
    }
    out
}

/// What else is to be known of a registry; the login in a table of this name.
fn settings(source: &Source, indent: &str, table: &str, out: &mut String) {
    if source.below {
        let _ = writeln!(out, "{indent}override_path = true");
    }
    if let Some(ca) = &source.ca {
        let _ = writeln!(out, "{indent}ca = \"{ca}\"");
    }
    if source.unchecked {
        let _ = writeln!(out, "{indent}skip_verify = true");
    }
    if let Some((user, password)) = &source.login {
        let login = STANDARD.encode(format!("{user}:{}", password.expose()));
        let _ = writeln!(
            out,
            "{indent}[{table}]\n{indent}  authorization = \"Basic {login}\""
        );
    }
}

/// What the machine and the proxy ask of the unit; `None` if nothing.
pub(super) fn drop_in(on: &On) -> Option<String> {
    let mut out = String::new();
    if !on.facts.oom_adjustable {
        // systemd refuses to start a unit whose score it can't lower.
        out.push_str("OOMScoreAdjust=0\n");
    }
    for (name, value) in proxy::environment(on, &proxy::no_proxy(on)) {
        // A percent sign begins a specifier in a unit.
        let _ = writeln!(out, "Environment=\"{name}={}\"", value.replace('%', "%%"));
    }
    (!out.is_empty()).then(|| format!("# Made by Bramble.\n[Service]\n{out}"))
}
