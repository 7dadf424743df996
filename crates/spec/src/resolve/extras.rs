//! Rules for small sections: runtime, pod network, time, proxy, mirrors.

use super::ssh::plain_path;
use super::{Resolver, route};
use crate::cluster::{Mirrors, Network, PodNetwork, Proxy, Runtime, Time};
use crate::file::{self as written, Plugin, TrustedRegistry};
use crate::problem::{Place, Problem};
use crate::resolve::machines::Known;
use crate::shape::Seg;
use crate::syntax::{self, UrlFault};
use crate::tree::shorten;
use std::collections::BTreeMap;

impl Resolver<'_> {
    pub(super) fn runtime(&self) -> Runtime {
        let source = self.spec.runtime.as_ref().and_then(|r| r.source);
        source.unwrap_or(Runtime::Debian)
    }

    pub(super) fn pod_network(&mut self, network: &Network, known: &[Known]) -> PodNetwork {
        let written = self.spec.pod_network.clone().unwrap_or_default();
        let at = |key: &str| route!["spec", "podNetwork", key];
        let plugin = written.plugin.unwrap_or_default();
        let unused = [
            ("mtu", written.mtu.is_some(), Plugin::Routed),
            ("masquerade", written.masquerade.is_some(), Plugin::Routed),
            ("dir", written.dir.is_some(), Plugin::Custom),
        ];
        for (key, given, of) in unused {
            if given && plugin != of && !self.lost(&at("plugin")) {
                let problem = Problem::new(
                    "option-of-other-plugin",
                    self.key_place(&at(key)),
                    format!("`{key}` means nothing to the plug-in `{}`", plugin.as_str()),
                )
                .hint(format!("remove it, or set `plugin: {}`", of.as_str()));
                self.push(problem);
            }
        }
        match plugin {
            Plugin::Routed => {
                let v6 = network.lan.is_some_and(|lan| lan.addr().is_ipv6())
                    || known.iter().any(|k| k.address.is_some_and(|a| a.is_ipv6()));
                if let Some(mtu) = written.mtu
                    && v6
                    && mtu < 1280
                {
                    self.report(
                        "mtu-too-small",
                        &at("mtu"),
                        format!("an MTU of {mtu} is too small for IPv6"),
                        "use 1280 or more, because machines of this cluster have IPv6 addresses",
                    );
                }
                PodNetwork::Routed {
                    mtu: written.mtu,
                    masquerade: written.masquerade.unwrap_or(true),
                }
            }
            Plugin::Custom => {
                match &written.dir {
                    None if !self.lost(&at("dir")) => self.report(
                        "custom-without-dir",
                        &at("plugin"),
                        "the plug-in `custom` needs `dir`",
                        "add `dir:` with the folder that holds `conf/` and `bin/` of your plug-in",
                    ),
                    Some(dir) => self.path_value(dir, &at("dir")),
                    None => {}
                }
                PodNetwork::Custom {
                    dir: written.dir.unwrap_or_default(),
                }
            }
            Plugin::None => PodNetwork::None,
        }
    }

    pub(super) fn path_value(&mut self, text: &str, path: &[Seg]) {
        if !plain_path(text) {
            self.report(
                "bad-path",
                path,
                format!("`{}` can't be a path", shorten(text)),
                "write a file or folder, relative to this file",
            );
        }
    }

    pub(super) fn time(&mut self) -> Time {
        let written = self.spec.time.clone().unwrap_or_default();
        if let Some(zone) = &written.zone
            && !syntax::zone(zone)
        {
            self.report(
                "bad-zone",
                &route!["spec", "time", "zone"],
                format!("`{}` is not the name of a time zone", shorten(zone)),
                "write a name that `timedatectl list-timezones` shows, such as Europe/Berlin or UTC",
            );
        }
        for (i, server) in written.servers.iter().enumerate() {
            if !syntax::host(server) {
                self.report(
                    "bad-time-server",
                    &route!["spec", "time", "servers", i],
                    format!("`{}` is not a time server", shorten(server)),
                    "write a DNS name or an address, without scheme and port",
                );
            }
        }
        Time {
            zone: written.zone,
            servers: written.servers,
            wait: written.wait.unwrap_or(120),
        }
    }

    pub(super) fn url(
        &mut self,
        text: &str,
        path: &[Seg],
        code: &'static str,
        noun: &str,
        example: &str,
    ) {
        let (code, message, hint) = match syntax::url(text) {
            Ok(()) => return,
            Err(UrlFault::Credentials) => (
                "secret-in-url",
                // The text is not repeated: it may hold a password.
                format!("the URL of {noun} holds a user or password"),
                "the values of this file appear in plans and on the machines: use one without a password".to_owned(),
            ),
            Err(UrlFault::Scheme) => (
                code,
                format!("`{}` is not the URL of {noun}", shorten(text)),
                format!("begin with http:// or https://, such as {example}"),
            ),
            Err(UrlFault::Host) => (
                code,
                format!("the URL `{}` of {noun} names no valid host and port", shorten(text)),
                format!("write it such as {example}"),
            ),
            Err(UrlFault::Characters) => (
                code,
                format!("the URL `{}` of {noun} holds characters that a URL can't", shorten(text)),
                "write spaces as %20".to_owned(),
            ),
        };
        self.report(code, path, message, hint);
    }

    pub(super) fn proxy(&mut self) -> Option<Proxy> {
        let written = self.spec.proxy.clone()?;
        let at = |key: &str| route!["spec", "proxy", key];
        for (key, url) in [("http", &written.http), ("https", &written.https)] {
            if let Some(url) = url {
                self.url(
                    url,
                    &at(key),
                    "bad-proxy",
                    "a proxy",
                    "http://proxy.example:3128",
                );
            }
        }
        let lost = self.lost(&at("http")) || self.lost(&at("https"));
        if written.http.is_none() && written.https.is_none() && !lost {
            self.report(
                "empty-proxy",
                &route!["spec", "proxy"],
                "`proxy` names no proxy",
                "add `http:` or `https:`, or remove the section",
            );
        }
        for (i, entry) in written.no_proxy.iter().enumerate() {
            let good = !entry.is_empty()
                && entry
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.:/*[]".contains(&b));
            if !good {
                self.report(
                    "bad-no-proxy",
                    &route!["spec", "proxy", "noProxy", i],
                    format!("`{}` is not a host, domain or range", shorten(entry)),
                    "write one host, domain (.example.com) or range (10.0.0.0/8) for each item, without commas",
                );
            }
        }
        Some(Proxy {
            https: written.https.or_else(|| written.http.clone()),
            http: written.http,
            no_proxy: written.no_proxy,
        })
    }

    pub(super) fn mirrors(&mut self) -> Mirrors {
        let written = self.spec.mirrors.clone().unwrap_or_default();
        for (key, url) in [("apt", &written.apt), ("aptArm", &written.apt_arm)] {
            if let Some(url) = url {
                let path = route!["spec", "mirrors", key];
                self.url(
                    url,
                    &path,
                    "bad-mirror",
                    "a package mirror",
                    "http://deb.example/debian",
                );
            }
        }
        for (registry, urls) in &written.registries {
            let path = route!["spec", "mirrors", "registries", registry];
            if !registry_host(registry) {
                let place = self.key_place(&path);
                self.bad_registry(registry, place);
            }
            if urls.is_empty() && !self.lost(&path) {
                self.report(
                    "registry-without-mirror",
                    &path,
                    format!("the registry `{}` has no mirror", shorten(registry)),
                    "list the URLs that are to be tried first, or remove the line",
                );
            }
            for (i, url) in urls.iter().enumerate() {
                let mut path = path.clone();
                path.push(i.into());
                self.url(
                    url,
                    &path,
                    "bad-registry-mirror",
                    "a registry mirror",
                    "https://mirror.example",
                );
            }
        }
        Mirrors {
            trust: self.trusted_registries(&written.trust),
            insecure: self.insecure(&written),
            apt: written.apt,
            apt_arm: written.apt_arm,
            registries: written.registries,
        }
    }

    fn bad_registry(&mut self, host: &str, place: Place) {
        let what = format!("`{}` is not the host of a registry", shorten(host));
        let problem = Problem::new("bad-registry", place, what)
            .hint("write the host as images name it, such as docker.io or registry.example:5000");
        self.push(problem);
    }

    fn trusted_registries(&mut self, written: &[TrustedRegistry]) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for (i, entry) in written.iter().enumerate() {
            let path = |key: &str| route!["spec", "mirrors", "trust", i, key];
            let (Some(host), Some(file)) = (&entry.host, &entry.ca_file) else {
                continue;
            };
            if !registry_host(host) {
                let place = self.place(&path("host"));
                self.bad_registry(host, place);
            }
            self.path_value(file, &path("caFile"));
            if out.insert(host.clone(), file.clone()).is_some() {
                self.report(
                    "trusted-twice",
                    &path("host"),
                    format!("the registry `{}` has two certificates", shorten(host)),
                    "put both into one file, one after the other",
                );
            }
        }
        out
    }

    fn insecure(&mut self, written: &written::Mirrors) -> Vec<String> {
        for (i, host) in written.insecure.iter().enumerate() {
            let path = route!["spec", "mirrors", "insecure", i];
            if !registry_host(host) {
                let place = self.place(&path);
                self.bad_registry(host, place);
            }
            if written.trust.iter().any(|t| t.host.as_ref() == Some(host)) {
                self.report(
                    "trusted-and-insecure",
                    &path,
                    format!(
                        "the certificate of `{}` can't be both checked and not checked",
                        shorten(host)
                    ),
                    "remove it here: with its certificate the registry needs no exception",
                );
            }
        }
        written.insecure.clone()
    }
}

/// Whether this is a host as it stands in the names of images.
fn registry_host(text: &str) -> bool {
    syntax::host_port(text).is_ok_and(|(host, _)| syntax::host(host))
}
