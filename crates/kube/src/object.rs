//! One object: comparing it by a dry run, applying it on the server's side.

use crate::Error;
use crate::inventory::Key;
use crate::rest::{Patch, Rest, escaped};
use crate::show;
use crate::wait::{Clock, Listener, Look, Wait};
use serde_json::Value;

/// Name under which Bramble owns fields.
pub const MANAGER: &str = "bramble";

/// A manifest that is fit to be applied, and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) manifest: Value,
    pub(crate) path: String,
}

/// How an object differs.
#[derive(Debug, Clone)]
pub(crate) enum Difference {
    /// Not at all.
    Same,
    /// It is not there; `leaving`: an old one is still being deleted.
    Create { leaving: bool, diff: String },
    /// It is there but differs.
    Update { summary: String, diff: String },
}

/// Checks a manifest and drops what only servers write.
fn clean(id: &str, manifest: &Value) -> Result<Value, Error> {
    let bad = |what: &str| Error::Manifest {
        id: id.into(),
        what: what.into(),
        hint: "a manifest needs apiVersion, kind and metadata.name, one object each".into(),
    };
    for pointer in ["/apiVersion", "/kind", "/metadata/name"] {
        match manifest.pointer(pointer).and_then(Value::as_str) {
            None | Some("") => return Err(bad(&format!("{} is missing", &pointer[1..]))),
            Some(_) => {}
        }
    }
    let name_fits = |text: &str| {
        text != "."
            && text != ".."
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b))
    };
    for pointer in ["/metadata/name", "/metadata/namespace"] {
        if let Some(text) = manifest.pointer(pointer).and_then(Value::as_str)
            && !name_fits(text)
        {
            return Err(bad(&format!("{text:?} can't be a name")));
        }
    }
    let api_version = manifest.get("apiVersion").and_then(Value::as_str);
    if api_version.is_some_and(|text| {
        text.split('/').count() > 2
            || !text
                .split('/')
                .all(|part| !part.is_empty() && name_fits(part))
    }) {
        return Err(bad("apiVersion is no `group/version`"));
    }
    let mut manifest = manifest.clone();
    if let Some(map) = manifest.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in [
            "creationTimestamp",
            "managedFields",
            "resourceVersion",
            "uid",
            "generation",
            "selfLink",
        ] {
            metadata.remove(name);
        }
    }
    name_protocols(&mut manifest);
    Ok(manifest)
}

/// Names the protocol of ports where it is left to the default: servers before 1.21 refuse to
/// apply such a list, as the protocol is part of its key.
fn name_protocols(manifest: &mut Value) {
    let text = |key: &str| manifest.get(key).and_then(Value::as_str).unwrap_or("");
    let built_in =
        matches!(text("apiVersion"), "v1" | "apps/v1") || text("apiVersion").starts_with("batch/");
    if !built_in {
        return;
    }
    if text("kind") == "Service"
        && let Some(Value::Array(ports)) = manifest.pointer_mut("/spec/ports")
    {
        ports.iter_mut().for_each(name_protocol);
    }
    for spec in [
        "/spec",
        "/spec/template/spec",
        "/spec/jobTemplate/spec/template/spec",
    ] {
        for list in ["containers", "initContainers"] {
            let containers = manifest.pointer_mut(&format!("{spec}/{list}"));
            let containers = containers.and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                let ports = container.get_mut("ports").and_then(Value::as_array_mut);
                ports.into_iter().flatten().for_each(name_protocol);
            }
        }
    }
}

fn name_protocol(port: &mut Value) {
    if let Some(port) = port.as_object_mut() {
        port.entry("protocol").or_insert_with(|| "TCP".into());
    }
}

