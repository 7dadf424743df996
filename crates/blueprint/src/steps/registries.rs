//! Where containerd pulls from: mirrors, certificates, logins.
//!
//! Source: containerd, docs/hosts.md. The files are read at every pull: nothing is restarted.

use super::runtime_config::{CERTS, Source, hosts_toml};
use crate::borrowed::Borrowed;
use crate::context::{On, r};
use crate::registry::Registries;
use bramble_machine::Resource;
use bramble_machine::kinds::{Content, Directory, File, Link};
use bramble_secret::Secret;
use bramble_spec::cluster::{Arch, Registry};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The certificate of the router's registries.
const ROUTERS: &str = "/etc/containerd/router-registry.crt";

/// What is done about one registry host, in the order in which it is tried.
#[derive(Default)]
struct Host {
    /// Tried first.
    sources: Vec<Source>,
    /// Certificate of the registry itself.
    trust: Option<String>,
    insecure: bool,
}

/// Files below containerd's folder of registries.
pub(super) fn resources(on: &On) -> Vec<Arc<dyn Resource>> {
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    let mut hosts: BTreeMap<String, Host> = BTreeMap::new();
    let registries = Registries::seen_from(on);
    if let Some(registries) = registries {
        out.push(r(Borrowed::new(ROUTERS, registries.certificate(on.inputs))));
        of_the_bundle(on, &registries, &mut hosts);
        of_mirrors(&registries, &mut hosts);
    }
    of_the_file(on, &mut hosts);
    for (host, what) in &hosts {
        let folder = format!("{CERTS}/{host}");
        out.push(r(Directory::new(&folder)));
        if let Some(file) = &what.trust {
            out.push(r(File::text(certificate(host), on.asset(file))));
        }
        let text = text(host, what);
        out.push(r(File::text(format!("{folder}/hosts.toml"), text)));
    }
    if let Some(registries) = registries {
        private(on, &registries, &hosts, &mut out);
    }
    out
}

fn certificate(host: &str) -> String {
    format!("{CERTS}/{host}/ca.crt")
}

fn of_the_bundle(on: &On, registries: &Registries, hosts: &mut BTreeMap<String, Host>) {
    let url = registries.url(Registry::BUNDLE_PORT);
    let archs = [Arch::Amd64, Arch::Arm64];
    let bundle = on.inputs.bundle.into_iter();
    for image in bundle.flat_map(|b| archs.iter().flat_map(|arch| b.images(*arch))) {
        let name = image.name();
        let source = Source {
            url: format!("{url}/v2/{}", name.prefix()),
            ca: Some(ROUTERS.into()),
            below: true,
            ..Source::default()
        };
        let host = hosts.entry(name.host).or_default();
        if !host.sources.contains(&source) {
            host.sources.push(source);
        }
    }
}

fn of_mirrors(registries: &Registries, hosts: &mut BTreeMap<String, Host>) {
    for mirror in &registries.registry.mirrors {
        let host = hosts.entry(mirror.host.clone()).or_default();
        host.sources.push(Source {
            url: registries.url(mirror.port),
            ca: Some(ROUTERS.into()),
            ..Source::default()
        });
        // While the router's copy is out of order.
        if mirror.url != server(&mirror.host) {
            host.sources.push(Source::at(&mirror.url));
        }
    }
}

fn of_the_file(on: &On, hosts: &mut BTreeMap<String, Host>) {
    let mirrors = &on.cluster().mirrors;
    for (host, urls) in &mirrors.registries {
        let host = hosts.entry(host.clone()).or_default();
        for url in urls {
            if !host.sources.iter().any(|s| s.url == *url) {
                host.sources.push(Source::at(url));
            }
        }
    }
    for (host, file) in &mirrors.trust {
        hosts.entry(host.clone()).or_default().trust = Some(file.clone());
    }
    for host in &mirrors.insecure {
        hosts.entry(host.clone()).or_default().insecure = true;
    }
    // A mirror may have a certificate that needs the same.
    for source in hosts.values_mut().flat_map(|h| &mut h.sources) {
        let rest = source
            .url
            .split_once("://")
            .map(|(_, rest)| rest.to_owned());
        let place = rest.as_deref().and_then(|rest| rest.split('/').next());
        let Some(place) = place.filter(|_| source.ca.is_none()) else {
            continue;
        };
        if mirrors.trust.contains_key(place) {
            source.ca = Some(certificate(place));
        }
        source.unchecked = mirrors.insecure.iter().any(|host| host == place);
    }
}

/// Where a host is by itself.
fn server(host: &str) -> String {
    match host {
        "docker.io" => "https://registry-1.docker.io".to_owned(),
        host => format!("https://{host}"),
    }
}

fn text(host: &str, what: &Host) -> String {
    let mut own = Source::at(&server(host));
    own.ca = what.trust.is_some().then(|| certificate(host));
    if !what.insecure {
        return hosts_toml(&own, &what.sources);
    }
    // With TLS, whoever it is; else without.
    let bare = Source::at(&own.url.replacen("https://", "http://", 1));
    own.unchecked = true;
    let mut sources = what.sources.clone();
    sources.push(own);
    hosts_toml(&bare, &sources)
}

/// The private registry, by each of the names that the router has. Machines pull as its first user.
fn private(
    on: &On,
    registries: &Registries,
    hosts: &BTreeMap<String, Host>,
    out: &mut Vec<Arc<dyn Resource>>,
) {
    let users = registries
        .registry
        .private
        .iter()
        .flat_map(|p| p.users.first());
    for (user, file) in users {
        let url = registries.url(Registry::PRIVATE_PORT);
        let source = Source {
            ca: Some(ROUTERS.into()),
            login: Some((user.clone(), on.secret(file))),
            ..Source::at(&url)
        };
        let names = registries.private_hosts();
        let Some((first, others)) = names.split_first() else {
            continue;
        };
        let folder = format!("{CERTS}/{first}");
        let text = Secret::new(hosts_toml(&source, &[]));
        out.push(r(Directory::new(&folder)));
        out.push(r(File::new(
            format!("{folder}/hosts.toml"),
            Content::Secret(text),
            0o600,
        )));
        // What the file says of a name counts.
        for name in others.iter().filter(|name| !hosts.contains_key(*name)) {
            out.push(r(Link::new(format!("{CERTS}/{name}"), first)));
        }
    }
}
