//! Real sshd, ssh-agent, sudo on loopback.
//!
//! Most tests need root, as sshd and useradd do; without it they say so in one line and pass.

#![allow(clippy::unwrap_used)]

mod connecting;
mod fixture;
mod interactive;
mod programs;
mod sudo;
