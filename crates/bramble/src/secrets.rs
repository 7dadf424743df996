//! Secrets that the cluster file names, and fresh keys for machines that have none yet.

use crate::error::{CliError, Explain};
use bramble_blueprint::registry::Registries;
use bramble_blueprint::{Fresh, Secrets, UserKeys, VpnKeys};
use bramble_keys::{
    LONGEST_PASSWORD, Strength, Usage, certificate, htpasswd_line, preshared_key, tls_crypt_key,
    wireguard,
};
use bramble_secret::Secret;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Router, Vpn};
use std::path::Path;

/// Longest secret, in bytes.
const LONGEST: u64 = 4096;

/// Reads the files of secrets that the cluster file names. `folder` is the cluster file's own.
///
/// # Errors
/// All problems in one, as wrong use.
pub fn read(cluster: &Cluster, folder: &Path) -> Result<Secrets, CliError> {
    let mut out = Secrets::new();
    let mut problems = Vec::new();
    let Some(router) = &cluster.router else {
        return Ok(out);
    };
    for (path, what) in named(router) {
        match read_one(&folder.join(crate::context::expand(path))) {
            Ok(secret) => {
                out.insert(path.to_owned(), secret);
            }
            Err(why) => problems.push(format!("{path} ({what}): {why}")),
        }
    }
    if problems.is_empty() {
        return Ok(out);
    }
    let what = "secrets that the cluster file names can't be read";
    Err(
        CliError::usage(format!("{what}: {}", problems.join("\n  "))).hint(
            "put each into a file of its own, one line, readable by you alone (chmod 600); paths are relative to the cluster file",
        ),
    )
}

/// Reads one of these files.
///
/// # Errors
/// When it can't be read, as wrong use.
pub fn read_file(folder: &Path, path: &str) -> Result<Secret, CliError> {
    let found = read_one(&folder.join(crate::context::expand(path)));
    found.map_err(|why| CliError::usage(format!("{path}: {why}")))
}

/// Files of secrets, and what each is for.
fn named(router: &Router) -> Vec<(&str, String)> {
    let mut out = Vec::new();
    if let Some(wifi) = &router.uplink.wifi {
        let what = format!("password of the wireless network {}", wifi.ssid);
        out.push((wifi.password_file.as_str(), what));
    }
    if let Some(ddns) = &router.ddns {
        out.push((ddns.token_file.as_str(), "token for DDNS".to_owned()));
    }
    if let Some(registry) = &router.registry {
        let mirrors = registry.mirrors.iter();
        let logins = mirrors.filter_map(|m| Some((m, m.login.as_ref()?)));
        out.extend(
            logins.map(|(mirror, (_, file))| {
                (file.as_str(), format!("password for {}", mirror.host))
            }),
        );
        let users = registry.private.iter().flat_map(|p| &p.users);
        out.extend(users.map(|(name, file)| {
            (
                file.as_str(),
                format!("password of the registry's user {name}"),
            )
        }));
    }
    out
}

fn read_one(path: &Path) -> Result<Secret, String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !meta.is_file() || meta.len() > LONGEST {
        return Err(format!("this is no file of at most {LONGEST} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
    let text = secret.expose();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it has more than one line".to_owned());
    }
    Ok(secret)
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
