//! What can go wrong, in words that name place, cause and remedy.

use std::time::Duration;

/// Why something could not be done with the platform.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// HTTPS can't be set up.
    #[error("HTTPS for {url} can't be set up: {reason}")]
    Setup {
        /// The platform.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The platform doesn't answer.
    #[error("{url} can't be reached: {reason}")]
    Unreachable {
        /// The platform.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The platform doesn't let this user in.
    #[error("{url} refuses the user {user}")]
    Login {
        /// The platform.
        url: String,
        /// Who.
        user: String,
    },
    /// The platform refuses a request.
    #[error("{what}: {url} answers {status}{}", said(body))]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The platform.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The begin of what it said.
        body: String,
    },
    /// An answer can't be read.
    #[error("{what}: {url} answers something that can't be read: {reason}")]
    Unreadable {
        /// What was asked.
        what: &'static str,
        /// The platform.
        url: String,
        /// Why not.
        reason: String,
    },
    /// There is a cluster of this name that Bramble didn't make.
    #[error("the platform has a cluster {name} that Bramble didn't make")]
    Foreign {
        /// Its name.
        name: String,
    },
    /// There is a cluster of this name that was made with other settings.
    #[error("the platform has a cluster {name} that was made with other settings ({description})")]
    Other {
        /// Its name.
        name: String,
        /// How it is described there.
        description: String,
    },
    /// Another cluster uses the range.
    #[error("the range {range} is in use by the cluster {cluster} ({used})")]
    RangeUsed {
        /// The range that is wanted.
        range: String,
        /// Who uses it.
        cluster: String,
        /// Which range that one has.
        used: String,
    },
    /// The platform says that it failed.
    #[error("the platform says that {name} is {state}")]
    Failed {
        /// The cluster.
        name: String,
        /// The platform's word for it.
        state: String,
        /// What its machines say about it.
        log: Vec<String>,
    },
    /// The cluster is gone though nobody deleted it here.
    #[error("the platform doesn't know the cluster {name} any more")]
    Vanished {
        /// Its name.
        name: String,
    },
    /// It took too long.
    #[error("{name} is not {wanted} after {} s; the platform says {state:?}", limit.as_secs())]
    Late {
        /// The cluster.
        name: String,
        /// What it should be.
        wanted: &'static str,
        /// How long was waited.
        limit: Duration,
        /// The platform's word for how it is.
        state: String,
    },
    /// The cluster is ready, but where its API is isn't said.
    #[error("{name} is ready, but the platform says no address of its API")]
    NoAddress {
        /// The cluster.
        name: String,
    },
    /// It was stopped from outside.
    #[error("stopped; the platform goes on by itself")]
    Stopped,
}

fn said(body: &str) -> String {
    match body.is_empty() {
        true => String::new(),
        false => format!(": {body}"),
    }
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Error::Setup { .. } => "caFile must hold certificates in PEM form",
            Error::Unreachable { .. } => {
                "is url right, and does caFile hold the authority that signed the platform's certificate?"
            }
            Error::Login { .. } => "check username and passwordFile",
            Error::Refused { status: 403, .. } => {
                "the user may log in, but not do this: it needs a role that may manage clusters"
            }
            Error::Refused { status: 404, .. } => {
                "is api right? Version 2 has /2/clusters, version 3 has /v3/clusters/"
            }
            Error::Refused {
                status: 400 | 422, ..
            } => {
                "the template doesn't fit this platform: capture it anew from a cluster made in its web page"
            }
            Error::Refused { .. } => return None,
            Error::Unreadable { .. } => "is this Cisco Container Platform, and is api right?",
            Error::Foreign { .. } => {
                "take another name, or delete that one in the platform's web page"
            }
            Error::Other { .. } => {
                "settings of a cluster can't be changed: take it down first, or take another name"
            }
            Error::RangeUsed { .. } => {
                "`bramble ccp ranges` lists all that are in use; take another one for network.range"
            }
            Error::Failed { .. } => {
                "what failed is to be seen in the platform's web page; `bramble ccp down` removes what is there"
            }
            Error::Vanished { .. } => "somebody deleted it; run the same command again",
            Error::Late { .. } => {
                "the platform goes on by itself: run the same command again, it follows; limits are set under limits"
            }
            Error::NoAddress { .. } => "it is to be seen in the platform's web page",
            Error::Stopped => "run the same command again: it follows what was begun",
        })
    }

    /// Lines that explain it further.
    pub fn log(&self) -> &[String] {
        match self {
            Error::Failed { log, .. } => log,
            _ => &[],
        }
    }

    /// Whether the same request may succeed in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It has not the form that is wanted: the place and the reason.
    #[error("{0}")]
    Form(String),
    /// Values that can't be; all of them.
    #[error("{}", .0.join("\n"))]
    Values(Vec<String>),
}
