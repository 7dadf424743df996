//! Rules for the rest: pod network, time, proxy, mirrors, users, hooks, add-ons.

use super::ssh::plain_path;
use super::{Resolver, route};
use crate::cluster::Cluster;
use crate::cluster::{
    Addon, Hook, HookPoint, Machine, Mirrors, Network, PodNetwork, Proxy, Runtime, Time, User,
};
use crate::file::{self, Plugin};
use crate::problem::Problem;
use crate::resolve::machines::Known;
use crate::shape::{Seg, nearest};
use crate::syntax::{self, UrlFault};
use crate::tree::shorten;

/// Port of the demo page unless the file says otherwise.
const DEMO_PORT: u16 = 30080;

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

    fn path_value(&mut self, text: &str, path: &[Seg]) {
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

    fn url(&mut self, text: &str, path: &[Seg], code: &'static str, noun: &str, example: &str) {
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
            let good = syntax::host_port(registry).is_ok_and(|(host, _)| syntax::host(host));
            if !good {
                let problem = Problem::new(
                    "bad-registry",
                    self.key_place(&path),
                    format!("`{}` is not the host of a registry", shorten(registry)),
                )
                .hint(
                    "write the host as images name it, such as docker.io or registry.example:5000",
                );
                self.push(problem);
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
            apt: written.apt,
            apt_arm: written.apt_arm,
            registries: written.registries,
        }
    }

    pub(super) fn users(&mut self) -> Vec<User> {
        let spec = self.spec;
        self.duplicates(
            "duplicate-user",
            "user",
            "join the two into one",
            spec.users.iter().enumerate().filter_map(|(i, u)| {
                Some((u.name.as_deref()?, route!["spec", "users", i, "name"]))
            }),
        );
        spec.users
            .iter()
            .enumerate()
            .map(|(i, user)| self.user(i, user))
            .collect()
    }

    fn user(&mut self, index: usize, user: &file::User) -> User {
        let at = |key: &str| route!["spec", "users", index, key];
        if let Some(name) = &user.name {
            if !syntax::user_name(name) {
                self.report(
                    "bad-user",
                    &at("name"),
                    format!("`{}` can't be the name of a user", shorten(name)),
                    "use lower-case letters, digits, `_` and `-`, at most 32, a letter first",
                );
            } else if name == "root" {
                self.report(
                    "reserved-user",
                    &at("name"),
                    "the user `root` exists on every machine and isn't Bramble's to manage",
                    "name another user, with `sudo: true` if it may become root",
                );
            }
        }
        for (i, key) in user.authorized_keys.iter().enumerate() {
            let path = route!["spec", "users", index, "authorizedKeys", i];
            if key.contains("PRIVATE KEY") {
                self.report(
                    "private-key",
                    &path,
                    "this is a private key; it doesn't belong in any file that others can read",
                    "give the public one, the line in the file that ends in `.pub`; treat this key as known to others",
                );
            } else if !syntax::public_key(key.trim()) {
                self.report(
                    "bad-public-key",
                    &path,
                    format!("`{}` is not a public key", shorten(key)),
                    "copy the whole line of the `.pub` file: type, key, comment (`ssh-ed25519 AAAA... anna@desk`)",
                );
            }
        }
        for (i, group) in user.groups.iter().enumerate() {
            if !syntax::user_name(group) {
                self.report(
                    "bad-group",
                    &route!["spec", "users", index, "groups", i],
                    format!("`{}` can't be the name of a group", shorten(group)),
                    "use lower-case letters, digits, `_` and `-`, such as adm",
                );
            }
        }
        if let Some(shell) = &user.shell
            && (!shell.starts_with('/') || shell.contains([':', '\n', ' ']))
        {
            self.report(
                "bad-shell",
                &at("shell"),
                format!("`{}` can't be a login shell", shorten(shell)),
                "write its full path, such as /bin/bash",
            );
        }
        User {
            name: user.name.clone().unwrap_or_default(),
            authorized_keys: user
                .authorized_keys
                .iter()
                .map(|key| key.trim().to_owned())
                .collect(),
            sudo: user.sudo.unwrap_or(false),
            groups: user.groups.clone(),
            shell: user.shell.clone().unwrap_or_else(|| "/bin/bash".to_owned()),
        }
    }

    pub(super) fn hooks(&mut self, machines: &[Machine], addons: &[Addon]) -> Vec<Hook> {
        let spec = self.spec;
        self.duplicates(
            "duplicate-hook",
            "hook name",
            "each hook needs a name of its own: it is recorded on the machines under it",
            spec.hooks.iter().enumerate().filter_map(|(i, h)| {
                Some((h.name.as_deref()?, route!["spec", "hooks", i, "name"]))
            }),
        );
        spec.hooks
            .iter()
            .enumerate()
            .map(|(i, hook)| self.hook(i, hook, machines, addons))
            .collect()
    }

    fn hook(
        &mut self,
        index: usize,
        hook: &file::Hook,
        machines: &[Machine],
        addons: &[Addon],
    ) -> Hook {
        let at = |key: &str| route!["spec", "hooks", index, key];
        let called = match &hook.name {
            Some(name) => {
                self.label(name, &at("name"), "hook name", "hook-name");
                format!("the hook `{}`", shorten(name))
            }
            None => format!("hooks[{index}]"),
        };
        let point = match (&hook.before, &hook.after) {
            (Some(_), Some(_)) => {
                let other = self.key_place(&at("before"));
                let problem = Problem::new(
                    "before-and-after",
                    self.key_place(&at("after")),
                    format!("{called} has both `before` and `after`"),
                )
                .hint("keep one; write a second hook for the other")
                .related(other, "the other one");
                self.push(problem);
                None
            }
            (Some(step), None) => {
                self.step(step, &at("before"), addons);
                Some(HookPoint::Before(step.clone()))
            }
            (None, Some(step)) => {
                self.step(step, &at("after"), addons);
                Some(HookPoint::After(step.clone()))
            }
            (None, None) => {
                if !self.lost(&at("before")) && !self.lost(&at("after")) {
                    self.report(
                        "hook-without-step",
                        &at("name"),
                        format!("{called} doesn't say when it runs"),
                        "add `before:` or `after:` with the name of a step, such as `after: base`",
                    );
                }
                None
            }
        };
        for (i, name) in hook.machines.iter().enumerate() {
            if machines.iter().any(|m| m.name == *name) || self.lost(&route!["spec", "machines"]) {
                continue;
            }
            self.report(
                "unknown-machine",
                &route!["spec", "hooks", index, "machines", i],
                format!(
                    "{called} names the machine `{}`, which isn't in this file",
                    shorten(name)
                ),
                Self::suggest(name, machines.iter().map(|m| m.name.as_str())),
            );
        }
        for (key, text) in [("check", &hook.check), ("run", &hook.run)] {
            if text.as_ref().is_some_and(|t| t.trim().is_empty()) {
                let (code, hint) = if key == "run" {
                    ("empty-run", "write the shell program, or remove the hook")
                } else {
                    (
                        "empty-check",
                        "write a command that succeeds once the hook has run, such as `test -e /etc/issue.net`; without it the hook would run every time",
                    )
                };
                self.report(
                    code,
                    &at(key),
                    format!("`{key}` of {called} is empty"),
                    hint,
                );
            }
        }
        for (key, text) in [
            ("check", &hook.check),
            ("run", &hook.run),
            ("undo", &hook.undo),
        ] {
            if text.as_ref().is_some_and(|t| t.contains('\0')) {
                self.report(
                    "nul-in-program",
                    &at(key),
                    format!("`{key}` of {called} holds a NUL character"),
                    "no shell can read that: remove it",
                );
            }
        }
        Hook {
            name: hook.name.clone().unwrap_or_default(),
            at: point.unwrap_or(HookPoint::After(String::new())),
            machines: hook.machines.clone(),
            check: hook.check.clone().unwrap_or_default(),
            run: hook.run.clone().unwrap_or_default(),
            undo: hook.undo.clone().unwrap_or_default(),
            limit: hook.limit.unwrap_or(600),
        }
    }

    fn step(&mut self, step: &str, path: &[Seg], addons: &[Addon]) {
        if !syntax::step(step) {
            self.report(
                "bad-step",
                path,
                format!("`{}` can't be the name of a step", shorten(step)),
                "a step is called such as `base` or `control-plane/init`",
            );
            return;
        }
        let known = self.context.known_steps;
        let of_addon = |a: &Addon| step.strip_prefix("addon/") == Some(a.name());
        if known.is_empty() || known.contains(&step) || addons.iter().any(of_addon) {
            return;
        }
        let hint = match nearest(step, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are: {}", known.join(", ")),
        };
        self.report(
            "unknown-step",
            path,
            format!("there is no step `{}`", shorten(step)),
            hint,
        );
    }

    pub(super) fn addons(&mut self) -> Vec<Addon> {
        let spec = self.spec;
        let mut out: Vec<Addon> = Vec::new();
        let mut places: Vec<Vec<Seg>> = Vec::new();
        for (i, addon) in spec.addons.iter().enumerate() {
            let whole = route!["spec", "addons", i];
            let at = |key: &str| route!["spec", "addons", i, key];
            let (addon, path) = match addon {
                file::Addon::Name(file::BuiltIn::Demo) => (
                    Addon::Demo {
                        node_port: DEMO_PORT,
                    },
                    whole,
                ),
                file::Addon::Settings(settings) => {
                    let Some(name) = &settings.name else { continue };
                    match self.addon(name, settings, i) {
                        Some(addon) => (addon, at("name")),
                        None => continue,
                    }
                }
            };
            if let Some(first) = out.iter().position(|a| a.name() == addon.name()) {
                let problem = Problem::new(
                    "duplicate-addon",
                    self.place(&path),
                    format!("the add-on `{}` is given twice", shorten(addon.name())),
                )
                .hint("remove one, or give your manifests another name")
                .related(self.place(&places[first]), "first here");
                self.push(problem);
            }
            out.push(addon);
            places.push(path);
        }
        out
    }

    fn addon(&mut self, name: &str, settings: &file::AddonSettings, index: usize) -> Option<Addon> {
        let at = |key: &str| route!["spec", "addons", index, key];
        let demo = name == "demo";
        match &settings.manifests {
            Some(_) if demo => {
                self.report(
                    "reserved-addon",
                    &at("name"),
                    "`demo` is a built-in add-on and takes no manifests",
                    "give your manifests another name",
                );
                None
            }
            Some(path) => {
                self.label(name, &at("name"), "name of an add-on", "addon-name");
                self.path_value(path, &at("manifests"));
                if settings.node_port.is_some() {
                    let problem = Problem::new(
                        "option-of-other-addon",
                        self.key_place(&at("nodePort")),
                        format!(
                            "`nodePort` means nothing to manifests of your own (`{}`)",
                            shorten(name)
                        ),
                    )
                    .hint("remove it: the port stands in the manifests");
                    self.push(problem);
                }
                Some(Addon::Manifests {
                    name: name.to_owned(),
                    path: path.clone(),
                })
            }
            None if demo => Some(Addon::Demo {
                node_port: settings.node_port.unwrap_or(DEMO_PORT),
            }),
            None => {
                if !self.lost(&at("manifests")) {
                    let hint = match nearest(name, ["demo"].into_iter()) {
                        Some(near) => format!(
                            "did you mean `{near}`? Manifests of your own need `manifests: path`"
                        ),
                        None => "built-in is: demo. Manifests of your own need `manifests: path`"
                            .to_owned(),
                    };
                    self.report(
                        "unknown-addon",
                        &at("name"),
                        format!("there is no built-in add-on `{}`", shorten(name)),
                        hint,
                    );
                }
                None
            }
        }
    }
}

