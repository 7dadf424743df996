//! The VPN of the router: where keys lie on the machine, who has which address, what clients are given.
//!
//! The router is the only one that keeps keys. Its services read them there, and whoever may log in to
//! it makes a user's profile from them.

mod numbers;
mod profile;

pub use numbers::{Numbers, address};
pub use profile::{OpenVpnKeys, Profile, WireGuardKeys, openvpn, wireguard};

use bramble_machine::kinds::Minted;
use bramble_spec::Cluster;
use bramble_spec::cluster::{PodNetwork, Router, Tunnel};
use ipnet::Ipv4Net;

/// Name of the folder of all keys below `/etc/bramble/keys`.
pub const GROUP: &str = "vpn";
/// Holder of WireGuard's key of the router.
pub const WIREGUARD: &str = "wireguard";
/// Holder of OpenVPN's certificate and keys of the router.
pub const OPENVPN: &str = "openvpn";
/// A WireGuard private key.
pub const PRIVATE: &str = "private.key";
/// A key that a user's WireGuard shares with the router's.
pub const PRESHARED: &str = "preshared.key";
/// A certificate for OpenVPN.
pub const CERTIFICATE: &str = "certificate.pem";
/// Its key.
pub const KEY: &str = "key.pem";
/// The key for OpenVPN's `tls-crypt`.
pub const TLS_CRYPT: &str = "tls-crypt.key";

/// WireGuard's interface on the router.
pub const WIREGUARD_INTERFACE: &str = "wg-bramble";
/// OpenVPN's interface on the router.
pub const OPENVPN_INTERFACE: &str = "tun-bramble";
/// Where OpenVPN writes who is connected.
pub const OPENVPN_STATUS: &str = "/run/bramble-openvpn/status";

/// Holder of a user's keys for one of the two, [`WIREGUARD`] or [`OPENVPN`].
pub fn holder(user: &str, of: &str) -> String {
    format!("user.{user}.{of}")
}

/// Where a file of keys is on the router.
pub fn path(holder: &str, file: &str) -> String {
    Minted::path(GROUP, holder, file)
}

/// The ranges that clients of a tunnel reach through it: the LAN, their own, and the pods where the
/// router knows the ways to them.
pub fn ranges(cluster: &Cluster, router: &Router, tunnel: &Tunnel) -> Vec<Ipv4Net> {
    let mut out = vec![router.lan(), tunnel.range];
    if learns_pods(cluster) {
        out.push(cluster.kubernetes.pod_range);
    }
    out
}

/// Whether the router learns the ways to pods.
pub(crate) fn learns_pods(cluster: &Cluster) -> bool {
    let routed = matches!(cluster.pod_network, PodNetwork::Routed { .. });
    routed && cluster.machines.iter().any(|m| m.pod_range.is_some())
}
