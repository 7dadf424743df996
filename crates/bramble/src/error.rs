//! What a command fails with: a kind that decides the exit code, a message, hints.

use std::fmt::Display;

/// Decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something did not work.
    Failed,
    /// Wrong use, or a wrong file.
    Usage,
    /// `plan --exit-code`: there are changes. Says nothing.
    Changes,
    /// A machine could not be reached.
    Unreachable,
    /// Somebody else is at work.
    Locked,
    /// A machine was changed by somebody else between the look and the lock.
    Stale,
    /// Interrupted by the operator.
    Interrupted,
    /// The exit code of a program that ran in this command's place.
    Code(u8),
}

impl Kind {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Changes => 3,
            Kind::Unreachable => 4,
            Kind::Locked | Kind::Stale => 5,
            Kind::Interrupted => 130,
            Kind::Code(code) => code,
        }
    }
}

/// A failed command.
#[derive(Debug)]
pub struct CliError {
    /// Decides the exit code.
    pub kind: Kind,
    /// What went wrong; empty = everything was said already.
    pub message: String,
    /// What to do next.
    pub hints: Vec<String>,
}

impl CliError {
    /// An error of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Something did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Wrong use.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Ends with this kind; what there was to say has been said.
    pub fn silent(kind: Kind) -> Self {
        Self::new(kind, "")
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Writes an error and everything that caused it in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Some libraries repeat their source in their own message.
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        source = error.source();
    }
    out
}

/// Turns library errors into failures with a place.
pub trait Explain<T> {
    /// The failure `<what>: <chain>`.
    fn explain(self, what: impl Display) -> Result<T, CliError>;
}

impl<T, E: std::error::Error> Explain<T> for Result<T, E> {
    fn explain(self, what: impl Display) -> Result<T, CliError> {
        self.map_err(|error| CliError::failed(format!("{what}: {}", chain(&error))))
    }
}

impl From<bramble_fleet::Error> for CliError {
    fn from(error: bramble_fleet::Error) -> Self {
        let text = chain(&error);
        if error.is_unreachable() {
            return CliError::new(Kind::Unreachable, text)
                .hint("`bramble fleet ping` shows which machines answer");
        }
        CliError::failed(text)
    }
}

impl From<bramble_kube::Error> for CliError {
    fn from(error: bramble_kube::Error) -> Self {
        let out = CliError::failed(chain(&error));
        match error.hint() {
            Some(hint) => out.hint(hint),
            None => out,
        }
    }
}