impl Addon {
    /// Its name, unique in a cluster; its step is `addon/<name>`.
    pub fn name(&self) -> &str {
        match self {
            Addon::Demo { .. } => "demo",
            Addon::Manifests { name, .. } => name,
        }
    }
}

impl Cluster {
    /// What machines and tools must reach without the proxy (U053): this machine, every machine by
    /// name and address, the ranges and domains of the cluster, its endpoint, the first service
    /// address, and what the file adds. In a fixed order, without repetitions.
    pub fn no_proxy(&self) -> Vec<String> {
        use crate::cluster::Endpoint;
        let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
        for machine in &self.machines {
            all.push(machine.name.clone());
            all.push(machine.address.to_string());
            all.extend(machine.management.clone());
        }
        all.extend(self.network.lan.map(|lan| lan.to_string()));
        all.push(self.kubernetes.pod_range.to_string());
        all.push(self.kubernetes.service_range.to_string());
        all.push(format!(".{}", self.network.domain));
        all.push(".svc".to_owned());
        all.push(format!(".{}", self.kubernetes.dns_domain));
        match &self.kubernetes.endpoint {
            Endpoint::None => {}
            Endpoint::External { host, .. } => all.push(host.clone()),
            Endpoint::Vip { address, .. } => all.push(address.to_string()),
        }
        let first = u32::from(self.kubernetes.service_range.network()) + 1;
        all.push(std::net::Ipv4Addr::from(first).to_string());
        all.extend(self.proxy.iter().flat_map(|p| p.no_proxy.iter().cloned()));
        let mut seen = std::collections::HashSet::new();
        all.retain(|entry| seen.insert(entry.clone()));
        all
    }
}
