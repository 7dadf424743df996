//! Rules for container images near the machines.

use crate::cluster::{Network, PrivateRegistry, Registry, RegistryMirror};
use crate::file::router as written;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::syntax;
use crate::tree::shorten;

/// Most mirrors; each has a port.
const MOST_MIRRORS: usize = 50;
const DIR: &str = "/var/lib/bramble-registry";

impl Resolver<'_> {
    pub(super) fn registry(
        &mut self,
        section: &written::Router,
        network: &Network,
        machine: &Known,
    ) -> Option<Registry> {
        let registry = section.registry.clone()?;
        Some(Registry {
            mirrors: self.registry_mirrors(&registry.mirrors, network, machine),
            private: self.private_registry(registry.private),
            dir: self.data_dir(registry.dir.as_deref(), "registry", DIR),
        })
    }

    fn registry_mirrors(
        &mut self,
        written: &[written::RegistryMirror],
        network: &Network,
        machine: &Known,
    ) -> Vec<RegistryMirror> {
        let hosts = written.iter().enumerate().filter_map(|(i, m)| {
            let path = below!["registry", "mirrors", i, "host"];
            Some((m.host.as_deref()?, path))
        });
        self.duplicates("mirrored-twice", "mirrored registry", "remove one", hosts);
        if written.len() > MOST_MIRRORS {
            self.report(
                "too-many-mirrors",
                &below!["registry", "mirrors", MOST_MIRRORS],
                format!("the router can mirror {MOST_MIRRORS} registries, and this is one more"),
                "remove those that no image comes from",
            );
            return Vec::new();
        }
        let mut mirrors = Vec::new();
        for (port, (i, mirror)) in (Registry::FIRST_MIRROR_PORT..).zip(written.iter().enumerate()) {
            let path = |key: &str| below!["registry", "mirrors", i, key];
            if let Some(host) = &mirror.host {
                self.mirror_host(host, i, network, machine);
            }
            if let Some(url) = &mirror.url {
                let example = "https://registry.example";
                self.url(url, &path("url"), "bad-mirror-url", "a registry", example);
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                if rest.trim_end_matches('/').contains(['/', '?', '#']) {
                    self.report(
                        "mirror-of-a-part",
                        &path("url"),
                        format!("`{}` is a part of a registry", shorten(url)),
                        "a mirror copies a whole registry: write scheme, host and port alone",
                    );
                }
            }
            let login = self.mirror_login(mirror, i);
            let Some(host) = mirror.host.clone() else {
                continue;
            };
            let written = mirror
                .url
                .as_deref()
                .map(|url| url.trim_end_matches('/').to_owned());
            let url = written.unwrap_or_else(|| match host.as_str() {
                "docker.io" => "https://registry-1.docker.io".to_owned(),
                host => format!("https://{host}"),
            });
            mirrors.push(RegistryMirror {
                host,
                url,
                login,
                port,
            });
        }
        mirrors
    }

    fn mirror_host(&mut self, host: &str, index: usize, network: &Network, machine: &Known) {
        let path = below!["registry", "mirrors", index, "host"];
        let bare = syntax::host_port(host).ok().map(|(bare, _)| bare);
        let Some(bare) = bare.filter(|bare| syntax::host(bare)) else {
            self.report(
                "bad-mirror-host",
                &path,
                format!(
                    "`{}` is not the host of a registry to mirror",
                    shorten(host)
                ),
                "write it as it stands in the names of images, such as docker.io, without https://",
            );
            return;
        };
        // Images carry the short name; the others are where it leads.
        if matches!(
            bare,
            "index.docker.io" | "registry-1.docker.io" | "hub.docker.com"
        ) {
            self.report(
                "bad-mirror-host",
                &path,
                format!("no image's name begins with `{bare}`"),
                "write `docker.io`: that is what the names of its images begin with",
            );
        }
        let own = [Some("registry"), machine.name.as_deref()];
        let domain = format!(".{}", network.domain);
        let short = bare.strip_suffix(&domain).unwrap_or(bare);
        if own.contains(&Some(short)) {
            self.report(
                "mirror-of-itself",
                &path,
                format!(
                    "`{}` is the router, which can't mirror itself",
                    shorten(host)
                ),
                "remove it: images of the router's own registry are near already",
            );
        }
    }

    /// Login name and file of the password.
    fn mirror_login(
        &mut self,
        mirror: &written::RegistryMirror,
        index: usize,
    ) -> Option<(String, String)> {
        let path = |key: &str| below!["registry", "mirrors", index, key];
        if let Some(user) = &mirror.user
            && (user.trim().is_empty() || user.contains(':') || user.chars().any(char::is_control))
        {
            self.report(
                "registry-user",
                &path("user"),
                format!("`{}` can't be a login name of a registry", shorten(user)),
                "write the name as the registry knows it, without a colon",
            );
        }
        if let Some(file) = &mirror.password_file {
            self.path_value(file, &path("passwordFile"));
        }
        let (key, other) = match (&mirror.user, &mirror.password_file) {
            (Some(user), Some(file)) => return Some((user.clone(), file.clone())),
            (None, None) => return None,
            (Some(_), None) => ("user", "passwordFile"),
            (None, Some(_)) => ("passwordFile", "user"),
        };
        if !self.damaged_below(&below!["registry", "mirrors", index]) {
            let place = self.key_place(&path(key));
            let message = format!("a login has two parts, and `{other}` is missing beside `{key}`");
            self.push(
                crate::problem::Problem::new("half-a-login", place, message)
                    .hint("give both, or neither"),
            );
        }
        None
    }

    fn private_registry(
        &mut self,
        written: Option<written::PrivateRegistry>,
    ) -> Option<PrivateRegistry> {
        let written = written?.users;
        let path = |i: usize, key: &str| below!["registry", "private", "users", i, key];
        let names = written.iter().enumerate();
        let names = names.filter_map(|(i, u)| Some((u.name.as_deref()?, path(i, "name"))));
        self.duplicates(
            "registry-user-twice",
            "registry's user",
            "each user has one password: remove one",
            names,
        );
        let mut users: Vec<(String, String)> = Vec::new();
        for (i, user) in written.iter().enumerate() {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            if let Some(name) = &user.name
                && (!(1..=64).contains(&name.len())
                    || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
                    || !name.chars().all(plain))
            {
                self.report(
                    "registry-user",
                    &path(i, "name"),
                    format!("`{}` can't be the name of a registry's user", shorten(name)),
                    "use letters, digits, `_`, `.` and `-`, at most 64, beginning with a letter or digit",
                );
            }
            if let Some(file) = &user.password_file {
                self.path_value(file, &path(i, "passwordFile"));
            }
            users.extend(user.name.clone().zip(user.password_file.clone()));
        }
        Some(PrivateRegistry { users })
    }
}
