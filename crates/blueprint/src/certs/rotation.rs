//! The programs that replace the CAs of a cluster, in stages that each leave it working.
//!
//! Source: kubernetes.io, "Manual Rotation of CA Certificates". kubeadm's own tools take the first certificate
//! of a file for the one that signs; the rest are only trusted.

use super::programs::whole;
use bramble_secret::Secret;

const FUNCTIONS: &str = include_str!("rotate.sh");

/// How far a machine has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has the new CAs; nothing uses them.
    Made,
    /// It trusts old and new ones; the old ones sign.
    Trusted,
    /// The new ones have signed all that it shows to others.
    Issued,
    /// It trusts the new ones alone.
    Dropped,
    /// All machines have come to the end; what the rotation kept goes.
    Done,
}

impl Stage {
    const ALL: [Stage; 5] = [
        Stage::Made,
        Stage::Trusted,
        Stage::Issued,
        Stage::Dropped,
        Stage::Done,
    ];

    /// As it is written down on a machine.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Made => "made",
            Stage::Trusted => "trusted",
            Stage::Issued => "issued",
            Stage::Dropped => "dropped",
            Stage::Done => "done",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == text)
    }
}

fn part(values: &[(&str, &str)], body: &str) -> Secret {
    whole(values, &format!("{FUNCTIONS}{body}"))
}

/// Makes the new CAs, where there are none yet. Says `keys` with all of them, for control planes, and `public`
/// with the certificate alone, for workers.
pub fn make() -> Secret {
    part(&[], include_str!("rotate_make.sh"))
}

/// Gives a machine what [`make`] said.
pub fn hand_over(keys: &Secret) -> Secret {
    part(&[("keys", keys.expose())], include_str!("rotate_take.sh"))
}

/// Brings a machine's files to a stage; what runs there still has the old ones.
pub fn trust(stage: Stage) -> Secret {
    part(&[("stage", stage.name())], include_str!("rotate_stage.sh"))
}

/// Notes that everything on a machine has come to a stage.
pub fn reach_stage(stage: Stage) -> Secret {
    part(&[("stage", stage.name())], include_str!("rotate_reach.sh"))
}

/// Waits, on a control plane, until all that pods trust is of this stage, and lets the system's pods start
/// anew. Says `rolled NAME`.
pub fn wait_roots(stage: Stage) -> Secret {
    part(&[("stage", stage.name())], include_str!("rotate_roots.sh"))
}

/// Says `told NAMESPACE/KIND/NAME` of what is not the system's own and may have to be restarted, and
/// `node NAME` of each node.
pub fn told() -> Secret {
    part(&[], include_str!("rotate_told.sh"))
}

/// Takes what a rotation kept on a machine away, the old keys with it.
pub fn cleanup() -> Secret {
    part(&[], "rm -rf $R\n")
}
