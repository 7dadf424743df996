//! Secrets that the cluster file names, and fresh keys for machines that have none yet.

use crate::error::{CliError, Explain};
use crate::printer::Printer;
use bramble_blueprint::registry::Registries;
use bramble_blueprint::{Fresh, Secrets, UserKeys, VpnKeys};
use bramble_keys::{
    LONGEST_PASSWORD, Strength, Usage, certificate, htpasswd_line, preshared_key, tls_crypt_key,
    wireguard,
};
use bramble_secret::Secret;
use bramble_spec::cluster::{Router, Vpn};
use bramble_spec::{Cluster, Fault};
use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Longest secret, in bytes.
const LONGEST: u64 = 4096;
/// Bits of a file's mode for its group and for all others.
const OTHERS: u32 = 0o077;

/// A file of secrets that the cluster file names.
struct Named<'a> {
    path: &'a str,
    /// What it is for.
    what: String,
    form: Form,
}

/// How such a file is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// One line.
    Line,
    /// Two lines: the id of a key, and the key.
    Pair,
}

impl Form {
    fn hint(self) -> &'static str {
        match self {
            Form::Line => {
                "put it into a file of its own, one line, readable by you alone (chmod 600); paths are relative to the cluster file"
            }
            Form::Pair => {
                "put both into a file of their own, the access key id in the first line and the secret key in the second, readable by you alone (chmod 600); paths are relative to the cluster file"
            }
        }
    }
}

/// Reads the files of secrets that a cluster file names.
///
/// # Errors
/// All problems at their places in the cluster file, as wrong use; they are said already.
pub fn read(cluster: &Cluster, file: &Path, printer: &Printer) -> Result<Secrets, CliError> {
    let mut all: Vec<Named> = cluster.router.as_ref().map(named).unwrap_or_default();
    let snapshots = cluster.etcd.snapshots.as_ref();
    all.extend(snapshots.and_then(|s| s.s3.as_ref()).map(|s3| Named {
        path: s3.credentials_file.as_str(),
        what: format!("credentials for the bucket {}", s3.bucket),
        form: Form::Pair,
    }));
    read_all(&all, file, printer)
}

/// Reads one of these files.
///
/// # Errors
/// As [`read`].
pub fn read_one(
    file: &Path,
    path: &str,
    what: String,
    printer: &Printer,
) -> Result<Secret, CliError> {
    let form = Form::Line;
    let mut found = read_all(&[Named { path, what, form }], file, printer)?;
    found
        .remove(path)
        .ok_or_else(|| CliError::failed(format!("{path} was not read")))
}

fn read_all(named: &[Named], file: &Path, printer: &Printer) -> Result<Secrets, CliError> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut out = Secrets::new();
    let mut faults: Vec<Fault> = Vec::new();
    for Named { path, what, form } in named {
        // Two may share a file.
        if out.contains_key(*path) || faults.iter().any(|f| f.path == *path) {
            continue;
        }
        let place = folder.join(crate::context::expand(path));
        match content(&place, *form) {
            Ok(secret) => {
                tell_if_open(&place, what, printer);
                out.insert((*path).to_owned(), secret);
            }
            Err(why) => faults.push(Fault {
                code: "unreadable-secret",
                path: (*path).to_owned(),
                message: format!("{} ({what}): {why}", place.display()),
                hint: form.hint().to_owned(),
            }),
        }
    }
    if faults.is_empty() {
        return Ok(out);
    }
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let problems = bramble_spec::named(&file.display().to_string(), &text, faults);
    Err(crate::context::refuse(&problems, printer))
}

/// Reads a file with one secret in one line; why it can't be.
pub fn line(path: &Path, what: &str, printer: &Printer) -> Result<Secret, String> {
    let secret = content(path, Form::Line)?;
    tell_if_open(path, what, printer);
    Ok(secret)
}

/// Says that others on this computer can read a secret: most often nobody meant that.
pub fn tell_if_open(path: &Path, what: impl Display, printer: &Printer) {
    let mode = std::fs::metadata(path).map_or(0, |meta| meta.mode());
    if mode & OTHERS != 0 {
        let path = path.display();
        printer.note(format!(
            "note: {path} ({what}) is open to other users of this computer: chmod 600 {path}"
        ));
    }
}

