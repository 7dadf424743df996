//! The cluster file: types, defaults, validation with places and hints, JSON schema, address plan.
//!
//! Invariants: pure (never opens a file, socket or clock); a [`Cluster`] exists only if every check
//! passed; all errors of a file are reported at once, each with its place and a remedy.
//!
//! The way of a file: text → tree with places (`tree`) → checked against the JSON schema, which
//! is made from the types in [`mod@file`] (`shape`) → those types → rules that no schema can
//! say, defaults and the address [`plan`] (`resolve`) → [`Cluster`].

pub mod cluster;
mod document;
pub mod draft;
pub mod edit;
pub mod file;
mod named;
pub mod plan;
mod problem;
mod resolve;
mod schema;
mod shape;
mod syntax;
mod tree;

pub use cluster::Cluster;
pub use document::Document;
pub use draft::{Draft, DraftMachine, lan_behind};
pub use named::{Fault, named};
pub use problem::{Place, Problem, Problems, Related};
pub use schema::{schema, schema_of};
pub use shape::Seg;
pub use syntax::{dns_label, duration};

use cluster::Version;

/// The release of Kubernetes for files that name none.
pub const DEFAULT_VERSION: Version = Version {
    major: 1,
    minor: 34,
    patch: 2,
};

/// What a file may refer to and this crate doesn't know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Names of the steps that hooks can hang on; empty = any well-formed name of a machine's step.
    pub known_steps: &'a [&'a str],
}

/// Reads and checks a cluster file. `file_name` is for messages only.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(file_name: &str, text: &str) -> Result<Cluster, Problems> {
    load_with(file_name, text, &Context::default())
}

/// [`load`], with knowledge of what the file may refer to.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load_with(file_name: &str, text: &str, context: &Context<'_>) -> Result<Cluster, Problems> {
    check(text, context).map_err(|problems| Problems::new(file_name, text, problems))
}

/// What a file says, read as [`load`] reads it, without any check: for who keeps files in another form than
/// text. `None` where it is no YAML.
pub fn value(text: &str) -> Option<serde_json::Value> {
    let (root, _) = tree::parse(text);
    root.map(|root| root.to_json())
}

/// Whether text can be a host: an address or a DNS name, without a port.
pub fn is_host(text: &str) -> bool {
    syntax::host(text)
}

fn check(text: &str, context: &Context<'_>) -> Result<Cluster, Vec<Problem>> {
    let (root, mut problems) = tree::parse(text);
    let Some(mut root) = root else {
        return Err(problems);
    };
    if let Some(problem) = resolve::foreign(&root) {
        problems.push(problem);
        return Err(problems);
    }
    let shape = shape::check(&mut root, schema::shared());
    problems.extend(shape.problems);
    let file: file::File = match serde_json::from_value(root.to_json()) {
        Ok(file) => file,
        Err(error) => {
            // The schema is made from the types, so what fits it can be read; were that ever untrue
            // for some file, saying so beats a panic.
            problems.push(
                Problem::new(
                    "unreadable",
                    root.place,
                    format!("the file can't be read: {error}"),
                )
                .hint("please report this file as a defect of Bramble"),
            );
            return Err(problems);
        }
    };
    let (cluster, more) = resolve::resolve(&file, &root, &shape.damaged, context);
    problems.extend(more);
    match cluster {
        Some(cluster) if problems.is_empty() => Ok(cluster),
        _ => Err(problems),
    }
}
