//! The release of Kubernetes that a node runs: noted on it when it is made, raised step by step.

use crate::context::On;
use crate::proxy;
use crate::steps::control_plane::ignored;
use bramble_etcd::program as etcd;
use bramble_machine::kinds::{Undo, action};
use bramble_machine::shell::word;
use bramble_machine::{
    Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Verb,
};
use bramble_spec::cluster::Version;
use std::time::Duration;

const FIELD: &str = "kubernetes.version";
/// What kubeadm made of the cluster's version on this control plane: the API server's static pod.
pub const API_SERVER: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

/// Where snapshots of etcd are kept on a control plane.
const SNAPSHOTS: &str = bramble_etcd::HOME;

/// The id of the change that raises a control plane's own pods.
pub(crate) const PODS: &str = "release:control-plane";

/// The note, on a control plane.
pub(crate) fn noted(on: &On) -> Release {
    Release {
        version: on.version(),
        follow: Script::new(),
    }
}

/// The note, on a worker: with another release the kubelet's configuration is fetched anew.
pub(crate) fn followed(on: &On) -> Release {
    let mut follow = Script::new();
    proxy::export(&mut follow, &proxy::environment(on, &proxy::no_proxy(on)));
    follow.line(format!("kubeadm upgrade node{}", ignored(on)));
    Release {
        version: on.version(),
        follow,
    }
}

/// The note of the release of this node.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    version: Version,
    /// What another release asks for before the kubelet is changed.
    follow: Script,
}

fn path() -> String {
    format!("{HOME}/fixed.{FIELD}")
}

/// Kubernetes' version skew policy: no way back, and one minor release at a time.
fn way(found: &str, wanted: Version, id: ResourceId) -> Result<(), PlanError> {
    let unfit = |what: String, hint: &str| {
        Err(PlanError::Unfit {
            id: id.clone(),
            what,
            hint: hint.to_owned(),
        })
    };
    let Ok(old) = bramble_bundle::parse_version(found) else {
        return unfit(
            format!("the note of its release says {found:?}"),
            "write the release that runs there into /var/lib/bramble/fixed.kubernetes.version, such as v1.34.2",
        );
    };
    let (old_minor, minor) = ((old.major, old.minor), (wanted.major, wanted.minor));
    if (old.major, old.minor, old.patch) > (wanted.major, wanted.minor, wanted.patch) {
        return unfit(
            format!("it runs {old}, the file says {wanted}, and Kubernetes doesn't go back"),
            "put the version back; a cluster's data can't be read by an older release",
        );
    }
    if old_minor.0 == minor.0 && minor.1 > old_minor.1 + 1 {
        return unfit(
            format!("it runs {old}, and no minor release may be left out on the way to {wanted}"),
            "bramble up goes there step by step where the bundles of the releases between are on this computer; a worker that was away for longer than the others: bramble machine replace NAME",
        );
    }
    Ok(())
}

impl Resource for Release {
    fn id(&self) -> ResourceId {
        format!("fixed:{FIELD}")
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Content(path())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let note = seen.content(&path()).map(str::trim);
        let note = note.filter(|note| !note.is_empty());
        let wanted = self.version.to_string();
        let pending = seen.journal.pending(&self.id()) && seen.journal.completed(&self.id());
        let at = word(path());
        let write = format!(
            "printf '%s\\n' {} > {at}.new\nsync {at}.new\nmv -fT {at}.new {at}",
            word(&wanted)
        );
        let undo = Undo::Action(action::Undo {
            name: self.id(),
            title: format!("{FIELD} {wanted}"),
            program: format!("rm -f {at} {at}.new"),
            destroys: None,
        });
        match note {
            Some(found) if found == wanted && !pending => Ok(None),
            Some(found) => {
                way(found, self.version, self.id())?;
                let mut apply = self.follow.clone();
                apply.line(write);
                let summary = if found == wanted {
                    format!(
                        "{wanted}, once more: an interrupted run may not have come to the kubelet"
                    )
                } else {
                    format!("{found} → {wanted}")
                };
                let mut change = Change::new(Verb::Update, summary, apply, undo);
                change.empties = true;
                Ok(Some(change))
            }
            None => Ok(Some(Change::new(
                Verb::Create,
                wanted,
                Script::of(write),
                undo,
            ))),
        }
    }
}

/// The pods of a control plane: their release follows the file, by kubeadm.
#[derive(Debug, Clone)]
pub(crate) struct Pods {
    version: Version,
    program: Script,
}

impl Pods {
    pub(crate) fn of(on: &On, has_dns: bool) -> Self {
        let mut program = Script::new();
        proxy::export(
            &mut program,
            &proxy::environment(on, &on.cluster().no_proxy()),
        );
        program.line(format!("target={}", word(on.version().to_string())));
        program.line(format!("ignored={}", word(ignored(on).trim_start())));
        program.line(format!("dns={}", if has_dns { "1" } else { "''" }));
        let file = format!("{SNAPSHOTS}/before-{}.db", on.version());
        // A run that goes on keeps the one from before it; one of an attempt long ago is nothing to go back to.
        program.line(format!("find {file} -mmin +1440 -delete 2>/dev/null || :"));
        program.line(etcd::snapshot(&file));
        program.line(include_str!("steps/upgrade.sh"));
        Self {
            version: on.version(),
            program,
        }
    }
}

/// The release of an API server's static pod, by its manifest; `None` where it names none.
pub fn api_server(manifest: &str) -> Option<Version> {
    bramble_bundle::parse_version(tag(manifest)?).ok()
}

/// The release that a static pod's image is of.
fn tag(manifest: &str) -> Option<&str> {
    let image = manifest
        .lines()
        .find_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image:"))?;
    image.trim().rsplit_once(':').map(|(_, tag)| tag)
}

impl Resource for Pods {
    fn id(&self) -> ResourceId {
        PODS.into()
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Content(API_SERVER.into()), Query::Content(path())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        // Without a note nothing was made here yet.
        let note = seen.content(&path()).map(str::trim);
        let Some(found) = seen
            .content(API_SERVER)
            .and_then(tag)
            .filter(|_| note.is_some())
        else {
            return Ok(None);
        };
        let wanted = self.version.to_string();
        if found == wanted && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        way(found, self.version, self.id())?;
        let undo = Undo::Action(action::Undo {
            name: self.id(),
            title: "the snapshots of etcd from before upgrades".into(),
            program: format!("rm -f {SNAPSHOTS}/before-*\nrmdir {SNAPSHOTS} 2>/dev/null || :"),
            destroys: Some("the snapshots of etcd from before upgrades".into()),
        });
        let summary = format!("{found} → {wanted}, after a snapshot of etcd");
        let mut change = Change::new(Verb::Update, summary, self.program.clone(), undo);
        change.limit = Duration::from_secs(1200);
        Ok(Some(change))
    }
}
