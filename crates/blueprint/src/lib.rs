//! What every machine and API of a cluster should be: the one ordered list of steps.
//!
//! Invariants:
//! - Pure: a function of the validated file, the observed facts of the machines, the bundle's index
//!   and the files that the cluster file names. It opens nothing and asks no clock.
//! - [`steps`] is the table of contents; everything that a machine gets is in one of its steps.
//! - No special case for any platform: what differs is a fact that was observed or a quirk that the
//!   file names.

mod borrowed;
pub mod certs;
mod context;
mod fixed;
mod interfaces;
mod kept;
pub mod kubeadm;
mod limits;
mod masked;
mod obstacle;
mod proxy;
mod reach;
pub mod registry;
mod release;
mod remains;
mod served;
pub mod steps;
pub mod vpn;
mod ways;

pub use context::{Assets, Fresh, Inputs, On, Secrets, UserKeys, VpnKeys};
pub use limits::limits;
pub use release::{API_SERVER, api_server};
pub use steps::{blueprint, holds_nodes, hook_points, manifests, node_steps, step_names};
