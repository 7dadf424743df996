//! What can go wrong, with what to do about it.

use std::time::Duration;

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kubeconfig that can't be used.
    #[error("kubeconfig: {what}")]
    Kubeconfig {
        /// What is wrong; never a value from the file.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The name of a cluster is in use for another one.
    #[error("kubeconfig: the name {name:?} already belongs to the cluster at {server}")]
    NameTaken {
        /// The name asked for.
        name: String,
        /// Where the entry of that name points.
        server: String,
    },
    /// No connection, or TLS refused it.
    #[error("API server {server}: no connection")]
    Unreachable {
        /// Address asked, and through what.
        server: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Connected, but no answer.
    #[error("API server {server}: no answer to {what} within {} s", limit.as_secs())]
    NoAnswer {
        /// Address asked, and through what.
        server: String,
        /// The request.
        what: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The API server said no.
    #[error("{what}: the API server answered {code}: {message}")]
    Refused {
        /// The request, or the resource it was for.
        what: String,
        /// HTTP status.
        code: u16,
        /// What it said.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("{what}: the answer makes no sense")]
    Answer {
        /// The request.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A manifest that can't be applied.
    #[error("{id}: {what}")]
    Manifest {
        /// Resource.
        id: String,
        /// What is wrong with it.
        what: String,
        /// What to do.
        hint: String,
    },
    /// No such kind on this server.
    #[error("{id}: the server knows no kind {kind} in {api_version}")]
    UnknownKind {
        /// Resource.
        id: String,
        /// Group and version asked for.
        api_version: String,
        /// Kind asked for.
        kind: String,
    },
    /// The pod range of a node is fixed once set.
    #[error("node {node}: its pod range is {has}, it should be {wants}")]
    PodCidr {
        /// Node.
        node: String,
        /// What it has.
        has: String,
        /// What it should have.
        wants: String,
    },
    /// There is no such node.
    #[error("node {0}: not in the cluster")]
    NoNode(String),
    /// Somebody else changes the same thing all the time.
    #[error("{what}: changed by someone else {tries} times in a row while being written")]
    Contended {
        /// What is written.
        what: String,
        /// How often it was tried.
        tries: u32,
    },
    /// A wait ended without what it was for.
    #[error("waited {} s: {what}", limit.as_secs())]
    Expired {
        /// What it was waiting for.
        what: String,
        /// How long.
        limit: Duration,
        /// Lines that explain it: reasons of pods, events, last lines of logs.
        log: Vec<String>,
    },
    /// A node has pods left after the time that they had.
    #[error("waited {} s: {what}", limit.as_secs())]
    Undrained {
        /// Which, and why.
        what: String,
        /// How long.
        limit: Duration,
        /// What the node and its pods are doing.
        log: Vec<String>,
    },
    /// Something that runs to its end ended badly.
    #[error("{id}: {what}")]
    Failed {
        /// Resource.
        id: String,
        /// Why.
        what: String,
        /// Lines that explain it.
        log: Vec<String>,
    },
    /// Draining would delete pods that nothing starts again.
    #[error("node {node}: nothing would start these pods again elsewhere: {}", pods.join(", "))]
    Unmanaged {
        /// Node.
        node: String,
        /// `namespace/name`.
        pods: Vec<String>,
    },
    /// The inventory can't be read.
    #[error("ConfigMap kube-system/bramble-inventory, key {key}: not a list of objects")]
    Inventory {
        /// Key in `data`.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Kubeconfig { hint, .. } | Error::Manifest { hint, .. } => hint.clone(),
            Error::NameTaken { .. } => {
                "choose another name for this cluster, or take the old entry out of the file first"
                    .into()
            }
            Error::Unreachable { .. } | Error::NoAnswer { .. } => {
                "is the control plane running? `crictl ps` and `journalctl -u kubelet` on it say more"
                    .into()
            }
            Error::Refused { code: 401, .. } => {
                "the credentials are not valid (any more): fetch the admin's kubeconfig again".into()
            }
            Error::Refused { code: 403, .. } => {
                "the credentials don't allow this: use the admin's kubeconfig".into()
            }
            Error::Refused { message, .. } if message.contains("immutable") => {
                "this can't be changed in place: delete the object, then apply again".into()
            }
            Error::UnknownKind { .. } => {
                "apply the definition of the kind first, or use a version that this server has"
                    .into()
            }
            Error::PodCidr { node, has, .. } => format!(
                "a node's pod range can't be changed: keep {has} in the file, or take {node} out and let it join again"
            ),
            Error::NoNode(_) => "let the machine join first".into(),
            Error::Unmanaged { .. } => {
                "delete them or let a Deployment run them; forcing the drain loses them".into()
            }
            Error::Undrained { .. } => {
                "make room for the pods elsewhere or loosen the budget, or give them longer \
                 (kubernetes.upgrade.drainTimeout); a pod that does not end: `journalctl -u kubelet` on its node. \
                 Then run the same again"
                    .into()
            }
            Error::Inventory { .. } => {
                "repair the key by hand, or delete it: then Bramble forgets which objects it made"
                    .into()
            }
            Error::Refused { .. }
            | Error::Answer { .. }
            | Error::Contended { .. }
            | Error::Expired { .. }
            | Error::Failed { .. } => return None,
        })
    }

    /// Lines that explain it; may be empty.
    pub fn log(&self) -> &[String] {
        match self {
            Error::Expired { log, .. }
            | Error::Undrained { log, .. }
            | Error::Failed { log, .. } => log,
            _ => &[],
        }
    }

    /// Whether trying again soon may help: a server that restarts, is overloaded, or elects.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Error::Unreachable { source, .. } => !is_certificate(source.as_ref()),
            Error::NoAnswer { .. } => true,
            Error::Refused { code, message, .. } => {
                matches!(code, 429 | 502 | 503 | 504)
                    || *code == 500 && !message.contains("failed to create typed patch object")
            }
            _ => false,
        }
    }
}

/// A certificate that is not trusted now won't be in a second.
fn is_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string().contains("certificate") {
            return true;
        }
        next = error.source();
    }
    false
}
