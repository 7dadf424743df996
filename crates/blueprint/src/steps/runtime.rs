//! containerd: the package or the bundle's release, its configuration, registry mirrors.

use super::memory;
use super::registries;
use super::runtime_config::{CERTS, CONFIG, Generation, config, drop_in};
use crate::context::{On, r};
use crate::fixed::Fixed;
use crate::obstacle::Obstacle;
use bramble_bundle::index;
use bramble_machine::kinds::{Action, Archive, Binary, Check, Directory, File, Packages, Service};
use bramble_machine::shell::words;
use bramble_machine::{HOME, Resource, Script, Step};
use bramble_spec::cluster::Runtime;
use std::sync::Arc;

const DROP_IN: &str = "/etc/systemd/system/containerd.service.d";
const UNIT: &str = "/etc/systemd/system/containerd.service";
/// Where Debian's package has the plug-ins; links to them stand in [`PLUGINS`].
pub(super) const DEBIAN_PLUGINS: &str = "/usr/lib/cni";
/// Where containerd looks for plug-ins.
pub(super) const PLUGINS: &str = "/opt/cni/bin";
/// Where containerd looks for networks.
const NETWORKS: &str = "/etc/cni/net.d";
/// First on the path, before Debian's.
const RUNC: &str = "/usr/local/sbin/runc";

/// What containerd and the plug-ins make at run time.
const LEFTOVERS: [&str; 7] = [
    "/var/lib/containerd",
    "/etc/containerd",
    "/opt/containerd",
    "/run/containerd",
    "/opt/cni",
    "/etc/cni",
    "/var/lib/cni",
];

pub(super) fn step(on: &On) -> Option<Step> {
    if !on.machine.is_node() {
        return None;
    }
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    if memory::off(on) {
        out.push(r(memory::on_before(on)));
    }
    // A change would take images and containers away under the kubelet.
    out.push(r(Fixed {
        of: "node",
        field: "runtime.source",
        value: match on.cluster().runtime {
            Runtime::Debian => "debian".into(),
            Runtime::Bundle => "bundle".into(),
        },
        hint: "put the old value back; to change it, take the cluster down and up again".into(),
    }));
    let mut watch = vec![format!("file:{CONFIG}")];
    let generation = match on.cluster().runtime {
        Runtime::Debian => {
            let packages = ["containerd", "containernetworking-plugins"];
            out.push(r(Packages::new("runtime", packages).leaving(LEFTOVERS)));
            Generation::One
        }
        Runtime::Bundle => {
            let generation = programs(on, &mut out);
            out.push(r(File::text(UNIT, CONTAINERD_UNIT)));
            watch.extend([format!("file:{UNIT}"), "archive:containerd".to_owned()]);
            out.push(r(Directory::new("/etc/containerd")));
            generation
        }
    };
    out.push(r(Directory::new(CERTS)));
    out.extend(registries::resources(on));
    out.push(r(File::text(CONFIG, config(on, generation))));
    if let Some(text) = drop_in(on) {
        let path = format!("{DROP_IN}/bramble.conf");
        watch.push(format!("file:{path}"));
        out.push(r(Directory::new(DROP_IN)));
        out.push(r(File::text(path, text)));
    }
    // containerd watches the folder that it found when it began: it never sees another one.
    out.push(r(Directory::new("/etc/cni")));
    out.push(r(Directory::new(NETWORKS)));
    watch.push(format!("directory:{NETWORKS}"));
    out.push(r(Service::on("containerd.service").watching(watch)));
    Some(on.step("runtime", out))
}

/// The sandbox image's full name, as the bundle has it.
pub(super) fn pause_image(on: &On) -> Option<String> {
    let image = on.inputs.bundle?.image("pause", on.arch())?;
    Some(image.reference.clone())
}

/// containerd, runc and the plug-ins from the bundle. Without a bundle, which is none of this
/// step's business, without them.
fn programs(on: &On, out: &mut Vec<Arc<dyn Resource>>) -> Generation {
    // First, so that it is undone last.
    out.push(r(leftovers()));
    let Some(bundle) = on.inputs.bundle else {
        return Generation::Two;
    };
    let mut missing = Vec::new();
    let mut generation = Generation::Two;
    match bundle.archive("containerd", on.arch()) {
        Some(found) => {
            if found.version.trim_start_matches('v').starts_with("1.") {
                generation = Generation::One;
            }
            out.push(r(archive(found)));
        }
        None => missing.push("containerd"),
    }
    match bundle.binary("runc", on.arch()) {
        Some(found) => out.push(r(Binary {
            path: RUNC.into(),
            sha256: found.sha256.clone(),
            size: found.size,
            mode: 0o755,
            version: format!("runc {}", found.version),
        })),
        None => missing.push("runc"),
    }
    match bundle.archive("cni-plugins", on.arch()) {
        Some(found) => {
            let mut plugins = archive(found);
            plugins.folder = PLUGINS.into();
            // The developer's own plug-ins win.
            plugins.except = super::pod_custom::own_plugins(on);
            out.push(r(plugins));
        }
        None => missing.push("cni-plugins"),
    }
    if !missing.is_empty() {
        out.push(r(Obstacle {
            name: "runtime".into(),
            what: format!(
                "the bundle holds no {} for {}, and runtime.source is bundle",
                missing.join(", no "),
                on.arch().as_str()
            ),
            hint: "take Debian's containerd (runtime.source: debian), or build a bundle that has them: bramble bundle build --from upstream".into(),
        }));
    }
    generation
}

fn archive(of: &index::Archive) -> Archive {
    Archive::new(of.name.as_str(), &of.version, &of.sha256, of.size)
        .into_folder(&of.into)
        .strip(of.strip)
        .members(of.members.clone())
}

/// Notes which folders were not there before, and takes them away in the end.
fn leftovers() -> Action {
    let note = format!("{HOME}/runtime.absent");
    let run = Script::of(format!(
        "for p in {}; do [ -e \"$p\" ] || printf '%s\\n' \"$p\"; done >{note}.new\nmv {note}.new {note}",
        words(LEFTOVERS)
    ));
    let undo = format!(
        "if [ -e {note} ]; then\n\twhile IFS= read -r p; do rm -rf -- \"$p\"; done <{note}\n\trm -f {note}\nfi"
    );
    Action::new(
        "runtime-leftovers",
        "note which folders of the runtime are new",
        Check::Exists(note),
        run,
    )
    .undone_by(undo)
}

/// After containerd's own (containerd.io, "Getting started"): containers outlive a restart, and the
/// runtime has control groups of its own.
const CONTAINERD_UNIT: &str = "\
# Made by Bramble.
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target dbus.service local-fs.target

[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
";
