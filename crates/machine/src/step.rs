//! What a cluster should be, as data: steps of resources on machines.

use crate::api::ApiResource;
use crate::{Resource, Script};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A step on a machine: `("one", "control-plane/init")`. The API is the machine `""`.
pub type StepRef = (String, String);

/// A named part of the whole on one machine.
#[derive(Debug, Clone)]
pub struct Step {
    /// Name such as `base` or `worker/join`.
    pub name: &'static str,
    /// In order; each is compared and changed before the next.
    pub resources: Vec<Arc<dyn Resource>>,
    /// Steps elsewhere that must be finished first, besides those before it on this machine.
    pub needs: Vec<StepRef>,
}

/// Everything one machine should be.
#[derive(Debug, Clone, Default)]
pub struct MachineBlueprint {
    /// In order.
    pub steps: Vec<Step>,
}

/// Everything the cluster's API should hold after certain steps.
#[derive(Debug, Clone)]
pub struct ApiStep {
    /// Name such as `pod-network/routed` or `addon/demo`.
    pub name: String,
    /// What should be there.
    pub resources: Vec<ApiResource>,
    /// Steps that must be finished first.
    pub needs: Vec<StepRef>,
}

/// A value that is known only after a step: how to read it on a machine.
#[derive(Debug, Clone)]
pub struct FactSource {
    /// Machine to ask.
    pub machine: String,
    /// Step that must be finished there first.
    pub after: &'static str,
    /// Program that prints the value.
    pub program: Script,
    /// Program that takes the value back once the run is over (revokes a token); may be empty.
    pub release: Script,
    /// How long a value may be used after it was read; then it is read again. `None`: for ever.
    pub lifetime: Option<Duration>,
}

/// What has to be made on one machine before another can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The machine that lets the other through.
    pub through: String,
    /// The steps there, in order; undone, the other can't be reached any more.
    pub steps: Vec<&'static str>,
}

/// What the whole cluster should be.
#[derive(Debug, Clone, Default)]
pub struct Blueprint {
    /// Name of the cluster.
    pub cluster: String,
    /// By machine.
    pub machines: BTreeMap<String, MachineBlueprint>,
    /// By machine that needs one: how it comes to be reachable.
    pub ways: BTreeMap<String, Way>,
    /// What lives in the API, in order.
    pub api: Vec<ApiStep>,
    /// Values that later steps need.
    pub facts: BTreeMap<String, FactSource>,
    /// Things worth a remark, such as an add-on left out because the bundle lacks its image.
    pub remarks: Vec<String>,
}
