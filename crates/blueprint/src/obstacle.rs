//! What makes it impossible to make a machine what it should be, known before anything is changed.

use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId};

/// Something in the way: as long as the blueprint holds it, there is no plan for the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Name, unique on a machine.
    pub name: String,
    /// What is in the way.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Resource for Obstacle {
    fn id(&self) -> ResourceId {
        format!("obstacle:{}", self.name)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        Vec::new()
    }

    fn plan(&self, _seen: &Observation) -> Result<Option<Change>, PlanError> {
        Err(PlanError::Unfit {
            id: self.id(),
            what: self.what.clone(),
            hint: self.hint.clone(),
        })
    }
}