/// Which object a manifest is, without asking the server.
pub(crate) fn key(id: &str, manifest: &Value) -> Result<Key, Error> {
    let manifest = clean(id, manifest)?;
    let text = |pointer: &str| {
        manifest
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    Ok(Key {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
    })
}

/// Path of an object; `None` if the server doesn't know its kind.
pub(crate) async fn path(rest: &Rest, key: &Key) -> Result<Option<String>, Error> {
    let Some(kind) = rest.kind(&key.api_version, &key.kind).await? else {
        return Ok(None);
    };
    let root = if key.api_version.contains('/') {
        "/apis"
    } else {
        "/api"
    };
    let place = match (kind.namespaced, key.namespace.as_str()) {
        (false, _) => String::new(),
        (true, "") => "namespaces/default/".to_owned(),
        (true, namespace) => format!("namespaces/{}/", escaped(namespace)),
    };
    Ok(Some(format!(
        "{root}/{}/{place}{}/{}",
        key.api_version,
        kind.plural,
        escaped(&key.name)
    )))
}

/// Where a manifest goes; `None` if the server doesn't know its kind (yet).
pub(crate) async fn locate(
    rest: &Rest,
    id: &str,
    manifest: &Value,
) -> Result<Option<Target>, Error> {
    let key = key(id, manifest)?;
    let mut manifest = clean(id, manifest)?;
    let Some(path) = path(rest, &key).await? else {
        return Ok(None);
    };
    if path.contains("/namespaces/default/") && key.namespace.is_empty() {
        manifest["metadata"]["namespace"] = "default".into();
    }
    Ok(Some(Target { manifest, path }))
}

/// The error for a kind that the server doesn't know.
pub(crate) fn unknown(id: &str, manifest: &Value) -> Error {
    let text = |key: &str| {
        manifest
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    Error::UnknownKind {
        id: id.into(),
        api_version: text("apiVersion"),
        kind: text("kind"),
    }
}

fn apply_path(target: &Target, dry: bool) -> String {
    let dry = if dry { "&dryRun=All" } else { "" };
    format!("{}?fieldManager={MANAGER}&force=true{dry}", target.path)
}

/// Compares by a dry run of the apply: what the server would make of it, defaults and webhooks
/// included. Writes nothing.
pub(crate) async fn plan(rest: &Rest, id: &str, target: &Target) -> Result<Difference, Error> {
    let live = rest.get(&target.path).await?;
    let leaving = live
        .as_ref()
        .is_some_and(|o| o.pointer("/metadata/deletionTimestamp").is_some());
    let Some(live) = live.filter(|_| !leaving) else {
        let create = Difference::Create {
            leaving,
            diff: show::difference(&Value::Null, &target.manifest),
        };
        // A dry run finds mistakes before anything is changed. Its other objections (a namespace
        // or a service account that comes first) are no mistakes.
        return match dry_run(rest, id, target).await {
            Err(error @ Error::Manifest { .. }) => Err(error),
            Err(
                error @ Error::Refused {
                    code: 400 | 422, ..
                },
            ) => Err(error),
            Err(error @ Error::Refused { code: 401, .. }) => Err(error),
            Ok(_) | Err(Error::Refused { .. }) => Ok(create),
            Err(error) => Err(error),
        };
    };
    let would = match dry_run(rest, id, target).await? {
        Some(would) => would,
        // Some webhook can't do dry runs: every field that is named has to hold.
        None => overlay(&live, &target.manifest),
    };
    if show::essence(&live) == show::essence(&would) {
        return Ok(Difference::Same);
    }
    Ok(Difference::Update {
        summary: show::summary(&live, &would),
        diff: show::difference(&live, &would),
    })
}

/// What the server would make of it; `None` if a webhook refuses dry runs.
async fn dry_run(rest: &Rest, id: &str, target: &Target) -> Result<Option<Value>, Error> {
    let answer = rest
        .patch(&apply_path(target, true), Patch::Apply, &target.manifest)
        .await;
    match answer {
        Err(Error::Refused {
            code: 400,
            ref message,
            ..
        }) if message.contains("does not support dry run") => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(named(id, error)),
    }
}

/// `live` with everything that `wanted` names.
fn overlay(live: &Value, wanted: &Value) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            let mut out = live.clone();
            for (key, value) in wanted {
                let under = live.get(key).unwrap_or(&Value::Null);
                out.insert(key.clone(), overlay(under, value));
            }
            Value::Object(out)
        }
        (Value::Array(live), Value::Array(wanted)) if live.len() == wanted.len() => Value::Array(
            live.iter()
                .zip(wanted)
                .map(|(a, b)| overlay(a, b))
                .collect(),
        ),
        (_, wanted) => wanted.clone(),
    }
}

