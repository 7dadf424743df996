//! Kubeconfigs as text: taking one cluster in and out of a file that holds others too.
//!
//! Everything that isn't ours is kept: other entries, their order, unknown fields. Comments are
//! not, as with kubectl itself.

use crate::Error;
use bramble_secret::Secret;
use serde_json::{Map, Value, json};

/// The three lists, with the key under which an entry's content stands.
const LISTS: [(&str, &str); 3] = [
    ("clusters", "cluster"),
    ("contexts", "context"),
    ("users", "user"),
];

/// Whether a kubeconfig has what a connection needs. Nobody is asked.
///
/// # Errors
/// [`Error::Kubeconfig`].
pub fn check(text: &Secret) -> Result<(), Error> {
    match crate::connect::client(text, None) {
        Err(error @ Error::Kubeconfig { .. }) => Err(error),
        // Anything else may be mended elsewhere.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Cluster and user of the current context.
pub(crate) struct Parts {
    pub(crate) cluster: Value,
    pub(crate) user: Value,
}

/// Takes the cluster of an admin's kubeconfig into a kubeconfig that may hold others. Cluster,
/// context and user are all called `name`. `server` replaces the address of the API server (then
/// TLS still expects the original name). The current context is set if there was none, or if
/// `make_current`. Entries of that name that point at the same server or trust the same CA are
/// replaced.
///
/// # Errors
/// A file that can't be read, an `admin_conf` without embedded credentials, or a name that belongs
/// to another cluster ([`Error::NameTaken`]).
pub fn merge(
    existing: Option<&Secret>,
    admin_conf: &Secret,
    name: &str,
    server: Option<&str>,
    make_current: bool,
) -> Result<Secret, Error> {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Error::Kubeconfig {
            what: format!("{name:?} can't be the name of a cluster"),
            hint: "use the cluster's name from its file".into(),
        });
    }
    let mut config = match existing {
        Some(text) if !text.expose().trim().is_empty() => parse(text, "the file to merge into")?,
        _ => empty(),
    };
    let parts = current(admin_conf)?;
    let mut cluster = parts.cluster;
    embedded(&cluster, &parts.user)?;
    if let (Some(server), Some(map)) = (server, cluster.as_object_mut()) {
        let original = map.get("server").and_then(Value::as_str).unwrap_or("");
        if host(original) != host(server) && !map.contains_key("tls-server-name") {
            let name = host(original).to_owned();
            map.insert("tls-server-name".into(), name.into());
        }
        map.insert("server".into(), server.into());
    }

    if let Some(old) = entry(&config, "clusters", name) {
        let old = old.get("cluster").unwrap_or(&Value::Null);
        let same = |field: &str| old.get(field).is_some_and(|value| value == &cluster[field]);
        // After an address change the CA is still the same; after a new `init` the address is.
        if !same("server") && !same("certificate-authority-data") {
            return Err(Error::NameTaken {
                name: name.into(),
                server: old
                    .get("server")
                    .and_then(Value::as_str)
                    .unwrap_or("an unknown address")
                    .into(),
            });
        }
    } else if entry(&config, "users", name).is_some() || entry(&config, "contexts", name).is_some()
    {
        return Err(Error::NameTaken {
            name: name.into(),
            server: "an unknown address (there is a user or context of that name)".into(),
        });
    }

    let mut context = json!({ "cluster": name, "user": name });
    // A namespace that the user chose in our context survives.
    if let Some(namespace) = entry(&config, "contexts", name)
        .and_then(|old| old.pointer("/context/namespace"))
        .cloned()
    {
        context["namespace"] = namespace;
    }
    for ((list, key), content) in LISTS.into_iter().zip([cluster, context, parts.user]) {
        put(&mut config, list, json!({ "name": name, key: content }))?;
    }
    let has_current = config
        .get("current-context")
        .and_then(Value::as_str)
        .is_some_and(|current| !current.is_empty());
    if make_current || !has_current {
        config["current-context"] = name.into();
    }
    write(&config)
}

/// Takes the cluster of that name out; `None` if nothing else is in the file. A current context
/// that was ours is cleared.
///
/// # Errors
/// A file that can't be read.
pub fn remove(existing: &Secret, name: &str) -> Result<Option<Secret>, Error> {
    if existing.expose().trim().is_empty() {
        return Ok(None);
    }
    let mut config = parse(existing, "the file")?;
    for (list, _) in LISTS {
        if let Some(entries) = config.get_mut(list).and_then(Value::as_array_mut) {
            entries.retain(|entry| entry.get("name").and_then(Value::as_str) != Some(name));
        }
    }
    if config.get("current-context").and_then(Value::as_str) == Some(name) {
        config["current-context"] = "".into();
    }
    let left = LISTS.iter().any(|(list, _)| {
        config
            .get(list)
            .and_then(Value::as_array)
            .is_some_and(|entries| !entries.is_empty())
    });
    if left {
        write(&config).map(Some)
    } else {
        Ok(None)
    }
}

