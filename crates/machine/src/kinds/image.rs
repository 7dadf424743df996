//! A container image of the bundle, in containerd's store.

use crate::shell::word;
use crate::{
    Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Upload, Verb,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Lists names and digests; the same text for all images, so that it runs once.
const LIST: &str = "[ ! -S /run/containerd/containerd.sock ] || ctr -n k8s.io images ls | awk 'NR > 1 { print $1, $3 }'";

/// Where an image is pulled from, instead of being brought along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Who serves it, for the plan.
    pub from: String,
    /// containerd's folder of registries, which says how to get there.
    pub hosts: String,
}

/// An image by its full name, such as `k8s.gcr.io/pause:3.2`.
#[derive(Debug, Clone)]
pub struct ContainerImage {
    /// Full reference.
    pub reference: String,
    /// Hash of the archive in the bundle.
    pub sha256: String,
    /// Bytes of the archive.
    pub size: u64,
    /// Digest that containerd shows for it (`sha256:...`).
    pub digest: String,
    /// Pulled by its digest rather than imported from the archive.
    pub pull: Option<Pull>,
}

impl ContainerImage {
    fn import(&self, staged: &str) -> Script {
        let mut script = Script::of(format!("ctr -n k8s.io images import {staged}"));
        script.line(format!(
            "ctr -n k8s.io images ls -q | grep -qxF -- {0} || {{ echo 'the archive holds no image of the name' {0}; exit 1; }}",
            word(&self.reference)
        ));
        script.line(format!("rm -f {staged}"));
        script.extend(&self.pin());
        script
    }

    /// The kubelet's garbage collection leaves a pinned image alone: without a way outside there is no
    /// other place to get it from when a pod needs it again.
    fn pin(&self) -> Script {
        Script::of(format!(
            "ctr -n k8s.io images label {} io.cri-containerd.pinned=pinned >/dev/null",
            word(&self.reference)
        ))
    }

    /// containerd compares every part with its digest, so it does not matter who sends it.
    fn pull(&self, pull: &Pull) -> Script {
        let name = match self.reference.rsplit_once(':') {
            // A colon before the last slash is the registry's port.
            Some((name, tag)) if !tag.contains('/') => name,
            _ => &self.reference,
        };
        let exact = word(format!("{name}@{}", self.digest));
        let (wanted, hosts) = (word(&self.reference), word(&pull.hosts));
        let from = word(&pull.from);
        let mut script = Script::of(format!(
            "ctr -n k8s.io images pull --hosts-dir {hosts} {exact} >/dev/null || {{\n\
             \techo {from} 'does not serve the image: `bramble registry status` says why'\n\texit 1\n}}\n\
             ctr -n k8s.io images tag --force {exact} {wanted} >/dev/null\n\
             ctr -n k8s.io images rm {exact} >/dev/null"
        ));
        script.extend(&self.pin());
        script
    }
}

impl Resource for ContainerImage {
    fn id(&self) -> ResourceId {
        format!("image:{}", self.reference)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Command(LIST.into())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let found = seen.printed(LIST).and_then(|p| {
            let mut all = p.text.lines().filter_map(|line| line.split_once(' '));
            all.find(|(name, _)| *name == self.reference)
        });
        let same = found.is_some_and(|(_, digest)| digest.trim() == self.digest);
        if same && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        let (verb, why) = match found {
            Some(_) if !same => (Verb::Update, ", another image has its name"),
            _ => (Verb::Create, ""),
        };
        let staged = format!("{HOME}/blobs/{}", self.sha256);
        let size = self.size.div_ceil(1_000_000);
        let (apply, summary) = match &self.pull {
            Some(pull) => (
                self.pull(pull),
                format!("pull from {} ({size} MB{why})", pull.from),
            ),
            None => (self.import(&staged), format!("import ({size} MB{why})")),
        };
        let undo = super::Undo::Image(Undo {
            reference: self.reference.clone(),
        });
        let mut change = Change::new(verb, summary, apply, undo);
        if self.pull.is_none() {
            change.uploads.push(Upload {
                sha256: self.sha256.clone(),
                size: self.size,
                to: staged,
            });
        }
        change.limit = Duration::from_secs(900);
        Ok(Some(change))
    }
}

/// How an image is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Full reference.
    pub reference: String,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        Script::of(format!(
            "if [ -S /run/containerd/containerd.sock ]; then ctr -n k8s.io images rm {0} || :; fi",
            word(&self.reference)
        ))
    }

    pub(super) fn summary(&self) -> String {
        format!("remove image {}", self.reference)
    }
}
