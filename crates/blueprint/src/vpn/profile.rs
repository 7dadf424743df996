//! What a client is given: one file for each protocol, with everything in it.

use super::{Numbers, address, ranges};
use bramble_secret::Secret;
use bramble_spec::Cluster;
use bramble_spec::cluster::with_port;
use bramble_spec::cluster::{Router, Transport, Tunnel, Vpn};
use std::net::Ipv4Addr;

/// A client's profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The client's address.
    pub address: Ipv4Addr,
    /// The file.
    pub text: Secret,
}

/// Keys for a profile of WireGuard.
#[derive(Debug, Clone)]
pub struct WireGuardKeys {
    /// The router's public key.
    pub server: String,
    /// The user's private key.
    pub private: Secret,
    /// The key that both share.
    pub preshared: Secret,
}

/// Keys for a profile of OpenVPN.
#[derive(Debug, Clone)]
pub struct OpenVpnKeys {
    /// The router's certificate.
    pub server: String,
    /// The user's certificate.
    pub certificate: String,
    /// Its key.
    pub key: Secret,
    /// The key for `tls-crypt`.
    pub tls_crypt: Secret,
}

/// A profile of WireGuard, as wg-quick(8) and the apps of wireguard.com read it; `None` if the router has
/// no WireGuard, or the user no number.
pub fn wireguard(
    cluster: &Cluster,
    user: &str,
    numbers: &Numbers,
    keys: &WireGuardKeys,
) -> Option<Profile> {
    let (router, vpn) = parts(cluster)?;
    let tunnel = vpn.wireguard.as_ref()?;
    let address = address(tunnel.range, numbers.get(user)?);
    let ranges: Vec<String> = ranges(cluster, router, tunnel)
        .iter()
        .map(ToString::to_string)
        .collect();
    let text = format!(
        "# {user} at {}. Whoever has this file can connect as {user}.\n\
         [Interface]\n\
         PrivateKey = {}\n\
         Address = {address}/32\n\
         DNS = {}, {}\n\
         \n\
         [Peer]\n\
         PublicKey = {}\n\
         PresharedKey = {}\n\
         Endpoint = {}\n\
         AllowedIPs = {}\n\
         PersistentKeepalive = 25\n",
        cluster.name,
        keys.private.expose().trim(),
        router.address.addr(),
        cluster.network.domain,
        keys.server.trim(),
        keys.preshared.expose().trim(),
        with_port(&vpn.host, tunnel.port),
        ranges.join(", "),
    );
    Some(Profile {
        address,
        text: Secret::new(text),
    })
}

/// A profile of OpenVPN (2.4 and later, and the apps of openvpn.net); `None` if the router has no
/// OpenVPN, or the user no number. What else the client needs to know, the router tells it.
pub fn openvpn(
    cluster: &Cluster,
    user: &str,
    numbers: &Numbers,
    keys: &OpenVpnKeys,
) -> Option<Profile> {
    let (_, vpn) = parts(cluster)?;
    let tunnel = vpn.openvpn.as_ref()?;
    let text = format!(
        "# {user} at {}. Whoever has this file can connect as {user}.\n\
         client\n\
         dev tun\n\
         proto {}\n\
         remote {} {}\n\
         resolv-retry infinite\n\
         nobind\n\
         persist-key\n\
         persist-tun\n\
         remote-cert-tls server\n\
         tls-version-min 1.2\n\
         verb 3\n\
         {}{}{}{}",
        cluster.name,
        protocol(tunnel),
        vpn.host,
        tunnel.port,
        inline("ca", &keys.server),
        inline("cert", &keys.certificate),
        inline("key", keys.key.expose()),
        inline("tls-crypt", keys.tls_crypt.expose()),
    );
    Some(Profile {
        address: address(tunnel.range, numbers.get(user)?),
        text: Secret::new(text),
    })
}

fn parts(cluster: &Cluster) -> Option<(&Router, &Vpn)> {
    let router = cluster.router.as_ref()?;
    Some((router, router.vpn.as_ref()?))
}

fn protocol(tunnel: &Tunnel) -> &'static str {
    match tunnel.transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp-client",
    }
}

/// A file inside the file.
fn inline(tag: &str, text: &str) -> String {
    format!("<{tag}>\n{}\n</{tag}>\n", text.trim())
}