/// Cluster and user that the current context names.
pub(crate) fn current(text: &Secret) -> Result<Parts, Error> {
    let config = parse(text, "the admin's file")?;
    let missing = |what: String| Error::Kubeconfig {
        what,
        hint: "use the file that kubeadm writes: /etc/kubernetes/admin.conf".into(),
    };
    let name = config
        .get("current-context")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| missing("no `current-context`".into()))?;
    let context = entry(&config, "contexts", name)
        .and_then(|entry| entry.get("context"))
        .ok_or_else(|| missing(format!("no context {name:?}")))?;
    let part = |list: &str, key: &str| {
        let wanted = context.get(key).and_then(Value::as_str).unwrap_or("");
        entry(&config, list, wanted)
            .and_then(|entry| entry.get(key))
            .filter(|content| content.is_object())
            .cloned()
            .ok_or_else(|| missing(format!("no {key} {wanted:?}")))
    };
    Ok(Parts {
        cluster: part("clusters", "cluster")?,
        user: part("users", "user")?,
    })
}

fn empty() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [],
        "contexts": [],
        "users": [],
        "current-context": "",
    })
}

/// Reads YAML. The error says where, and shows nothing of the text: it holds keys.
fn parse(text: &Secret, which: &str) -> Result<Value, Error> {
    let bad = |what: String| Error::Kubeconfig {
        what: format!("{which} {what}"),
        hint: "repair it or move it away; it has to be a YAML mapping of `kind: Config`".into(),
    };
    let options = serde_saphyr::options! { with_snippet: false };
    let value: Value =
        serde_saphyr::from_str_with_options(text.expose(), options).map_err(|error| {
            bad(error.location().map_or_else(
                || "is not valid YAML".to_owned(),
                |at| format!("is not valid YAML (line {})", at.line()),
            ))
        })?;
    if !value.is_object() {
        return Err(bad("is not a mapping".into()));
    }
    for (list, _) in LISTS {
        if value
            .get(list)
            .is_some_and(|list| !list.is_array() && !list.is_null())
        {
            return Err(bad(format!("has a `{list}` that is not a list")));
        }
    }
    Ok(value)
}

fn write(config: &Value) -> Result<Secret, Error> {
    // Keys and certificates stay on one line, as kubectl writes them.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(config, options)
        .map(Secret::new)
        .map_err(|_| Error::Kubeconfig {
            what: "the result can't be written as YAML".into(),
            hint: "this is a defect of Bramble: please report it".into(),
        })
}

fn entry<'a>(config: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    config
        .get(list)?
        .as_array()?
        .iter()
        .find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))
}

/// Replaces the entry of the same name where it stands, or adds it at the end.
fn put(config: &mut Value, list: &str, new: Value) -> Result<(), Error> {
    let map: &mut Map<String, Value> = config.as_object_mut().ok_or_else(|| Error::Kubeconfig {
        what: "the file to merge into is not a mapping".into(),
        hint: "repair it or move it away".into(),
    })?;
    let entries = map.entry(list).or_insert_with(|| json!([]));
    if entries.is_null() {
        *entries = json!([]);
    }
    if let Some(entries) = entries.as_array_mut() {
        match entries
            .iter_mut()
            .find(|entry| entry.get("name") == new.get("name"))
        {
            Some(old) => *old = new,
            None => entries.push(new),
        }
    }
    Ok(())
}

/// Only what is in the file itself works elsewhere.
fn embedded(cluster: &Value, user: &Value) -> Result<(), Error> {
    let has = |of: &Value, field: &str| of.get(field).and_then(Value::as_str).is_some();
    let certificate = has(user, "client-certificate-data") && has(user, "client-key-data");
    if has(cluster, "server")
        && has(cluster, "certificate-authority-data")
        && (certificate || has(user, "token"))
    {
        return Ok(());
    }
    Err(Error::Kubeconfig {
        what: "the admin's file lacks the server, the CA or the credentials as embedded data"
            .into(),
        hint: "use the file that kubeadm writes: /etc/kubernetes/admin.conf".into(),
    })
}

/// The host of a URL, without brackets and port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if let Some(inner) = authority.strip_prefix('[') {
        return inner.split(']').next().unwrap_or(inner);
    }
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}