/// Puts the resource's id into an error, and a remedy where the server's words need one.
fn named(id: &str, error: Error) -> Error {
    match error {
        Error::Refused { message, .. }
            if message.contains("failed to create typed patch object") =>
        {
            let what = message
                .split_once("typed patch object")
                .map_or(message.as_str(), |(_, rest)| {
                    rest.trim_start_matches([':', ' '])
                })
                .to_owned();
            Error::Manifest {
                id: id.into(),
                what: format!("the server can't make sense of it: {what}"),
                hint: "correct the field, or use a version of the object that this server has"
                    .into(),
            }
        }
        Error::Refused { code, message, .. } => Error::Refused {
            what: id.into(),
            code,
            message,
        },
        other => other,
    }
}

/// Compares once more and applies what differs; whether something was changed. Waits for what
/// has to come first: a definition of the kind, a webhook that starts, an old one being deleted.
pub(crate) async fn apply(
    rest: &Rest,
    id: &str,
    manifest: &Value,
    clock: Clock,
    on: Listener<'_>,
) -> Result<bool, Error> {
    let mut wait = Wait::new(clock, on);
    loop {
        let look = async {
            let Some(target) = locate(rest, id, manifest).await? else {
                return if clock.left().is_zero() {
                    Err(unknown(id, manifest))
                } else {
                    Ok(Look::Not(format!(
                        "{id}: the server does not know this kind yet"
                    )))
                };
            };
            match plan(rest, id, &target).await? {
                Difference::Same => return Ok(Look::Done(false)),
                Difference::Create { leaving: true, .. } => {
                    return Ok(Look::Not(format!(
                        "{id}: the old one is still being deleted"
                    )));
                }
                Difference::Create { .. } | Difference::Update { .. } => {}
            }
            let answer = rest
                .patch(&apply_path(&target, false), Patch::Apply, &target.manifest)
                .await;
            match answer.map_err(|error| named(id, error)) {
                Ok(_) => Ok(Look::Done(true)),
                Err(Error::Refused { code, message, .. })
                    if code == 409
                        || code == 403
                            && (message.contains("being terminated")
                                || message.contains("error looking up service account")) =>
                {
                    Ok(Look::Not(format!("{id}: {message}")))
                }
                // No such namespace, or no such kind any more: only then another look helps.
                Err(error @ Error::Refused { code: 404, .. }) => {
                    let key = key(id, manifest)?;
                    rest.forget_kinds(&key.api_version);
                    match path(rest, &key).await? {
                        Some(_) => Err(error),
                        None if clock.left().is_zero() => Err(unknown(id, manifest)),
                        None => Ok(Look::Not(format!("{id}: its kind was just deleted"))),
                    }
                }
                Err(error) => Err(error),
            }
        };
        if let Some(end) = wait.judge(look.await).await.transpose() {
            break end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn manifests_that_name_no_object_are_refused() {
        for manifest in [
            json!({}),
            json!({"apiVersion": "v1", "kind": "ConfigMap"}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a/../b"}}),
            json!({"apiVersion": "v1/../x", "kind": "ConfigMap", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ".."}}),
        ] {
            assert!(
                matches!(key("x", &manifest), Err(Error::Manifest { .. })),
                "{manifest}"
            );
        }
        let rbac = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:a"}});
        assert_eq!(key("x", &rbac).unwrap().name, "system:a");
    }

    #[test]
    fn protocols_of_ports_are_named() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
            "spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 80}]}});
        let ports = clean("x", &service).unwrap()["spec"]["ports"].clone();
        assert_eq!(ports[0]["protocol"], "UDP");
        assert_eq!(ports[1]["protocol"], "TCP");
        let set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a"},
            "spec": {"template": {"spec": {"containers": [{"ports": [{"containerPort": 80}]}]}}}});
        assert_eq!(
            clean("x", &set).unwrap()["spec"]["template"]["spec"]["containers"][0]["ports"],
            json!([{"containerPort": 80, "protocol": "TCP"}])
        );
    }

    #[test]
    fn an_overlay_keeps_what_is_not_named() {
        let live = json!({"a": 1, "b": {"c": 1, "d": [{"x": 1, "y": 2}]}});
        let wanted = json!({"b": {"d": [{"x": 3}]}});
        assert_eq!(
            overlay(&live, &wanted),
            json!({"a": 1, "b": {"c": 1, "d": [{"x": 3, "y": 2}]}})
        );
    }
}
