//! Clusters: the spec is that of the cluster file, so that the file itself can be applied.

use crate::document::Kind;
use crate::kubernetes::shape::{
    Around, Column, Condition, Parts, Shape, Unfit, conditions, read, schema,
};
use crate::record::{Cluster, Origin, Phase};
use bramble_spec::file::{API_VERSION, KIND};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The file's text, comments included, as it was given to the daemon.
const FILE: &str = "bramble.dev/file";
/// Who made the cluster.
const OWNER: &str = "bramble.dev/owner";
/// When it was asked for.
const CREATED: &str = "bramble.dev/created";
/// When it is taken down by itself.
const EXPIRES: &str = "bramble.dev/expires";
/// After how many seconds.
const LIFETIME: &str = "bramble.dev/lifetime";
/// Where its machines come from.
const ORIGIN: &str = "bramble.dev/origin";
/// The claim by which it has them.
const CLAIM: &str = "bramble.dev/claim";

/// SHA-256 of the spec that the daemon wrote; another spec is from somebody else.
const SPEC: &str = "bramble.dev/spec";

/// Longest text that is kept beside the spec: all annotations of an object have 256 KiB, and `kubectl apply`
/// needs as much for itself.
const LONGEST: usize = 96 * 1024;

/// Who made a cluster that was not made by the daemon: the server does not say who it was.
const KUBERNETES: &str = "kubernetes";

pub(in crate::kubernetes) const SHAPE: Shape = Shape {
    kind: Kind::Cluster,
    plural: "clusters",
    word: "Cluster",
    short: "bc",
    about: "A cluster file, and what became of it.",
    columns: &[
        Column::text("Phase", ".status.phase"),
        Column::text("Address", ".status.address"),
        Column::text("Message", ".status.message").wide(),
        Column::AGE,
    ],
    notes: &[FILE, OWNER, CREATED, EXPIRES, LIFETIME, ORIGIN, CLAIM, SPEC],
    meant,
    spec: file_spec,
    status: schema::<Status>,
    split,
    join,
};

/// What became of a cluster.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// What it is at the moment.
    #[serde(default = "new")]
    phase: Phase,
    /// Why it is so, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Where its API answers, such as `https://10.77.0.5:6443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// How many runs there were; the last one is the name, a hyphen and this number.
    #[serde(default)]
    runs: u64,
    /// Generation of the spec that the last run was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    observed_generation: Option<i64>,
    /// `Ready` and `Progressing`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Condition>,
}

fn new() -> Phase {
    Phase::New
}

/// The schema of a cluster file's `spec`.
fn file_spec() -> Value {
    let mut file = bramble_spec::schema();
    let spec = file.pointer_mut("/properties/spec").map(Value::take);
    let mut spec = spec.unwrap_or_default();
    spec["$defs"] = file["$defs"].take();
    spec
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::New => "New",
        Phase::Building => "Building",
        Phase::Ready => "Ready",
        Phase::Failed => "Failed",
        Phase::Removing => "Removing",
        Phase::Gone => "Gone",
    }
}

fn origin_word(origin: Origin) -> Result<String, serde_json::Error> {
    Ok(match serde_json::to_value(origin)? {
        Value::String(word) => word,
        other => other.to_string(),
    })
}

fn origin_of(word: &str) -> Option<Origin> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

