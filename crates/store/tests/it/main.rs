//! The store as its callers see it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apiserver;
mod definitions;
mod homes;
mod killed;
mod kubernetes;
mod records;
