//! Certificates of machines: what a look found, how long they last.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

/// A certificate that ends within so many days is warned of.
pub const SOON: i64 = 30;
const DAY: i64 = 24 * 3600;

/// A certificate on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Machine.
    pub machine: String,
    /// What it is, for people: `API server`, `kubelet to the API`.
    pub what: &'static str,
    /// The file that it is in.
    pub path: String,
    /// Whom it names: the common name, then the names and addresses.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Whether others are signed with it.
    pub authority: bool,
    /// Whether it is its own issuer.
    pub self_signed: bool,
    /// Since when it counts, in seconds since 1970.
    pub not_before: i64,
    /// Until when it counts, in seconds since 1970.
    pub not_after: i64,
}

/// How a certificate stands at a moment; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It lasts.
    Fine,
    /// It ends soon.
    Soon,
    /// It is over.
    Over,
}

/// What a file of kubeadm's or the kubelet's is.
const KINDS: [(&str, &str); 18] = [
    ("/etc/kubernetes/pki/apiserver.crt", "API server"),
    (
        "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
        "API server to kubelets",
    ),
    (
        "/etc/kubernetes/pki/apiserver-etcd-client.crt",
        "API server to etcd",
    ),
    (
        "/etc/kubernetes/pki/front-proxy-client.crt",
        "API server to extensions",
    ),
    ("/etc/kubernetes/pki/ca.crt", "CA of the cluster"),
    (
        "/etc/kubernetes/pki/front-proxy-ca.crt",
        "CA for extensions",
    ),
    ("/etc/kubernetes/pki/etcd/ca.crt", "CA of etcd"),
    ("/etc/kubernetes/pki/etcd/server.crt", "etcd server"),
    ("/etc/kubernetes/pki/etcd/peer.crt", "etcd to its peers"),
    (
        "/etc/kubernetes/pki/etcd/healthcheck-client.crt",
        "etcd's health check",
    ),
    ("/etc/kubernetes/admin.conf", "admin"),
    ("/etc/kubernetes/super-admin.conf", "super admin"),
    (
        "/etc/kubernetes/controller-manager.conf",
        "controller manager",
    ),
    ("/etc/kubernetes/scheduler.conf", "scheduler"),
    ("/etc/kubernetes/kubelet.conf", KUBELET_CLIENT),
    (
        "/var/lib/kubelet/pki/kubelet-client-current.pem",
        KUBELET_CLIENT,
    ),
    (
        "/var/lib/kubelet/pki/kubelet-server-current.pem",
        "kubelet server",
    ),
    (KUBELET_SERVER, "kubelet server, its own"),
];

const KUBELET_CLIENT: &str = "kubelet to the API";
/// What the kubelet signs itself when it has none, and never again.
pub(super) const KUBELET_SERVER: &str = "/var/lib/kubelet/pki/kubelet.crt";

impl Certificate {
    /// How it stands at this moment (seconds since 1970).
    pub fn standing(&self, now: i64) -> Standing {
        let left = self.not_after - now;
        let soon = if self.renews_itself() {
            // The kubelet asks for a new one when 70 to 90 % of its life are over.
            (SOON * DAY).min((self.not_after - self.not_before) / 10)
        } else {
            SOON * DAY
        };
        match left {
            ..=0 => Standing::Over,
            left if left < soon => Standing::Soon,
            _ => Standing::Fine,
        }
    }

    /// Whole days until it ends; less than 0 once it has.
    pub fn days(&self, now: i64) -> i64 {
        (self.not_after - now).div_euclid(DAY)
    }

    /// Whether the kubelet replaces it by itself, as long as the API lets it in.
    pub fn renews_itself(&self) -> bool {
        self.path.starts_with("/var/lib/kubelet/pki/") && self.path.ends_with("-current.pem")
    }

    /// Whether a kubelet has it, and not the control plane.
    pub fn of_kubelet(&self) -> bool {
        self.what.starts_with("kubelet")
    }

    /// Whether it is how a kubelet shows who it is.
    pub fn is_kubelet_client(&self) -> bool {
        self.what == KUBELET_CLIENT
    }

    /// Whether it is what the kubelet made for its own port.
    pub fn is_kubelet_server(&self) -> bool {
        self.path == KUBELET_SERVER
    }
}

/// The certificate that ends first, and how it stands.
pub fn worst(all: &[Certificate], now: i64) -> Option<(&Certificate, Standing)> {
    all.iter()
        .max_by_key(|c| (c.standing(now), std::cmp::Reverse(c.not_after)))
        .map(|c| (c, c.standing(now)))
}

/// The certificates in a file's text, PEM in base64. What is none is left out.
pub(super) fn read(machine: &str, path: &str, base64: &str) -> Vec<Certificate> {
    let text = STANDARD.decode(base64.trim()).unwrap_or_default();
    let blocks = Pem::iter_from_buffer(&text).filter_map(Result::ok);
    let mut out = Vec::new();
    for block in blocks.filter(|b| b.label == "CERTIFICATE") {
        let Ok(found) = block.parse_x509() else {
            continue;
        };
        let certificate = certificate(machine, path, &found);
        // A leaf may be followed by those who signed it: they have files of their own.
        if out
            .iter()
            .all(|first: &Certificate| first.authority && certificate.authority)
        {
            out.push(certificate);
        }
    }
    out
}

fn certificate(machine: &str, path: &str, found: &X509Certificate) -> Certificate {
    let kind = KINDS.iter().find(|(known, _)| *known == path);
    let validity = found.validity();
    Certificate {
        machine: machine.to_owned(),
        what: kind.map_or("another", |(_, what)| what),
        path: path.to_owned(),
        names: names(found),
        issuer: common_name(found.issuer()),
        authority: found.is_ca(),
        self_signed: found.issuer() == found.subject(),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    }
}

fn common_name(name: &x509_parser::x509::X509Name) -> String {
    let mut all = name.iter_common_name();
    let first = all.next().and_then(|n| n.as_str().ok());
    first.map_or_else(|| name.to_string(), str::to_owned)
}

fn names(found: &X509Certificate) -> Vec<String> {
    let mut out = vec![common_name(found.subject())];
    if let Ok(Some(alternatives)) = found.subject_alternative_name() {
        out.extend(
            alternatives
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some((*name).to_owned()),
                    GeneralName::IPAddress(bytes) => address(bytes),
                    _ => None,
                }),
        );
    }
    let mut seen = BTreeSet::new();
    out.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    out
}

fn address(bytes: &[u8]) -> Option<String> {
    let four: Result<[u8; 4], _> = bytes.try_into();
    let six: Result<[u8; 16], _> = bytes.try_into();
    four.map(|b| std::net::Ipv4Addr::from(b).to_string())
        .or_else(|_| six.map(|b| std::net::Ipv6Addr::from(b).to_string()))
        .ok()
}
