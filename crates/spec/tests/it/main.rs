//! Tests of the crate from outside: files in, clusters or problems out.

#![allow(clippy::unwrap_used)]

mod accepted;
mod care;
mod draft;
mod examples;
mod plan;
mod reference;
mod render;
mod robust;
mod router;
mod schema;
mod value;
mod wrong;
