//! The command line as its users see it: real processes, no cluster.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundle;
mod button;
mod ccp;
mod check;
mod common;
mod contradictions;
mod daemon;
mod files;
mod generated;
mod help;
mod init;
mod kubeconfig;
mod lab;
mod lights;
mod lights_follow;
mod lights_told;
mod lost;
#[allow(dead_code, reason = "the broker's own tests need more of it")]
#[path = "../../../bus/tests/it/mosquitto.rs"]
mod mosquitto;
#[allow(dead_code, reason = "the platform's own tests need more of it")]
#[path = "../../../ccp/tests/it/platform.rs"]
mod platform;
mod registry;
mod remote;
mod remote_kubeconfig;
mod remote_runs;
mod router;
mod serve;
mod served;
mod unreachable;
mod vpn;
mod workstation;
#[allow(dead_code, reason = "the broker's own tests need more of it")]
#[path = "../../../bus/tests/it/world.rs"]
mod world;
