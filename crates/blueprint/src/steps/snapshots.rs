//! Snapshots of etcd that every control plane takes by itself: a script run by a timer, with a copy to S3
//! where the file names a place.
//!
//! A snapshot holds every secret of the cluster: the folder and all files in it are root's alone. The key for
//! S3 is in a file that only root reads; curl gets it from there, signs with it, and never sends it.

use crate::context::{On, r};
use crate::proxy;
use bramble_etcd::program::MEMBER;
use bramble_machine::kinds::{Action, Check, Content, File, Packages, Service};
use bramble_machine::{Resource, Script, Step};
use bramble_secret::Secret;
use bramble_spec::cluster::{Role, S3, Snapshots};
use std::fmt::Write as _;
use std::sync::Arc;

const NAME: &str = "control-plane/snapshots";
const SCRIPT: &str = "/usr/local/lib/bramble-etcd-snapshot";
const KEY: &str = "/etc/bramble-etcd-snapshot.curl";
const SERVICE: &str = "/etc/systemd/system/bramble-etcd-snapshot.service";
const TIMER: &str = "/etc/systemd/system/bramble-etcd-snapshot.timer";
const FOLDER: &str = "/var/lib/bramble-etcd/scheduled";

pub(super) fn step(on: &On) -> Option<Step> {
    let snapshots = on.cluster().etcd.snapshots.as_ref()?;
    if !on.is(Role::ControlPlane) {
        return None;
    }
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    let mut files = vec![
        File::new(SCRIPT, Content::Bytes(script().into_bytes()), 0o755),
        File::text(SERVICE, service(on, snapshots)),
        File::text(TIMER, timer(snapshots)),
    ];
    if let Some(s3) = &snapshots.s3 {
        let names = ["curl", "ca-certificates"];
        out.push(r(Packages::new("etcd-snapshots", names)));
        let key = key(&on.secret(&s3.credentials_file), s3);
        files.push(File::new(KEY, Content::Secret(key), 0o600));
    }
    let watch: Vec<String> = files.iter().map(|f| format!("file:{}", f.path)).collect();
    out.extend(files.into_iter().map(r));
    out.push(r(folder()));
    // Started anew, the timer runs the script a minute later: with another key or place, that is soon.
    out.push(r(Service::on("bramble-etcd-snapshot.timer").watching(watch)));
    Some(on.step(NAME, out))
}

/// Snapshots are what is left of a cluster whose etcd is gone: taking them away is said as a loss.
fn folder() -> Action {
    let make = format!("(umask 077; mkdir -p {FOLDER})");
    Action::new(
        "etcd-snapshots",
        "a closed folder for snapshots of etcd",
        Check::Exists(FOLDER.into()),
        Script::of(make),
    )
    .undone_by(format!(
        "systemctl stop bramble-etcd-snapshot.timer bramble-etcd-snapshot.service 2>/dev/null || :\n\
         systemctl reset-failed bramble-etcd-snapshot.service 2>/dev/null || :\n\
         rm -rf {FOLDER}\n\
         rmdir {} 2>/dev/null || :",
        FOLDER.trim_end_matches("/scheduled")
    ))
    .destroying("the snapshots of etcd that this machine took")
}

fn script() -> String {
    format!(
        "#!/bin/sh\n# Made by Bramble.\nset -eu\numask 077\nexport LC_ALL=C\n{}{}{}",
        MEMBER,
        include_str!("snapshots_s3.sh"),
        include_str!("snapshots.sh"),
    )
}

/// curl(1), `--config`: what is quoted knows backslashes.
fn key(pair: &Secret, s3: &S3) -> Secret {
    let (id, key) = pair.expose().split_once('\n').unwrap_or_default();
    let user = format!("{id}:{key}")
        .replace('\\', r"\\")
        .replace('"', r#"\""#);
    Secret::new(format!(
        "user = \"{user}\"\naws-sigv4 = \"aws:amz:{}:s3\"\n",
        s3.region
    ))
}

fn service(on: &On, snapshots: &Snapshots) -> String {
    let mut variables = vec![
        ("SNAPSHOTS_EVERY", snapshots.every.as_secs().to_string()),
        ("SNAPSHOTS_KEEP", snapshots.keep.to_string()),
    ];
    let mut credential = "";
    if let Some(s3) = &snapshots.s3 {
        credential = "LoadCredential=curl:/etc/bramble-etcd-snapshot.curl\n";
        // Control planes take theirs apart from each other, at nearly the same time.
        let prefix = format!("{}/{}", s3.prefix, on.machine.name);
        variables.extend([
            ("S3_ENDPOINT", s3.endpoint.clone()),
            ("S3_BUCKET", s3.bucket.clone()),
            ("S3_PREFIX", prefix),
        ]);
        variables.extend(proxy::curl(on));
    }
    let mut lines = String::new();
    for (name, value) in variables {
        let _ = writeln!(lines, "Environment=\"{name}={}\"", value.replace('%', "%%"));
    }
    format!(
        "# Made by Bramble.\n\
         [Unit]\n\
         Description=Bramble: a snapshot of etcd\n\
         After=containerd.service network-online.target\n\n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={SCRIPT}\n\
         {lines}{credential}{HARDENING}"
    )
}

/// containerd's client is root's and makes pipes in containerd's folder; else nothing but the snapshots and
/// etcd's folder, through which they come, is written.
const HARDENING: &str = "\
TimeoutStartSec=3600
Nice=10
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/var/lib/bramble-etcd -/var/lib/etcd -/run/containerd
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
";

/// The delay lets control planes that came up together do it one after the other, more or less.
fn timer(snapshots: &Snapshots) -> String {
    format!(
        "# Made by Bramble.\n\
         [Unit]\n\
         Description=Bramble: snapshots of etcd now and then\n\n\
         [Timer]\n\
         OnActiveSec=60\n\
         OnUnitActiveSec={}\n\
         RandomizedDelaySec=60\n\
         AccuracySec=5\n\n\
         [Install]\n\
         WantedBy=timers.target\n",
        snapshots.every.as_secs()
    )
}
