//! What else the router serves: a name that follows its address, images, web traffic, backups.

use super::at;
use crate::cluster::{
    Backup, BackupClient, Ddns, DdnsSource, Family, Ingress, PrivateRegistry, Registry,
    RegistryMirror,
};
use crate::file::router as written;
use crate::resolve::Resolver;
use crate::resolve::machines::Known;
use crate::resolve::ssh::plain_path;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use ipnet::Ipv4Net;
use std::net::IpAddr;

/// Where the DNS provider is.
const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";
/// Seconds between two looks at the public address.
const DDNS_EVERY: u32 = 300;

fn item(keys: &[&str], index: usize, key: &str) -> Vec<Seg> {
    let mut path = at(keys);
    path.push(index.into());
    path.push(key.into());
    path
}

impl Resolver<'_> {
    pub(super) fn ddns(&mut self, section: &written::Router) -> Option<Ddns> {
        let ddns = section.ddns.clone()?;
        let (name, zone, token_file) = (ddns.name?, ddns.zone?, ddns.token_file?);
        self.domain(&name, &at(&["ddns", "name"]));
        self.domain(&zone, &at(&["ddns", "zone"]));
        self.path_value(&token_file, &at(&["ddns", "tokenFile"]));
        if name != zone && !name.ends_with(&format!(".{zone}")) {
            self.report(
                "ddns-outside-zone",
                &at(&["ddns", "name"]),
                format!(
                    "`{}` is not in the zone `{}`",
                    shorten(&name),
                    shorten(&zone)
                ),
                format!("write a name that ends with `.{}`", shorten(&zone)),
            );
        }
        let source = match ddns.source.as_deref() {
            None => DdnsSource::Auto,
            Some("uplink") => DdnsSource::Uplink,
            Some(url) => {
                self.service_url(url, &at(&["ddns", "source"]), "where the address is read");
                DdnsSource::Url(url.to_owned())
            }
        };
        let api = ddns.api.unwrap_or_else(|| CLOUDFLARE.to_owned());
        self.service_url(&api, &at(&["ddns", "api"]), "the API");
        Some(Ddns {
            name,
            zone,
            token_file,
            source,
            families: ddns.families.unwrap_or_else(|| vec![Family::Ipv4]),
            every: ddns.every.unwrap_or(DDNS_EVERY),
            api: api.trim_end_matches('/').to_owned(),
        })
    }

    fn service_url(&mut self, text: &str, path: &[Seg], noun: &str) {
        if syntax::url(text).is_err() || text.contains(['"', '\\', '\'']) {
            self.report(
                "bad-service-url",
                path,
                format!("`{}` can't be the URL of {noun}", shorten(text)),
                "write http:// or https://, a host, and a path if there is one",
            );
        }
    }

    pub(super) fn registry(&mut self, section: &written::Router) -> Option<Registry> {
        let registry = section.registry.clone()?;
        let dir = self.data_dir(registry.dir, "registry", "/var/lib/bramble-registry");
        let mut mirrors: Vec<RegistryMirror> = Vec::new();
        for (i, mirror) in registry.mirrors.iter().enumerate() {
            let path = |key: &str| item(&["registry", "mirrors"], i, key);
            let Some(host) = mirror.host.clone() else {
                continue;
            };
            if syntax::host_port(&host).map_or(true, |(h, _)| !syntax::host(h)) {
                self.report(
                    "bad-mirror-host",
                    &path("host"),
                    format!("`{}` is not the host of a registry", shorten(&host)),
                    "write it as it stands in the names of images, such as docker.io, without https://",
                );
            }
            if mirrors.iter().any(|m| m.host == host) {
                self.report(
                    "mirrored-twice",
                    &path("host"),
                    format!("the registry `{}` is mirrored twice", shorten(&host)),
                    "remove one",
                );
            }
            let url = mirror.url.clone().unwrap_or_else(|| match host.as_str() {
                "docker.io" => "https://registry-1.docker.io".to_owned(),
                host => format!("https://{host}"),
            });
            self.service_url(&url, &path("url"), "a registry");
            let login = match (&mirror.user, &mirror.password_file) {
                (Some(user), Some(file)) => {
                    self.path_value(file, &path("passwordFile"));
                    Some((user.clone(), file.clone()))
                }
                (None, None) => None,
                (user, _) => {
                    let (key, other) = match user {
                        Some(_) => ("user", "passwordFile"),
                        None => ("passwordFile", "user"),
                    };
                    self.report(
                        "half-a-login",
                        &path(key),
                        format!(
                            "`{key}` of the mirror of {} needs `{other}`",
                            shorten(&host)
                        ),
                        "give both, or neither",
                    );
                    None
                }
            };
            mirrors.push(RegistryMirror {
                host,
                url,
                login,
                port: Registry::FIRST_MIRROR_PORT + u16::try_from(i).unwrap_or(0),
            });
        }
        Some(Registry {
            mirrors,
            private: self.private_registry(registry.private),
            dir,
        })
    }

    fn private_registry(
        &mut self,
        written: Option<written::PrivateRegistry>,
    ) -> Option<PrivateRegistry> {
        let keys = ["registry", "private", "users"];
        let mut users: Vec<(String, String)> = Vec::new();
        for (i, user) in written?.users.into_iter().enumerate() {
            let (Some(name), Some(file)) = (user.name, user.password_file) else {
                continue;
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                self.report(
                    "registry-user",
                    &item(&keys, i, "name"),
                    format!(
                        "`{}` can't be the name of a registry's user",
                        shorten(&name)
                    ),
                    "use letters, digits, `_`, `.` and `-`, at most 64",
                );
            } else if users.iter().any(|(n, _)| *n == name) {
                self.report(
                    "registry-user-twice",
                    &item(&keys, i, "name"),
                    format!("the registry's user `{name}` is named twice"),
                    "remove one",
                );
            }
            self.path_value(&file, &item(&keys, i, "passwordFile"));
            users.push((name, file));
        }
        Some(PrivateRegistry { users })
    }

    /// A folder on the router that is not the system's own.
    fn data_dir(&mut self, written: Option<String>, section: &str, usual: &str) -> String {
        let Some(dir) = written else {
            return usual.to_owned();
        };
        let deep = dir.trim_matches('/').split('/').count() >= 2;
        let clean = !dir.split('/').any(|p| p == ".." || p == ".");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        if !dir.starts_with('/') || !deep || !clean || !dir.chars().all(plain) {
            self.report(
                "bad-data-dir",
                &at(&[section, "dir"]),
                format!("`{}` can't be the folder of data", shorten(&dir)),
                "write an absolute path of at least two parts, of letters, digits, `-`, `_` and `.`, such as /srv/data",
            );
        }
        dir.trim_end_matches('/').to_owned()
    }

    pub(super) fn ingress(
        &mut self,
        section: &written::Router,
        known: &[Known],
        lan: Ipv4Net,
    ) -> Option<Ingress> {
        let ingress = section.ingress.clone()?;
        let path = at(&["ingress", "address"]);
        let given = ingress.address.is_some();
        let backends = match &ingress.address {
            Some(text) => self.lan_address(text, lan, &path).into_iter().collect(),
            None => Self::nodes(known)
                .filter_map(|k| match k.address {
                    Some(IpAddr::V4(address)) => Some(address),
                    _ => None,
                })
                .collect(),
        };
        let (http, https) = match (given, ingress.http, ingress.https) {
            (true, None, None) => (Some(80), Some(443)),
            (_, http, https) => (http, https),
        };
        if http.is_none() && https.is_none() && !self.damaged_below(&at(&["ingress"])) {
            self.report(
                "empty-ingress",
                &at(&["ingress"]),
                "`ingress` says neither where traffic goes nor to which port",
                "give `address`, or the node ports `http` and `https`",
            );
        }
        Some(Ingress {
            backends,
            http,
            https,
        })
    }

    pub(super) fn backup(&mut self, section: &written::Router) -> Option<Backup> {
        let backup = section.backup.clone()?;
        let mut clients: Vec<BackupClient> = Vec::new();
        for (i, client) in backup.clients.into_iter().enumerate() {
            let path = |key: &str| item(&["backup", "clients"], i, key);
            let (Some(name), Some(key)) = (client.name, client.key) else {
                continue;
            };
            self.label(&name, &path("name"), "backup client", "backup-client");
            if !syntax::public_key(&key) {
                self.report(
                    "backup-key",
                    &path("key"),
                    "this is no public SSH key",
                    "write one line, as in ~/.ssh/id_ed25519.pub",
                );
            }
            if clients.iter().any(|c| c.name == name) {
                self.report(
                    "backup-client-twice",
                    &path("name"),
                    format!("the backup client `{}` is named twice", shorten(&name)),
                    "give each its own name: it is that of its folder",
                );
            }
            clients.push(BackupClient {
                name,
                key,
                prune: client.prune.unwrap_or(false),
            });
        }
        Some(Backup {
            dir: self.data_dir(backup.dir, "backup", "/var/lib/bramble-backup"),
            clients,
        })
    }

    /// The disks of a machine.
    pub(in crate::resolve) fn disks(
        &mut self,
        disks: &[written::Disk],
        index: usize,
    ) -> Vec<crate::cluster::Disk> {
        let mut out: Vec<crate::cluster::Disk> = Vec::new();
        for (i, disk) in disks.iter().enumerate() {
            let path =
                |key: &str| crate::resolve::route!["spec", "machines", index, "disks", i, key];
            let (Some(id), Some(at)) = (&disk.id, &disk.at) else {
                continue;
            };
            let device = match id.strip_prefix('/') {
                Some(_) => id.clone(),
                None => format!("/dev/disk/by-id/{id}"),
            };
            let stable = device.starts_with("/dev/disk/by-") && device.split('/').count() == 5;
            if !stable || !plain_path(&device) || device.contains("..") {
                self.report(
                    "unstable-disk",
                    &path("id"),
                    format!("`{}` is not the stable name of a disk", shorten(id)),
                    "write a name that `ls -l /dev/disk/by-id` shows on the machine; names like /dev/sda change",
                );
            }
            let system = [
                "/", "/boot", "/etc", "/usr", "/var", "/var/lib", "/home", "/root", "/dev",
                "/proc", "/sys", "/run", "/tmp",
            ];
            let place = at.trim_end_matches('/');
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
            if place.is_empty()
                || system.contains(&place)
                || !place.starts_with('/')
                || place.split('/').any(|p| p == "..")
                || !place.chars().all(plain)
            {
                self.report(
                    "bad-mount-point",
                    &path("at"),
                    format!("a disk can't be mounted at `{}`", shorten(at)),
                    "write a folder of its own, such as /srv/data",
                );
            }
            if out.iter().any(|d| d.device == device || d.at == place) {
                self.report(
                    "disk-twice",
                    &path("id"),
                    format!("the disk `{}` or its folder is named twice", shorten(id)),
                    "each disk has one folder, each folder one disk",
                );
            }
            out.push(crate::cluster::Disk {
                device,
                at: place.to_owned(),
                filesystem: disk.filesystem.unwrap_or_default(),
                wipe: disk.wipe.unwrap_or(false),
            });
        }
        out
    }
}
