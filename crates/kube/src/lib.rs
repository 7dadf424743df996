//! The Kubernetes API as a place where resources live.
//!
//! Invariants:
//! - Never prints, never runs a program: everything is an HTTP request with a time limit.
//! - A plan writes nothing; applying what is already there writes nothing either.
//! - Only what Bramble put there is taken away: objects by the inventory (`kube-system/bramble-inventory`),
//!   keys of nodes by the record on the node (annotation `bramble.dev/managed`).
//! - Values of Secrets and kubeconfigs never reach a plan, an error or `Debug` output.
//!
//! Objects travel as plain JSON and kinds are looked up by discovery, so one build serves every
//! server version since 1.20. The binary chooses the version feature of `k8s-openapi`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod api;
mod connect;
mod drain;
mod error;
mod inventory;
pub mod kubeconfig;
mod node;
mod nodes;
mod object;
mod pods;
mod rest;
mod rollout;
mod serving;
mod show;
mod status;
mod wait;
mod watch;

pub use api::{Api, Applied, Planned};
pub use drain::DrainOptions;
pub use error::Error;
pub use inventory::{INVENTORY_NAME, INVENTORY_NAMESPACE};
pub use node::{DRAINED, MANAGED};
pub use object::MANAGER;
pub use status::{
    Check, ClusterStatus, NodeCondition, NodeStatus, PodCount, PodTrouble, WarningEvent,
};
pub use wait::Progress;
pub use watch::{Seen, Watched};
