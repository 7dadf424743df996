//! Kubernetes artefacts as one content-addressed folder: programs, archives and container images of one
//! release, for one or more architectures.
//!
//! A bundle is `bundle.json` (an [`Index`]) and `blobs/sha256/<hex>`. Invariants:
//!
//! - a blob's name is the SHA-256 of its content; nothing gets its final name before that was checked;
//! - `bundle.json` is written last, so a folder with one is a complete bundle;
//! - [`index`] is pure data and does no I/O: planning depends on it alone;
//! - nothing is printed: builds send [`Event`]s, errors carry the tail of the log that explains them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod index;

mod add;
mod archive;
mod build;
mod bundle;
mod debian;
mod error;
mod event;
mod exec;
mod fetch;
mod files;
mod mirror;
mod oci;
mod push;
mod registry;
mod tags;
mod tools;
mod upstream;

pub use add::add_image;
pub use archive::ImageArchive;
pub use build::{DEBIAN_CACHE, Source, build};
pub use bundle::{Bundle, Finding, Report};
pub use debian::{DEMO_PAGE, VERSION as DEBIAN_VERSION};
pub use error::Error;
pub use event::Event;
pub use fetch::Patience;
pub use index::{Artefact, Image, ImageName, ImageRole, Index, parse_version};
pub use push::{Access, Pushed, push, push_bundle};
/// Addresses are reqwest's.
pub use reqwest::Url;
pub use tags::{ImageTags, image_tags};
pub use tools::{Form, Tool, default_tools};
pub use upstream::Upstream;
