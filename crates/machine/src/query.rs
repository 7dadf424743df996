//! What can be read on a machine, and what was found.

use crate::{Facts, Journal};
use std::collections::BTreeMap;

/// One thing to read. Queries of all resources go into one program ([`crate::probe`]), which asks
/// each tool once for all of them, so that a look at a machine costs a handful of processes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// Type, mode, owner, size, times and link target of a path; links are not followed.
    Stat(String),
    /// SHA-256 of a file's content.
    Sha256(String),
    /// A file's content, at most 1 MiB.
    Content(String),
    /// Version of a Debian package, if it is installed.
    Package(String),
    /// State of a systemd unit.
    Unit(String),
    /// Value of a kernel parameter in dotted form.
    Sysctl(String),
    /// Entry of the user data base.
    User(String),
    /// Entry of the group data base.
    Group(String),
    /// What a program prints and how it ends. The program must not change anything.
    Command(String),
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// `f` file, `d` directory, `l` link, others as `find -printf %y` prints them.
    pub kind: char,
    /// Permission bits.
    pub mode: u32,
    /// Owner's name (or number where it has none).
    pub owner: String,
    /// Group's name (or number where it has none).
    pub group: String,
    /// Bytes.
    pub size: u64,
    /// Time of last change of content, as printed, with fraction.
    pub mtime: String,
    /// Time of last change of the inode, as printed, with fraction.
    pub ctime: String,
    /// Inode number.
    pub inode: u64,
    /// Where a link points to; empty otherwise.
    pub target: String,
}

/// State of a systemd unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// `loaded`, `not-found`, `masked`.
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`.
    pub active: String,
    /// `enabled`, `disabled`, `static`, `masked` or empty.
    pub file: String,
}

/// What a program printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Standard output without the last line break.
    pub text: String,
    /// Exit code.
    pub exit: i32,
}

/// An answer. `None` inside: asked for, but not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Stat`].
    Stat(Option<Stat>),
    /// To the queries that give one text.
    Text(Option<String>),
    /// To [`Query::Unit`].
    Unit(Unit),
    /// To [`Query::Command`].
    Printed(Printed),
}

/// One look at a machine.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// What the machine is.
    pub facts: Facts,
    /// What Bramble recorded there.
    pub journal: Journal,
    /// Everything asked for.
    pub answers: BTreeMap<Query, Answer>,
}

impl Observation {
    /// Whether a query was asked.
    pub fn knows(&self, query: &Query) -> bool {
        self.answers.contains_key(query)
    }

    /// What a path is; `None` if it isn't there (or wasn't asked for).
    pub fn stat(&self, path: &str) -> Option<&Stat> {
        match self.answers.get(&Query::Stat(path.to_owned())) {
            Some(Answer::Stat(stat)) => stat.as_ref(),
            _ => None,
        }
    }

    fn text(&self, query: &Query) -> Option<&str> {
        match self.answers.get(query) {
            Some(Answer::Text(text)) => text.as_deref(),
            _ => None,
        }
    }

    /// Hash of a file's content in hex.
    pub fn sha256(&self, path: &str) -> Option<&str> {
        self.text(&Query::Sha256(path.to_owned()))
    }

    /// A file's content.
    pub fn content(&self, path: &str) -> Option<&str> {
        self.text(&Query::Content(path.to_owned()))
    }

    /// Version of an installed package.
    pub fn package(&self, name: &str) -> Option<&str> {
        self.text(&Query::Package(name.to_owned()))
    }

    /// Value of a kernel parameter; fields separated by one blank.
    pub fn sysctl(&self, name: &str) -> Option<&str> {
        self.text(&Query::Sysctl(name.to_owned()))
    }

    /// Line of the user data base.
    pub fn user(&self, name: &str) -> Option<&str> {
        self.text(&Query::User(name.to_owned()))
    }

    /// Line of the group data base.
    pub fn group(&self, name: &str) -> Option<&str> {
        self.text(&Query::Group(name.to_owned()))
    }

    /// State of a unit.
    pub fn unit(&self, name: &str) -> Unit {
        match self.answers.get(&Query::Unit(name.to_owned())) {
            Some(Answer::Unit(unit)) => unit.clone(),
            _ => Unit::default(),
        }
    }

    /// What a program printed.
    pub fn printed(&self, program: &str) -> Option<&Printed> {
        match self.answers.get(&Query::Command(program.to_owned())) {
            Some(Answer::Printed(printed)) => Some(printed),
            _ => None,
        }
    }
}
