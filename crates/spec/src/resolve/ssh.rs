//! Rules for logging in: keys, host keys, jumps.

use super::machines::Known;
use super::{Resolver, route};
use crate::cluster::{Jump, Router, Ssh};
use crate::file;
use crate::problem::Problem;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;
use std::collections::HashMap;

impl Resolver<'_> {
    /// How each machine is reached, in the order of the machines.
    pub(super) fn ssh(&mut self, known: &[Known], router: Option<&Router>) -> Vec<Ssh> {
        let spec = self.spec;
        let defaults_path = route!["spec", "defaults", "ssh"];
        let defaults = spec
            .defaults
            .as_ref()
            .and_then(|d| d.ssh.clone())
            .unwrap_or_default();
        self.section(&defaults, &defaults_path);
        if defaults.host_key.is_some() && known.len() > 1 {
            let mut path = defaults_path.clone();
            path.push("hostKey".into());
            self.report(
                "shared-host-key",
                &path,
                "one host key can't be that of every machine",
                "move `hostKey` to the `ssh` of its machine",
            );
        }
        let names: HashMap<&str, usize> = known
            .iter()
            .rev()
            .filter_map(|k| k.name.as_deref().map(|n| (n, k.index)))
            .collect();
        let unsure = self.lost(&route!["spec", "machines"])
            || known.iter().any(|k| self.lost(&k.path("name")));
        let mut all = Vec::with_capacity(known.len());
        let mut paths = Vec::with_capacity(known.len());
        for (k, machine) in known.iter().zip(&spec.machines) {
            let own_path = k.path("ssh");
            let own = machine.ssh.clone().unwrap_or_default();
            self.section(&own, &own_path);
            let user = own
                .user
                .or_else(|| defaults.user.clone())
                .unwrap_or_else(|| "root".to_owned());
            let keys = keys(&own.key, &own.keys)
                .or_else(|| keys(&defaults.key, &defaults.keys))
                .unwrap_or_default();
            let (jump, mut jump_path) = match own.jump {
                Some(jump) => (Some(jump), own_path),
                // The machine that everybody jumps through is reached directly.
                None => (
                    defaults.jump.clone().filter(|j| Some(j) != k.name.as_ref()),
                    defaults_path.clone(),
                ),
            };
            jump_path.push("jump".into());
            let jump = jump.or_else(|| self.through_router(k, known, router));
            let jump = jump.and_then(|text| self.jump(&text, &jump_path, &user, k, &names, unsure));
            paths.push(jump_path);
            all.push(Ssh {
                user,
                port: own.port.or(defaults.port).unwrap_or(22),
                keys,
                jump,
                host_key: own.host_key.or_else(|| defaults.host_key.clone()),
            });
        }
        self.cycles(known, &all, &paths, &names);
        // The same mistake in `defaults` is found once for each machine.
        self.problems.dedup();
        all
    }

    /// The router, for a machine behind it that is not reached in another way, where the router itself
    /// is reached from outside.
    fn through_router(
        &self,
        k: &Known,
        known: &[Known],
        router: Option<&Router>,
    ) -> Option<String> {
        let router = router?;
        let outside = known.iter().any(|r| {
            r.name.as_ref() == Some(&router.machine)
                && self.operator_is_outside(r, &router.inside())
        });
        let behind = k
            .address
            .is_some_and(|a| ipnet::IpNet::V4(router.lan()).contains(&a));
        let direct = self.spec.machines[k.index].management.is_some();
        let itself = k.name.as_ref() == Some(&router.machine);
        (outside && behind && !direct && !itself).then(|| router.machine.clone())
    }

    /// Checks one `ssh` section by itself.
    fn section(&mut self, ssh: &file::Ssh, path: &[Seg]) {
        let at = |key: &str| {
            let mut path = path.to_vec();
            path.push(key.into());
            path
        };
        if let Some(user) = &ssh.user
            && !syntax::login(user)
        {
            self.report(
                "bad-login",
                &at("user"),
                format!("`{}` can't be a login name", shorten(user)),
                "use letters, digits, `_`, `-` and `.`",
            );
        }
        if ssh.key.is_some() && ssh.keys.is_some() {
            let first = self.key_place(&at("key"));
            let problem = Problem::new(
                "key-and-keys",
                self.key_place(&at("keys")),
                "`key` and `keys` say the same thing twice",
            )
            .hint("keep `key` for one file, or `keys` for several")
            .related(first, "the other one");
            self.push(problem);
        }
        let single = ssh.key.iter().map(|k| (k, at("key")));
        let several = ssh.keys.iter().flatten().enumerate().map(|(i, k)| {
            let mut path = at("keys");
            path.push(i.into());
            (k, path)
        });
        let files: Vec<_> = single.chain(several).collect();
        for (key, path) in files {
            if key.contains("PRIVATE KEY") {
                self.report(
                    "key-in-file",
                    &path,
                    "this is a private key itself, not the name of its file",
                    "put the key into a file only you can read, and its path here; treat this key as known to others",
                );
            } else if !plain_path(key) {
                self.report(
                    "bad-key-path",
                    &path,
                    format!("`{}` can't be the path of a key file", shorten(key)),
                    "write a path such as ~/.ssh/id_ed25519",
                );
            }
        }
        if let Some(host_key) = &ssh.host_key
            && !syntax::fingerprint(host_key)
        {
            self.report(
                "bad-host-key",
                &at("hostKey"),
                format!("`{}` is not the fingerprint of a host key", shorten(host_key)),
                "write `SHA256:` and 43 characters, as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows on the machine",
            );
        }
    }

    fn jump(
        &mut self,
        text: &str,
        path: &[Seg],
        default_user: &str,
        known: &Known,
        names: &HashMap<&str, usize>,
        unsure: bool,
    ) -> Option<Jump> {
        if names.contains_key(text) {
            if known.name.as_deref() == Some(text) {
                self.report(
                    "jump-to-itself",
                    path,
                    format!("`{}` can't be reached through itself", shorten(text)),
                    "remove `jump`, or name another machine",
                );
                return None;
            }
            return Some(Jump::Machine(text.to_owned()));
        }
        if !text.contains(['@', '.', ':']) {
            if !unsure {
                let hint = Self::suggest(text, names.keys().copied());
                self.report(
                    "unknown-jump",
                    path,
                    format!(
                        "`jump` names the machine `{}`, which isn't in this file",
                        shorten(text)
                    ),
                    format!(
                        "{hint}{} a host outside the file is written `user@host:port`",
                        if hint.ends_with('?') { "" } else { ";" }
                    ),
                );
            }
            return None;
        }
        let (user, rest) = text.rsplit_once('@').unwrap_or((default_user, text));
        match syntax::host_port(rest) {
            Ok((host, port)) if syntax::host(host) && syntax::login(user) => Some(Jump::Host {
                user: user.to_owned(),
                host: host.to_owned(),
                port: port.unwrap_or(22),
            }),
            _ => {
                self.report(
                    "bad-jump",
                    path,
                    format!(
                        "`{}` is neither a machine nor a host to jump through",
                        shorten(text)
                    ),
                    "write the name of a machine of this file, or `user@host:port`",
                );
                None
            }
        }
    }

    /// Reports each circle of jumps once.
    fn cycles(
        &mut self,
        known: &[Known],
        all: &[Ssh],
        paths: &[Vec<Seg>],
        names: &HashMap<&str, usize>,
    ) {
        let next = |index: usize| match &all[index].jump {
            Some(Jump::Machine(name)) => names.get(name.as_str()).copied(),
            _ => None,
        };
        // 0 not seen, otherwise the number of the walk that saw it.
        let mut seen = vec![0usize; all.len()];
        for start in 0..all.len() {
            let mut at = Some(start);
            while let Some(index) = at {
                if seen[index] == 0 {
                    seen[index] = start + 1;
                    at = next(index);
                    continue;
                }
                if seen[index] == start + 1 {
                    let mut names = vec![Self::called(&known[index])];
                    let mut walk = next(index);
                    while let Some(step) = walk.filter(|step| *step != index) {
                        names.push(Self::called(&known[step]));
                        walk = next(step);
                    }
                    names.push(Self::called(&known[index]));
                    self.report(
                        "jump-cycle",
                        &paths[index],
                        format!("the jumps go in a circle: {}", names.join(" to ")),
                        "one of these machines must be reached directly: remove its `jump`",
                    );
                }
                break;
            }
        }
    }
}

fn keys(one: &Option<String>, several: &Option<Vec<String>>) -> Option<Vec<String>> {
    match (one, several) {
        (Some(key), _) => Some(vec![key.clone()]),
        (None, several) => several.clone(),
    }
}

/// Whether text can be a path: something, on one line, not an option.
pub(super) fn plain_path(text: &str) -> bool {
    !text.trim().is_empty() && !text.starts_with('-') && !text.chars().any(char::is_control)
}
