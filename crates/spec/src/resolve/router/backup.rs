//! Rules for the place for backups.

use crate::cluster::{Backup, BackupClient};
use crate::file::router as written;
use crate::problem::Problem;
use crate::resolve::Resolver;
use crate::syntax;

const DIR: &str = "/var/lib/bramble-backup";

impl Resolver<'_> {
    pub(super) fn backup(&mut self, section: &written::Router) -> Option<Backup> {
        let backup = section.backup.clone()?;
        let path = |i: usize, key: &str| below!["backup", "clients", i, key];
        let names = backup.clients.iter().enumerate();
        let names = names.filter_map(|(i, c)| Some((c.name.as_deref()?, path(i, "name"))));
        self.duplicates(
            "backup-client-twice",
            "backup client",
            "give each its own name: it is that of its folder",
            names,
        );
        let mut clients = Vec::new();
        let mut blobs: Vec<(String, usize)> = Vec::new();
        for (i, client) in backup.clients.iter().enumerate() {
            if let Some(name) = &client.name {
                self.label(name, &path(i, "name"), "backup client", "backup-client");
            }
            if let Some(key) = &client.key {
                self.backup_key(key, i, &mut blobs);
            }
            if let (Some(name), Some(key)) = (&client.name, &client.key) {
                clients.push(BackupClient {
                    name: name.clone(),
                    key: key.trim().to_owned(),
                    prune: client.prune.unwrap_or(false),
                });
            }
        }
        Some(Backup {
            dir: self.data_dir(backup.dir.as_deref(), "backup", DIR),
            clients,
        })
    }

    /// A key decides whose folder is opened, so it has no options of its own and one client.
    fn backup_key(&mut self, key: &str, index: usize, blobs: &mut Vec<(String, usize)>) {
        let path = |i: usize| below!["backup", "clients", i, "key"];
        if !self.public_key(key, &path(index)) {
            return;
        }
        let mut words = key.split_whitespace();
        if !words.next().is_some_and(syntax::public_key_type) {
            self.report(
                "backup-key-options",
                &path(index),
                "options of a key are not the client's to choose: what it may do here is fixed",
                "begin with the key's type, as in the `.pub` file: `ssh-ed25519 AAAA...`",
            );
            return;
        }
        let blob = words.next().unwrap_or_default().to_owned();
        match blobs.iter().find(|(b, _)| *b == blob) {
            Some((_, first)) => {
                let problem = Problem::new(
                    "backup-key-twice",
                    self.place(&path(index)),
                    "this key is that of another client already",
                )
                .hint("give each client a key of its own: the key decides whose backups it sees")
                .related(self.place(&path(*first)), "first here");
                self.push(problem);
            }
            None => blobs.push((blob, index)),
        }
    }
}
