//! Against a real API server (with etcd and the controller manager), and kubeconfigs as text.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says why it is skipped"
)]

mod cluster;
mod connecting;
mod draining;
mod fixture;
mod kubeconfigs;
mod nodes;
mod objects;
mod rollouts;
