//! What a home keeps: documents by kind and name, and logs that only grow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A cluster that should be, or was.
    Cluster,
    /// A machine of the pool.
    Machine,
    /// What clusters are made after.
    Template,
    /// One `up` or `down`.
    Run,
    /// A hardware button.
    Button,
    /// A set of lights.
    Light,
    /// Somebody who may log in.
    User,
    /// What a program logs in with.
    Token,
    /// Somebody who has logged in.
    Session,
    /// Something that the daemon keeps for itself.
    Setting,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 10] = [
        Kind::Cluster,
        Kind::Machine,
        Kind::Template,
        Kind::Run,
        Kind::Button,
        Kind::Light,
        Kind::User,
        Kind::Token,
        Kind::Session,
        Kind::Setting,
    ];

    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Cluster => "cluster",
            Kind::Machine => "machine",
            Kind::Template => "template",
            Kind::Run => "run",
            Kind::Button => "button",
            Kind::Light => "light",
            Kind::User => "user",
            Kind::Token => "token",
            Kind::Session => "session",
            Kind::Setting => "setting",
        }
    }

    /// The kind of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its name, unique in its kind.
    pub name: String,
}

impl Key {
    /// The document of that kind and name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.kind, self.name)
    }
}

/// A document at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Which.
    pub key: Key,
    /// Version, opaque: only equal or not.
    pub version: String,
    /// What it says.
    pub body: Value,
}

/// Which log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Log {
    /// What happened in a run, by its name.
    Run(String),
    /// Who did what.
    Audit,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place, from 1; later lines have higher ones.
    pub at: u64,
    /// What it says.
    pub text: String,
}

/// Something has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A document was made or replaced.
    Put(Key),
    /// A document was deleted.
    Deleted(Key),
    /// A log has grown.
    Grown(Log),
}
