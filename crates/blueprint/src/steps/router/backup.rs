//! A place for backups: Borg over SSH, one key a client, each in a folder of its own.
//!
//! What clients store is theirs: nothing here removes it, no teardown either.

use crate::context::{On, r};
use bramble_machine::kinds::{Action, AuthorizedKeys, Check, Directory, File, User};
use bramble_machine::shell::{word, words};
use bramble_machine::{Script, Step};
use bramble_spec::cluster::{Backup, BackupClient};

const USER: &str = "bramble-backup";
const SSHD: &str = "/etc/ssh/sshd_config.d/51-bramble-backup.conf";

pub(crate) fn step(on: &On) -> Option<Step> {
    let backup = on.router()?.backup.as_ref()?;
    let keys = backup.clients.iter().map(|client| key(backup, client));
    let resources = vec![
        // A shell, because sshd starts forced commands by it.
        r(User::new(USER).shell("/bin/sh").service()),
        r(Directory::new(&backup.dir)),
        r(folders(backup)),
        r(AuthorizedKeys::new(USER, keys)),
    ];
    Some(on.step("router/backup", resources))
}

/// What lets the clients in past an sshd that admits a few users only (sshd_config(5), Match). It is one
/// of the files of sshd, which has one service and one step.
pub(in crate::steps) fn sshd(on: &On) -> Option<File> {
    on.router()?.backup.as_ref()?;
    let text = format!(
        "# Made by Bramble.\n\
         Match User {USER}\n\
         \tAllowUsers {USER}\n\
         \tAllowGroups {USER}\n\
         \tAuthorizedKeysFile .ssh/authorized_keys\n\
         \tPubkeyAuthentication yes\n\
         \tPasswordAuthentication no\n\
         \tDisableForwarding yes\n\
         \tPermitTTY no\n"
    );
    Some(File::text(SSHD, text))
}

/// One folder a client, for the user alone. What lies in one from an earlier life of the router, or on
/// a disk that comes from another one, belonged to a user of another number.
fn folders(backup: &Backup) -> Action {
    let all = backup.clients.iter().map(|c| folder(backup, c));
    let all = words(all);
    let test = format!(
        "for d in {all}; do [ \"$(stat -c %U:%G:%a -- $d 2>/dev/null)\" = {USER}:{USER}:700 ] || exit 1; done"
    );
    let run = Script::of(format!(
        "for d in {all}; do\n\
         \t[ ! -L $d ] || {{ echo \"$d is a symbolic link: put the folder itself in its place\"; exit 1; }}\n\
         \t[ -d $d ] || mkdir -m 0700 -- $d\n\
         \tchown -hR {USER}:{USER} -- $d\n\
         \tchmod 0700 -- $d\n\
         done"
    ));
    let names: Vec<&str> = backup.clients.iter().map(|c| c.name.as_str()).collect();
    let title = format!("a folder for the backups of {}", names.join(", "));
    let dir = word(&backup.dir);
    // What is in them stays, but not with a number that another user may be given.
    let undo = format!(
        "[ -d {dir} ] || return 0\n\
         find {dir} -mindepth 1 -maxdepth 1 -type d -user {USER} -empty -delete\n\
         find {dir} -mindepth 1 -maxdepth 1 -type d -user {USER} -exec chown -hR root:root {{}} +"
    );
    Action::new("backup-folders", title, Check::Succeeds(test), run).undone_by(undo)
}

fn folder(backup: &Backup, client: &BackupClient) -> String {
    format!("{}/{}", backup.dir, client.name)
}

/// A line of authorized_keys: the client can start Borg's server for its own folder, and nothing else
/// (sshd(8), `restrict`; borg-serve(1)). Names and folders hold no quotes.
fn key(backup: &Backup, client: &BackupClient) -> String {
    let append_only = if client.prune { "" } else { " --append-only" };
    format!(
        "restrict,command=\"borg serve --restrict-to-path {}{append_only}\" {}",
        folder(backup, client),
        client.key.trim()
    )
}
