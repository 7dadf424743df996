//! The cluster file: types, defaults, validation with places and hints, JSON schema, address plan.
//!
//! Invariants: pure (never opens a file, socket or clock); a [`Cluster`] exists only if every check
//! passed; all errors of a file are reported at once, each with its place and a remedy.

pub mod cluster;

pub use cluster::Cluster;
