//! Tests of bundles against real servers on loopback, real programs, and a built bundle where there is one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod built;
mod bundle;
mod containerd;
mod mirror;
mod programs;
mod push;
mod site;
mod upstream;
