//! containerd: the package or the bundle's release, its configuration, registry mirrors.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{Directory, File, Packages, Service};
use std::fmt::Write as _;

const CONFIG: &str = "/etc/containerd/config.toml";
const CERTS: &str = "/etc/containerd/certs.d";
const DROP_IN: &str = "/etc/systemd/system/containerd.service.d";

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.machine.is_node() {
        return None;
    }
    let mut watch = vec![format!("file:{CONFIG}")];
    let mut out = vec![
        r(
            Packages::new("runtime", ["containerd", "containernetworking-plugins"]).leaving([
                "/var/lib/containerd",
                "/etc/containerd",
                "/opt/containerd",
                "/run/containerd",
                "/opt/cni",
                "/etc/cni",
                "/var/lib/cni",
            ]),
        ),
        r(Directory::new(CERTS)),
    ];
    for (host, urls) in &on.cluster().mirrors.registries {
        let folder = format!("{CERTS}/{host}");
        out.push(r(Directory::new(&folder)));
        // Read by containerd at every pull: no restart.
        out.push(r(File::text(
            format!("{folder}/hosts.toml"),
            hosts_toml(host, urls),
        )));
    }
    out.push(r(File::text(CONFIG, config(on))));
    if let Some(text) = drop_in(on) {
        let path = format!("{DROP_IN}/bramble.conf");
        watch.push(format!("file:{path}"));
        out.push(r(Directory::new(DROP_IN)));
        out.push(r(File::text(path, text)));
    }
    out.push(r(Service::on("containerd.service").watching(watch)));
    Some(on.step("runtime", out))
}

/// The sandbox image's full name, as the bundle has it.
pub(super) fn pause_image(on: &On) -> Option<String> {
    on.inputs
        .bundle?
        .image("pause", on.arch())
        .map(|i| i.reference.clone())
}

fn config(on: &On) -> String {
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
        "\n[{cri}.cni]\n  bin_dir = \"/opt/cni/bin\"\n  conf_dir = \"/etc/cni/net.d\""
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

fn hosts_toml(host: &str, urls: &[String]) -> String {
    let server = if host == "docker.io" {
        "registry-1.docker.io"
    } else {
        host
    };
    let mut out = format!("# Made by Bramble.\nserver = \"https://{server}\"\n");
    for url in urls {
        let _ = write!(
            out,
            "\n[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        );
    }
    out
}

fn drop_in(on: &On) -> Option<String> {
    let mut out = String::new();
    if !on.facts.oom_adjustable {
        // systemd refuses to start a unit whose score it can't lower.
        out.push_str("OOMScoreAdjust=0\n");
    }
    if let Some(proxy) = &on.cluster().proxy {
        for (name, url) in [("HTTP_PROXY", &proxy.http), ("HTTPS_PROXY", &proxy.https)] {
            if let Some(url) = url {
                let _ = writeln!(out, "Environment=\"{name}={url}\"");
            }
        }
        let _ = writeln!(
            out,
            "Environment=\"NO_PROXY={}\"",
            on.cluster().no_proxy().join(",")
        );
    }
    (!out.is_empty()).then(|| format!("# Made by Bramble.\n[Service]\n{out}"))
}
