//! Real Debian machines on this computer: systemd-nspawn over overlays of one root image, and the
//! networks between them.
//!
//! Invariants:
//! - knows nothing of clusters: the input is a plain [`Topology`];
//! - nothing is left behind: every name (bridge, veth, table, cgroup) derives from the lab's name
//!   and is recorded before the thing is made, so [`Lab::down`] finds it after any kind of death;
//! - a machine's mounts and network namespace belong to its own supervisor: the computer's mount
//!   table never changes, and when the machine dies they are gone;
//! - never prints; long calls report [`Event`]s.
//!
//! Machines share this computer's kernel and have every capability: they stand in for real machines
//! in tests, and are no wall around programs that aren't trusted.
//!
//! The calls block (they wait for processes): asynchronous callers use a blocking thread.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod apt;
mod cgroup;
mod command;
mod disk;
mod error;
mod event;
mod host;
mod image;
mod lab;
mod machines;
mod network;
mod parallel;
mod power;
mod preflight;
mod remove;
mod reserve;
mod ssh;
mod state;
mod status;
mod topology;

pub use error::{Error, Result};
pub use event::{Event, WaitFor};
pub use image::{DEFAULT_CACHE, ImageOptions, image_path, root_image};
pub use lab::{DEFAULT_BASE, Lab, Options};
pub use network::{host_nameservers, in_use};
pub use preflight::{Missing, preflight};
pub use reserve::Reservation;
pub use status::{LabStatus, MachineState, MachineStatus};
pub use topology::{AddressMode, Boot, LabMachine, Link, Net, Topology};
