//! Cisco Container Platform (CCP) as the place where clusters come from: made from a template, followed, deleted.
//!
//! CCP's REST API exists twice, as version 2 (`/2/...`) and version 3 (`/v3/...`); both are spoken. The product is at the
//! end of its life and its public descriptions are incomplete; what is relied on is said at the place where it is.
//!
//! Invariants:
//! - **Every wait is bounded** by a [`Pace`]; requests have a limit, following has one, and a platform that doesn't
//!   answer is given up after a time that is said.
//! - **Nothing is destroyed that isn't Bramble's**: a cluster carries a mark in its description, and without it it is
//!   neither followed nor deleted.
//! - Asking again is harmless: [`Client::up`] goes on with a cluster that it asked for before, [`Client::down`] with
//!   one that is going already.
//! - The password goes to the platform's login alone, over TLS that is verified; neither it nor the session's token is
//!   in any error.

mod client;
mod cluster;
mod error;
mod file;
mod follow;
mod http;
mod mark;
mod pace;
mod template;
mod wire;

pub use client::{Access, Client};
pub use cluster::{Cluster, Phase, Range, ranges};
pub use error::{Error, FileError};
pub use file::{File, Network, Plugin, TemplateSource, Version};
pub use follow::{Made, Told};
pub use pace::Pace;
pub use template::{Order, machines};
