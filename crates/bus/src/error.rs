//! What can go wrong, with what to do about it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why there is no bus, or it did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A broker's address can't be read.
    #[error("{text:?} is no address of a broker: {why}")]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A proxy's address can't be read.
    #[error("{text:?} is no address of a SOCKS5 proxy")]
    Proxy {
        /// What was given.
        text: String,
    },
    /// A file with a certificate or key can't be used.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// An address can't be listened at.
    #[error("{address} can't be listened at")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answered, or not as a broker does.
    #[error("the broker {broker} can't be reached: {why}")]
    Unreachable {
        /// Which.
        broker: String,
        /// Why.
        why: String,
    },
    /// Its computer is there, but no program takes connections at that port.
    #[error("nobody listens at {broker}")]
    Closed {
        /// Which.
        broker: String,
    },
    /// Its certificate is not believed.
    #[error("the certificate of {broker} {why}")]
    Certificate {
        /// Which.
        broker: String,
        /// Why not.
        why: Distrust,
    },
    /// The broker doesn't let this client in.
    #[error("the broker {broker} refuses {user}: {why}")]
    Refused {
        /// Which.
        broker: String,
        /// Who.
        user: String,
        /// Why.
        why: String,
    },
    /// The broker sends its clients to another server. Nobody follows it there: whoever can speak for a broker would
    /// have the password as well.
    #[error("the broker {broker} sends its clients to another server, which is not followed")]
    Elsewhere {
        /// Which.
        broker: String,
    },
    /// There is no connection at the moment.
    #[error("there is no connection to the broker")]
    Down,
    /// The broker doesn't allow it.
    #[error("the broker doesn't allow this client to {act} {topic}")]
    Denied {
        /// `publish to` or `subscribe to`.
        act: &'static str,
        /// Topic or filter.
        topic: String,
    },
    /// The broker didn't answer in time.
    #[error("the broker didn't answer within {seconds} s")]
    Late {
        /// How long it was waited for.
        seconds: u64,
    },
    /// Anything else that the connection didn't do.
    #[error("{what} {topic} failed: {why}")]
    Failed {
        /// `publishing to` or `subscribing to`.
        what: &'static str,
        /// Topic or filter.
        topic: String,
        /// Why.
        why: String,
    },
}

/// Why a certificate is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// None of the authorities in a file signed it.
    Signed {
        /// The file.
        file: PathBuf,
    },
    /// None of the authorities that browsers trust signed it.
    SignedForTheWeb,
    /// It is for other names.
    Named {
        /// What the broker is called here.
        wanted: String,
        /// What it is called in the certificate; empty where that isn't known.
        names: Vec<String>,
    },
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    Early,
    /// Anything else.
    Other(String),
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed { file } => {
                write!(f, "is not signed by the authority in {}", file.display())
            }
            Self::SignedForTheWeb => f.write_str("is not signed by an authority of the web"),
            Self::Named { wanted, names } if names.is_empty() => {
                write!(f, "is not for the name {wanted}")
            }
            Self::Named { wanted, names } => {
                let names = names.join(", ");
                write!(f, "is not for the name {wanted}, but for {names}")
            }
            Self::Expired => f.write_str("has expired"),
            Self::Early => f.write_str("is not valid yet"),
            Self::Other(why) => write!(f, "is not believed: {why}"),
        }
    }
}

impl Distrust {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Signed { .. } => Some(
                "name the file with the authority of this very broker: a daemon's is tls/ca.pem in its folder",
            ),
            Self::SignedForTheWeb => Some(
                "name a file with the broker's own authority: a daemon's is tls/ca.pem in its folder",
            ),
            Self::Named { .. } => Some(
                "call the broker by a name that its certificate has; a daemon gets more with serve --name",
            ),
            Self::Expired | Self::Early => {
                Some("is this computer's clock right? else the broker needs a new certificate")
            }
            Self::Other(_) => None,
        }
    }
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Address { .. } => Some("mqtt://HOST[:1883], or mqtts://HOST[:8883] with TLS"),
            Error::Proxy { .. } => Some("socks5h://HOST[:1080]"),
            Error::File { .. } => Some("it must be a file in PEM form that this user may read"),
            Error::Listen { .. } => {
                Some("another program listens there, or the address is none of this computer's")
            }
            Error::Closed { .. } => Some("is the broker running, and is that its port?"),
            Error::Certificate { why, .. } => why.hint(),
            Error::Refused { .. } => Some("check user and password at the broker"),
            Error::Elsewhere { .. } => {
                Some("if that server is to be trusted, give its address as the broker's")
            }
            Error::Denied { .. } => Some("the broker's access list must allow this topic"),
            _ => None,
        }
    }

    /// Whether trying again can't help, as long as nothing is changed.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Error::Address { .. }
                | Error::Proxy { .. }
                | Error::File { .. }
                | Error::Refused { .. }
                | Error::Elsewhere { .. }
                | Error::Denied { .. }
        )
    }
}
