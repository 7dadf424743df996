//! Nodes that are not what they look like: one that lives on without the file that says so, and one that
//! somebody else made. What makes a node would make another one over the data of the first, and take
//! the second for its own.

use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId};

/// There is no plan while `file` is missing, something of `alive` is there, and it is not the first
/// try of the action that was cut off (then what is there is its own, and it cleans up by itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// Name, unique on a machine.
    pub name: &'static str,
    /// Id of the action that makes the node.
    pub action: ResourceId,
    /// Path of the file that says that the node is made.
    pub file: &'static str,
    /// Paths that only a node that was made has.
    pub alive: &'static [&'static str],
    /// What is in the way.
    pub what: &'static str,
    /// What to do about it.
    pub hint: String,
}

impl Resource for Remains {
    fn id(&self) -> ResourceId {
        format!("remains:{}", self.name)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        let paths = self.alive.iter().chain([&self.file]);
        paths.map(|p| Query::Stat((*p).to_owned())).collect()
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let there = |path: &&str| seen.stat(path).is_some();
        let journal = &seen.journal;
        let half_made = journal.pending(&self.action) && !journal.completed(&self.action);
        if there(&self.file) || !self.alive.iter().any(there) || half_made {
            return Ok(None);
        }
        Err(PlanError::Unfit {
            id: self.id(),
            what: self.what.into(),
            hint: self.hint.clone(),
        })
    }
}

/// There is no plan for a control plane whose manifests are set aside by who restores or recovers etcd: a plan would
/// put them back, and members of the old cluster would run beside those of the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// The machine.
    pub machine: String,
}

impl Aside {
    /// What says so, what it means, and what to do about it.
    fn signs(&self) -> [(String, &'static str, String); 3] {
        use bramble_etcd::{HOME, RESTORE};
        [
            (
                format!("{RESTORE}/begun"),
                "a restore of etcd began here and did not end",
                "go on with it: bramble etcd restore FILE, or take it back: bramble etcd restore --back".into(),
            ),
            (
                format!("{HOME}/recover/etcd.yaml"),
                "a recovery of etcd began here and did not end",
                "go on with it: bramble etcd recover".into(),
            ),
            (
                format!("{HOME}/aside/etcd.yaml"),
                "it is out of service: etcd was recovered without it",
                format!("make it anew: bramble down --machine {}, then bramble up", self.machine),
            ),
        ]
    }
}

impl Resource for Aside {
    fn id(&self) -> ResourceId {
        "remains:etcd".into()
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        self.signs()
            .into_iter()
            .map(|(path, ..)| Query::Stat(path))
            .collect()
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let mut signs = self.signs().into_iter();
        match signs.find(|(path, ..)| seen.stat(path).is_some()) {
            Some((_, what, hint)) => Err(PlanError::Unfit {
                id: self.id(),
                what: what.into(),
                hint,
            }),
            None => Ok(None),
        }
    }
}

/// There is no plan for a machine that has one of `files` without the record of an action that makes
/// them: it is a node of somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Paths that only nodes have.
    pub files: &'static [&'static str],
    /// Ids of the actions that make them.
    pub actions: &'static [&'static str],
}

impl Resource for Foreign {
    fn id(&self) -> ResourceId {
        "foreign:node".into()
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        let paths = self.files.iter();
        paths.map(|p| Query::Stat((*p).to_owned())).collect()
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let ours = self.actions.iter().any(|a| seen.journal.find(a).is_some());
        match self.files.iter().find(|path| seen.stat(path).is_some()) {
            Some(file) if !ours => Err(PlanError::Unfit {
                id: self.id(),
                what: format!("it is a node that Bramble did not make: {file} is there"),
                hint: "is this the right machine? If it is, take it out of the cluster that it belongs to, then run on it: kubeadm reset".into(),
            }),
            _ => Ok(None),
        }
    }
}
