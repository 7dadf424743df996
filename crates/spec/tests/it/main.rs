//! Tests of the crate from outside: files in, clusters or problems out.

#![allow(clippy::unwrap_used)]

mod examples;
mod wrong;
