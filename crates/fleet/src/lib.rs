//! SSH to many machines: pools, jump hosts, agent, known hosts.
//!
//! [`Fleet`] keeps one connection per machine and per jump host, shared by all who ask for it at the
//! same time. A [`Session`] on it runs programs as root, copies files, holds programs (locks) and
//! carries TCP connections.
//!
//! Invariants:
//!
//! - **It never knows what it carries.** Programs, lines and files are bytes here; nothing in this
//!   crate knows a resource, a step or a cluster.
//! - **A host key is always checked**, against a pinned fingerprint or against known hosts files.
//!   There is no switch that turns this off; an unknown key can only be learned, a changed or revoked
//!   one is always an error.
//! - **Programs and passwords travel over stdin**, never in an argument vector. A sudo password is sent
//!   only after sudo has asked for it, so it can't reach the shell as a command.
//! - **A program that arrives in part never starts**: it is sent as one compound command, which the
//!   shell runs only after it has read the closing brace.
//! - **Every wait has a limit and a name**; the error says what was waited for, on which machine, and
//!   how long. A program that passes its limit is ended on the machine too.
//! - **One machine's trouble stays its own**: handshakes run in tasks of their own, a panic in one is an
//!   [`Error::Panicked`].
//! - **Each jump host gets one connection**; machines behind it use channels on that, with a bounded
//!   number of handshakes at a time (`sshd`'s `MaxStartups` drops bursts).

mod auth;
mod connection;
mod connector;
mod error;
mod forward;
mod hold;
mod interactive;
mod known_hosts;
mod pool;
mod program;
mod put;
mod run;
mod shell;
mod target;
mod tunnel;
mod watcher;

pub use error::{ChangedKey, Error};
pub use forward::Forward;
pub use hold::Held;

pub use pool::Fleet;
pub use run::{Exit, Finished, Session};
pub use target::{Options, Sudo, Target};