/// Files of secrets, and what each is for.
fn named(router: &Router) -> Vec<Named<'_>> {
    let mut out = Vec::new();
    let line = |path, what| Named {
        path,
        what,
        form: Form::Line,
    };
    if let Some(wifi) = &router.uplink.wifi {
        let what = format!("password of the wireless network {}", wifi.ssid);
        out.push(line(&wifi.password_file, what));
    }
    if let Some(ddns) = &router.ddns {
        out.push(line(&ddns.token_file, "token for DDNS".to_owned()));
    }
    if let Some(registry) = &router.registry {
        let mirrors = registry.mirrors.iter();
        let logins = mirrors.filter_map(|m| Some((m, m.login.as_ref()?)));
        out.extend(
            logins.map(|(mirror, (_, file))| line(file, format!("password for {}", mirror.host))),
        );
        let users = registry.private.iter().flat_map(|p| &p.users);
        out.extend(users.map(|(name, file)| line(file, of_user(name))));
    }
    out
}

/// What the password of one of the private registry's users is called.
pub fn of_user(name: &str) -> String {
    format!("password of the registry's user {name}")
}

fn content(path: &Path, form: Form) -> Result<Secret, String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !meta.is_file() || meta.len() > LONGEST {
        return Err(format!("this is no file of at most {LONGEST} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    match form {
        Form::Line => one_line(text.trim_end_matches(['\r', '\n'])),
        Form::Pair => two_lines(&text),
    }
}

fn one_line(text: &str) -> Result<Secret, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it has more than one line".to_owned());
    }
    Ok(Secret::new(text))
}

/// Both without spaces around them, and one newline in between.
fn two_lines(text: &str) -> Result<Secret, String> {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
    let plain = |line: &&str| !line.is_empty() && line.chars().all(|c| c.is_ascii_graphic());
    match lines.as_slice() {
        [id, key] if [id, key].into_iter().all(plain) => Ok(Secret::new(format!("{id}\n{key}"))),
        [_, _] => Err("an access key id and a secret key have no spaces in them".to_owned()),
        other => Err(format!("it has {} lines and not two", other.len())),
    }
}

/// Keys for machines that have none yet, and what is made of the secrets.
///
/// # Errors
/// When this computer gives no random numbers, or a password can't be hashed.
pub fn fresh(cluster: &Cluster, secrets: &Secrets) -> Result<Fresh, CliError> {
    let Some(router) = &cluster.router else {
        return Ok(Fresh::default());
    };
    let registries = Registries::of(cluster);
    let registry = registries.map(|registries| registry_keys(&registries));
    let private = router.registry.as_ref().and_then(|r| r.private.as_ref());
    let logins = private.map(|private| logins(&cluster.name, &private.users, secrets));
    let vpn = router.vpn.as_ref().map(|vpn| vpn_keys(vpn, router));
    Ok(Fresh {
        registry: registry.transpose()?,
        logins: logins.transpose()?,
        vpn: vpn.transpose()?,
    })
}

fn registry_keys(registries: &Registries) -> Result<bramble_keys::Pair, CliError> {
    let names = registries.names();
    certificate(&names[0], &names, Usage::Server).explain("the registry's certificate")
}

/// The private registry's users with their hashed passwords.
fn logins(
    cluster: &str,
    users: &[(String, String)],
    secrets: &Secrets,
) -> Result<Secret, CliError> {
    let mut out = String::new();
    for (name, file) in users {
        let password = secrets.get(file).cloned();
        let password = password.unwrap_or_else(|| Secret::new(""));
        let line = htpasswd_line(cluster, name, &password, Strength::Chosen).map_err(|error| {
            CliError::usage(format!("{file}: {error}")).hint(format!(
                "the registry takes passwords of at most {LONGEST_PASSWORD} bytes"
            ))
        })?;
        out.push_str(line.expose());
    }
    Ok(Secret::new(out))
}

fn vpn_keys(vpn: &Vpn, router: &Router) -> Result<VpnKeys, CliError> {
    let what = "VPN keys";
    let server = certificate(&router.machine, &[], Usage::Server).explain(what)?;
    let mut users = std::collections::BTreeMap::new();
    for user in &vpn.users {
        let keys = UserKeys {
            wireguard: wireguard().explain(what)?,
            preshared: preshared_key().explain(what)?,
            client: certificate(user, &[], Usage::Client).explain(what)?,
        };
        users.insert(user.clone(), keys);
    }
    Ok(VpnKeys {
        wireguard: wireguard().explain(what)?,
        server,
        tls_crypt: tls_crypt_key().explain(what)?,
        users,
    })
}
