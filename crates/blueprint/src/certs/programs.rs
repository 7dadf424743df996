//! The programs that renew certificates. Each may be cut off anywhere and run again.

use bramble_etcd::program as etcd;
use bramble_machine::program::PRELUDE;
use bramble_machine::shell::word;
use bramble_secret::Secret;

const PARTS: &str = include_str!("parts.sh");

/// What a control plane owes the others while its parts are started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gentle {
    /// There are others: they keep the quorum and answer in its place.
    Shared,
    /// It is the only one; nobody else could answer.
    Alone,
    /// Nothing: the cluster is down because certificates are over, and all restart at once.
    No,
}

/// A whole program: one at a time on a machine, and none on a machine that is not managed.
pub(super) fn whole(values: &[(&str, &str)], body: &str) -> Secret {
    let mut out = String::from(PRELUDE);
    out.push_str("[ -d $B ] || { echo 'this machine belongs to no cluster' >&2; exit 1; }\n");
    out.push_str(
        "prepare || { echo 'another program of Bramble is at work here' >&2; exit 75; }\nset -e\n",
    );
    for (name, value) in values {
        out.push_str(&format!("{name}={}\n", word(value)));
    }
    out.push_str(etcd::MEMBER);
    out.push_str(PARTS);
    out.push_str(body);
    Secret::new(out)
}

/// Notes on a control plane that its certificates are to be renewed; `hard` where the cluster is down.
pub fn begin(hard: bool) -> Secret {
    let hard = if hard { "1" } else { "" };
    whole(&[("hard", hard)], include_str!("begin.sh"))
}

/// Renews what kubeadm made on a control plane, where [`begin`] was.
pub fn renew() -> Secret {
    whole(&[], include_str!("renew.sh"))
}

/// Starts those parts of a control plane anew that still have old certificates. Says `restarted PART`.
pub fn turn(gentle: Gentle) -> Secret {
    let gentle = match gentle {
        Gentle::Shared => "shared",
        Gentle::Alone => "alone",
        Gentle::No => "",
    };
    whole(&[("gentle", gentle)], include_str!("turn.sh"))
}

/// Makes a key for a kubelet on its machine, and says `request` with what a CA needs to sign.
pub fn request(node: &str) -> Secret {
    whole(&[("node", node)], include_str!("request.sh"))
}

/// Signs a kubelet's request on a control plane; says `signed` with the certificate.
pub fn sign(node: &str, request: &str) -> Secret {
    whole(
        &[("node", node), ("request", request)],
        include_str!("sign.sh"),
    )
}

/// Restarts a kubelet: with a client certificate that was signed for it, if there is one, and with a new
/// one of its own making for its port, if that is wanted.
pub fn install(signed: Option<&str>, serving: bool) -> Secret {
    let serving = if serving { "1" } else { "" };
    whole(
        &[("signed", signed.unwrap_or("")), ("serving", serving)],
        include_str!("install.sh"),
    )
}
