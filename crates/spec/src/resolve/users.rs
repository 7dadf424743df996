//! Rules for users.

use super::{Resolver, route};
use crate::cluster::User;
use crate::file;
use crate::shape::Seg;
use crate::syntax;
use crate::tree::shorten;

impl Resolver<'_> {
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
            self.public_key(key, &path);
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

    /// Whether text is a public key; says what is wrong with it if not.
    pub(super) fn public_key(&mut self, key: &str, path: &[Seg]) -> bool {
        if key.contains("PRIVATE KEY") {
            self.report(
                "private-key",
                path,
                "this is a private key; it doesn't belong in any file that others can read",
                "give the public one, the line in the file that ends in `.pub`; treat this key as known to others",
            );
            return false;
        }
        if !syntax::public_key(key.trim()) {
            self.report(
                "bad-public-key",
                path,
                format!("`{}` is not a public key", shorten(key)),
                "copy the whole line of the `.pub` file: type, key, comment (`ssh-ed25519 AAAA... anna@desk`)",
            );
            return false;
        }
        true
    }
}
