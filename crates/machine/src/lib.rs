//! Resource kinds: what to read, how to compare, the shell that applies and undoes.
//!
//! Invariants:
//! - Never opens a connection, file or clock: programs are made here and run elsewhere.
//! - A plan is a pure function of a resource and an [`Observation`].
//! - Every value that reaches a shell goes through [`shell::Word`].
//! - Whatever a resource replaces is recorded before it is replaced, in a form that is enough to
//!   undo it without the cluster file ([`Undo`]).

pub mod api;
pub mod facts;
pub mod journal;
pub mod kinds;
pub mod probe;
pub mod program;
pub mod query;
pub mod resource;
pub mod shell;
pub mod step;

pub use facts::{Facts, Networking};
pub use journal::{Journal, Record};
pub use kinds::Undo;
pub use query::{Observation, Query};
pub use resource::{Change, Guard, PlanError, Resource, ResourceId, Upload, Verb};
pub use shell::Script;
pub use step::{Blueprint, FactSource, MachineBlueprint, Step, StepRef};

/// Where Bramble keeps its record on a machine: journal, originals, baselines.
pub const HOME: &str = "/var/lib/bramble";
