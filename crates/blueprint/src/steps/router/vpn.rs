//! The way in for people who are elsewhere: WireGuard and OpenVPN.
//!
//! Keys are made once and stay on the router. What the services read is put together there from them
//! whenever one starts: no key is ever sent a second time, and a user who is taken out of the file is
//! locked out as soon as the keys are gone.

mod openvpn;
mod wireguard;

use crate::context::{On, VpnKeys, r};
use crate::obstacle::Obstacle;
use crate::vpn::{
    CERTIFICATE, GROUP, KEY, Numbers, OPENVPN, PRESHARED, PRIVATE, TLS_CRYPT, WIREGUARD, holder,
};
use bramble_machine::kinds::{File, Holder, Minted, MintedFile};
use bramble_machine::{Resource, Step};
use bramble_spec::cluster::Vpn;
use std::sync::Arc;

pub(crate) fn step(on: &On) -> Option<Step> {
    let vpn = on.router()?.vpn.as_ref()?;
    let written = on.facts.public.get(Numbers::FACT);
    let written = written.map_or_else(Numbers::default, |text| Numbers::parse(text));
    let mut out = vec![
        keys(on, vpn),
        r(File::text(Numbers::PATH, Numbers::of(vpn, &written).text())),
    ];
    if let Some(tunnel) = &vpn.wireguard {
        out.extend(wireguard::resources(on, tunnel));
    }
    if let Some(tunnel) = &vpn.openvpn {
        out.extend(openvpn::resources(on, tunnel));
    }
    Some(on.step("router/vpn", out))
}

/// Packages, and what they leave behind.
pub(super) fn packages(on: &On, vpn: &Vpn) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut names, mut leftovers) = (Vec::new(), Vec::new());
    if vpn.wireguard.is_some() {
        names.push("wireguard-tools");
        leftovers.push("/etc/wireguard");
        if !on.facts.wireguard {
            names.push("wireguard-go");
        }
    }
    if vpn.openvpn.is_some() {
        names.push("openvpn");
        leftovers.push("/etc/openvpn");
    }
    (names, leftovers)
}

fn keys(on: &On, vpn: &Vpn) -> Arc<dyn Resource> {
    let holders = on.inputs.fresh.vpn.as_ref().and_then(|f| holders(vpn, f));
    let Some(holders) = holders else {
        return r(Obstacle {
            name: "vpn-keys".into(),
            what: "no VPN keys were made for this run".into(),
            hint: "this is a mistake in Bramble: please report it".into(),
        });
    };
    r(Minted {
        group: GROUP.into(),
        holders,
        worth: Some("the keys of all VPN users: their profiles stop working for good".into()),
    })
}

/// Who has keys; `None` if a user's were not made.
fn holders(vpn: &Vpn, fresh: &VpnKeys) -> Option<Vec<Holder>> {
    let mut out = Vec::new();
    if vpn.wireguard.is_some() {
        let key = MintedFile::secret(PRIVATE, fresh.wireguard.private.clone());
        out.push(made(WIREGUARD.into(), vec![key]));
        for user in &vpn.users {
            let own = fresh.users.get(user)?;
            let files = vec![
                MintedFile::secret(PRIVATE, own.wireguard.private.clone()),
                MintedFile::secret(PRESHARED, own.preshared.clone()),
            ];
            out.push(made(holder(user, WIREGUARD), files));
        }
    }
    if vpn.openvpn.is_some() {
        let files = vec![
            MintedFile::open(CERTIFICATE, fresh.server.certificate.clone()),
            MintedFile::secret(KEY, fresh.server.key.clone()),
            MintedFile::secret(TLS_CRYPT, fresh.tls_crypt.clone()),
        ];
        out.push(made(OPENVPN.into(), files));
        for user in &vpn.users {
            let own = fresh.users.get(user)?;
            let files = vec![
                MintedFile::open(CERTIFICATE, own.client.certificate.clone()),
                MintedFile::secret(KEY, own.client.key.clone()),
            ];
            out.push(made(holder(user, OPENVPN), files));
        }
    }
    Some(out)
}

fn made(name: String, files: Vec<MintedFile>) -> Holder {
    Holder { name, files }
}

/// What the services watch besides their own files.
fn watched() -> [String; 2] {
    [format!("keys:{GROUP}"), format!("file:{}", Numbers::PATH)]
}

/// Beginning of a program that knows keys and numbers.
const HEAD: &str = "#!/bin/sh\n# Made by Bramble.\nset -eu\n";
/// The part that both programs have.
const COMMON: &str = include_str!("vpn/common.sh");