fn split(body: Value, around: &Around<'_>) -> Result<Parts, Unfit> {
    let cluster: Cluster = serde_json::from_value(body)?;
    let spec = spec_of(&cluster.file).ok_or(Unfit::File)?;
    let mut notes = BTreeMap::new();
    // A file that only repeats the spec has nothing to add to it.
    let repeats = cluster.file == written(around.name, &spec);
    if cluster.file.len() <= LONGEST && !repeats {
        notes.insert(FILE, cluster.file);
    }
    if cluster.owner != KUBERNETES {
        notes.insert(OWNER, cluster.owner);
    }
    if around.before.is_none() || cluster.created != around.created {
        notes.insert(CREATED, cluster.created.to_string());
    }
    if let Some(expires) = cluster.expires {
        notes.insert(EXPIRES, expires.to_string());
    }
    if let Some(lifetime) = cluster.lifetime {
        notes.insert(LIFETIME, lifetime.to_string());
    }
    if let Some(origin) = cluster.origin {
        notes.insert(ORIGIN, origin_word(origin)?);
    }
    if let Some(claim) = cluster.claim {
        notes.insert(CLAIM, claim);
    }
    if !around.before.is_some_and(|b| b.spec == spec && declared(b)) {
        notes.insert(SPEC, fingerprint(&spec));
    }
    let before: Status = around.status()?;
    let observed = match cluster.runs == before.runs {
        true => before.observed_generation,
        false => Some(around.generation),
    };
    let status = Status {
        phase: cluster.phase,
        address: cluster.address,
        runs: cluster.runs,
        observed_generation: observed,
        conditions: conditions(
            &before.conditions,
            around.now,
            phase_word(cluster.phase),
            cluster.message.as_deref().unwrap_or_default(),
            &[
                ("Ready", cluster.phase == Phase::Ready),
                (
                    "Progressing",
                    matches!(cluster.phase, Phase::Building | Phase::Removing),
                ),
            ],
        ),
        message: cluster.message,
    };
    Ok(Parts {
        spec,
        status: serde_json::to_value(status)?,
        notes,
        secret: None,
    })
}

fn join(parts: Parts, around: &Around<'_>) -> Result<Value, Unfit> {
    let status: Status = read(parts.status.clone())?;
    let time = |note: &str| parts.notes.get(note).and_then(|text| text.parse().ok());
    let owner = parts.notes.get(OWNER).cloned();
    let cluster = Cluster {
        origin: parts.notes.get(ORIGIN).and_then(|word| origin_of(word)),
        claim: parts.notes.get(CLAIM).cloned(),
        owner: owner.unwrap_or_else(|| KUBERNETES.into()),
        created: time(CREATED).unwrap_or(around.created),
        expires: time(EXPIRES),
        lifetime: parts.notes.get(LIFETIME).and_then(|text| text.parse().ok()),
        phase: status.phase,
        message: status.message,
        address: status.address,
        runs: status.runs,
        file: match given(&parts) {
            Some(file) => file.to_owned(),
            None => written(around.name, &parts.spec),
        },
    };
    Ok(serde_json::to_value(cluster)?)
}

/// The text that the daemon was given, as long as the spec is still what it says.
fn given(parts: &Parts) -> Option<&str> {
    let file = parts.notes.get(FILE)?;
    (spec_of(file).as_ref() == Some(&parts.spec)).then_some(file.as_str())
}

/// `kubectl` reads YAML 1.1, in which `off` is no word but `false`.
fn meant(spec: &mut Value) {
    let swaps_off = |section: &mut Value| {
        if let Some(swap) = section.get_mut("swap").filter(|swap| **swap == false) {
            *swap = "off".into();
        }
    };
    if let Some(defaults) = spec.get_mut("defaults") {
        swaps_off(defaults);
    }
    let machines = spec.get_mut("machines").and_then(Value::as_array_mut);
    machines.into_iter().flatten().for_each(swaps_off);
}

/// Whether the spec comes from somebody who changed the resource itself, rather than through the daemon.
pub(in crate::kubernetes) fn declared(parts: &Parts) -> bool {
    parts.notes.get(SPEC) != Some(&fingerprint(&parts.spec))
}

/// SHA-256 of a value, whatever the order of its keys.
fn fingerprint(value: &Value) -> String {
    hex::encode(Sha256::digest(sorted(value).to_string()))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<&String, Value> = map.iter().map(|(k, v)| (k, sorted(v))).collect();
            map.into_iter().map(|(k, v)| (k.clone(), v)).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// The `spec` that a file's text has.
fn spec_of(file: &str) -> Option<Value> {
    let mut file = bramble_spec::value(file)?;
    let spec = file.get_mut("spec").map(Value::take);
    spec.filter(Value::is_object)
}

/// A cluster file with that spec. JSON is YAML as well, and nothing in it can be read as something else.
fn written(name: &str, spec: &Value) -> String {
    let file = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": { "name": name },
        "spec": spec,
    });
    format!("{file:#}\n")
}
