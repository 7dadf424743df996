//! The resource kinds, one file each.

use crate::Script;
use serde::{Deserialize, Serialize};

pub mod action;
pub mod binary;
pub mod file;
pub mod image;
pub mod package;
pub mod service;

pub use action::{Action, Check};
pub use binary::Binary;
pub use file::{Content, File};
pub use image::ContainerImage;
pub use package::Packages;
pub use service::Service;

/// How a resource is undone: all that is needed, without the cluster file that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Undo {
    /// Of [`File`].
    File(file::Undo),
    /// Of [`Packages`].
    Packages(package::Undo),
    /// Of [`Service`].
    Service(service::Undo),
    /// Of [`Action`].
    Action(action::Undo),
    /// Of [`Binary`].
    Binary(binary::Undo),
    /// Of [`ContainerImage`].
    Image(image::Undo),
}

impl Undo {
    /// The shell that undoes; may be run again after it was cut off.
    pub fn script(&self) -> Script {
        match self {
            Undo::File(u) => u.script(),
            Undo::Packages(u) => u.script(),
            Undo::Service(u) => u.script(),
            Undo::Action(u) => u.script(),
            Undo::Binary(u) => u.script(),
            Undo::Image(u) => u.script(),
        }
    }

    /// What has to run once everything else of the step is undone, such as the restart of a
    /// service whose configuration is the original again.
    pub fn finally(&self) -> Script {
        match self {
            Undo::Service(u) => u.finally(),
            _ => Script::new(),
        }
    }

    /// One line for the plan.
    pub fn summary(&self) -> String {
        match self {
            Undo::File(u) => u.summary(),
            Undo::Packages(u) => u.summary(),
            Undo::Service(u) => u.summary(),
            Undo::Action(u) => u.summary(),
            Undo::Binary(u) => u.summary(),
            Undo::Image(u) => u.summary(),
        }
    }

    /// What holds when a resource is changed again: the first original stays, except where the
    /// later way to undo covers more.
    #[must_use]
    pub fn or_later(self, later: Undo) -> Undo {
        match (&self, &later) {
            // An action's undo is a program, and the newest one knows best.
            (Undo::Action(_), Undo::Action(_)) => later,
            _ => self,
        }
    }
}
