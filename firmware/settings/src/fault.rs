//! What is wrong with a text.

/// What is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// The line, from 1; 0 for what isn't there.
    pub line: u16,
    /// What.
    pub wrong: Wrong,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.wrong),
            line => write!(f, "line {line}: {}", self.wrong),
        }
    }
}

/// What is wrong. Values are in none of it: they may be secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A line is neither of these.
    #[error("this is no `name = value`, no comment and no part of a certificate")]
    Line,
    /// A name that isn't known.
    #[error(
        "there is no such setting: id, handler, key, average, topic, wifi, wifi-password, broker, port, user, password, \
         tls, time-server"
    )]
    Name,
    /// A name that was there already.
    #[error("{0} is there twice")]
    Twice(&'static str),
    /// A value that can't be.
    #[error("{0} must be {1}")]
    Value(&'static str, &'static str),
    /// Something isn't there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A certificate that is none.
    #[error("this is no certificate of at most {max} bytes in PEM form", max = crate::CERTIFICATE)]
    Certificate,
    /// Two things that contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// It does not fit.
    #[error("the settings are longer than {max} bytes", max = crate::BLOCK)]
    Long,
}
