//! The proxy of packages, runtime and tools, and what is reached without it (U053).

use crate::context::On;
use bramble_machine::Script;
use bramble_machine::shell::word;
use bramble_spec::cluster::{Machine, Role};
use ipnet::IpNet;
use std::net::IpAddr;

/// What this machine reaches without the proxy: [`bramble_spec::Cluster::no_proxy`] without the other
/// workers, which nothing on this machine talks to through a proxy's client: a new worker must not
/// restart every machine's runtime. A worker that serves a mirror stays in the list.
pub fn no_proxy(on: &On) -> Vec<String> {
    let cluster = on.cluster();
    let mirrors = &cluster.mirrors;
    let urls = mirrors
        .registries
        .values()
        .flatten()
        .chain(&mirrors.apt)
        .chain(&mirrors.apt_arm);
    let served: Vec<&str> = urls.filter_map(|url| host(url)).collect();
    let named = cluster.proxy.iter().flat_map(|p| &p.no_proxy);
    let keep: Vec<&str> = named.map(String::as_str).chain(served).collect();
    let other = |m: &&Machine| {
        m.name != on.machine.name && !m.is(Role::ControlPlane) && !m.is(Role::Router)
    };
    let mut drop = Vec::new();
    for machine in cluster.machines.iter().filter(other) {
        drop.push(machine.name.clone());
        drop.push(machine.address.to_string());
        drop.extend(machine.management.clone());
    }
    let mut out = cluster.no_proxy();
    out.retain(|entry| !drop.contains(entry) || keep.contains(&entry.as_str()));
    out
}

/// Variables for programs on the machine; empty without a proxy. `without` is the list of what is
/// reached directly.
pub fn environment(on: &On, without: &[String]) -> Vec<(&'static str, String)> {
    let Some(proxy) = &on.cluster().proxy else {
        return Vec::new();
    };
    let urls = [("HTTP_PROXY", &proxy.http), ("HTTPS_PROXY", &proxy.https)];
    let mut out: Vec<_> = urls
        .into_iter()
        .filter_map(|(name, url)| url.clone().map(|url| (name, url)))
        .collect();
    out.push(("NO_PROXY", without.join(",")));
    out
}

/// Variables for curl, which reads `http_proxy` in small letters only.
pub fn curl(on: &On) -> Vec<(&'static str, String)> {
    let small = |name: &str| match name {
        "HTTP_PROXY" => "http_proxy",
        "HTTPS_PROXY" => "https_proxy",
        _ => "no_proxy",
    };
    let all = environment(on, &no_proxy(on)).into_iter();
    all.map(|(name, value)| (small(name), value)).collect()
}

/// Adds the variables to a program.
pub fn export(script: &mut Script, variables: &[(&'static str, String)]) {
    for (name, value) in variables {
        script.line(format!("export {name}={}", word(value)));
    }
}

/// apt's settings, name and value; empty without a proxy.
pub fn apt_settings(on: &On) -> Vec<(String, String)> {
    let Some(proxy) = &on.cluster().proxy else {
        return Vec::new();
    };
    let direct = mirror(on)
        .and_then(host)
        .filter(|host| is_direct(host, &no_proxy(on)));
    let mut out = Vec::new();
    for (scheme, url) in [("http", &proxy.http), ("https", &proxy.https)] {
        if let Some(url) = url {
            let name = format!("Acquire::{scheme}::Proxy");
            out.extend(direct.map(|host| (format!("{name}::{host}"), "DIRECT".to_owned())));
            out.push((name, url.clone()));
        }
    }
    out
}

/// apt's configuration; `None` without a proxy.
pub fn apt(on: &On) -> Option<String> {
    let settings = apt_settings(on);
    if settings.is_empty() {
        return None;
    }
    let lines = settings
        .iter()
        .map(|(name, value)| format!("{name} \"{value}\";\n"));
    Some(format!(
        "// Made by Bramble.\n{}",
        lines.collect::<String>()
    ))
}

/// The mirror of Debian's archive for this machine's architecture.
pub fn mirror<'a>(on: &On<'a>) -> Option<&'a str> {
    let mirrors = &on.cluster().mirrors;
    let arm = on.arch() == bramble_spec::cluster::Arch::Arm64;
    let own = mirrors.apt_arm.as_deref().filter(|_| arm);
    own.or(mirrors.apt.as_deref())
}

/// The host of an address.
fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let place = rest.split(['/', '?', '#']).next()?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    if let Some(six) = place.strip_prefix('[') {
        return six.split_once(']').map(|(address, _)| address);
    }
    let host = place.split_once(':').map_or(place, |(host, _)| host);
    (!host.is_empty()).then_some(host)
}

/// Whether a host is in a list of what is reached without a proxy: names, addresses, networks, and
/// domains with all that is below them.
fn is_direct(host: &str, list: &[String]) -> bool {
    let address = host.parse::<IpAddr>().ok();
    list.iter().any(|entry| {
        let domain = entry.trim_start_matches('.');
        let net = entry.parse::<IpNet>().ok();
        entry == host
            || net.zip(address).is_some_and(|(n, a)| n.contains(&a))
            || host
                .strip_suffix(domain)
                .is_some_and(|front| front.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::{host, is_direct};

    #[test]
    fn hosts_are_found_in_addresses() {
        for (url, expected) in [
            ("http://deb.example/debian", Some("deb.example")),
            ("http://10.77.0.1:3142/debian", Some("10.77.0.1")),
            ("https://[fd00::1]:80", Some("fd00::1")),
            ("file:/srv/debian", None),
            ("http:///x", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }

    #[test]
    fn hosts_without_proxy_are_known() {
        let list = ["one", ".example.org", "10.77.0.0/24", "net"].map(String::from);
        for direct in ["one", "a.example.org", "10.77.0.200", "x.net"] {
            assert!(is_direct(direct, &list), "{direct}");
        }
        for far in ["two", "example.com", "10.78.0.1", "xnet", "badexample.org"] {
            assert!(!is_direct(far, &list), "{far}");
        }
    }
}
