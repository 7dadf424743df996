//! Documents as objects of the API: which writes make one of the other.
//!
//! The API writes spec and status by two requests, a document is written by one. Where both change, the first
//! request, which counts, brings the new status along in an annotation; whoever reads the object before the
//! second one sees it there. So there is never half of a change, whoever is killed in between.

use super::names;
use super::shape::{Around, Parts, Shape, Unfit};
use jiff::Timestamp;
use kube::api::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Brings a status along with a spec.
const CHANGE: &str = "bramble.dev/change";

/// The field of a status that says which change it is of.
pub(super) const CHANGE_FIELD: &str = "change";

/// Keeps a cluster that is deleted by others until it is taken down.
pub(super) const FINALIZER: &str = "bramble.dev/down";

/// A status that comes with a spec.
#[derive(Serialize, Deserialize)]
struct Change {
    /// Version of the object before it: no other change has the same.
    at: String,
    status: Value,
}

/// Writes that make an object what a document says; none where it is that already.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Writes {
    /// The object with its spec and annotations.
    pub main: Option<DynamicObject>,
    /// Its status, for a request of its own.
    pub status: Option<Value>,
}

/// The object's own version.
pub(super) fn version(object: &DynamicObject) -> String {
    object.metadata.resource_version.clone().unwrap_or_default()
}

/// What else there is to know of an object.
pub(super) fn around<'a>(
    name: &'a str,
    object: &DynamicObject,
    before: Option<&'a Parts>,
    now: Timestamp,
) -> Around<'a> {
    let created = object.metadata.creation_timestamp.as_ref();
    Around {
        name,
        created: created.map_or(now, |time| time.0),
        generation: object.metadata.generation.unwrap_or_default(),
        before,
        now,
    }
}

/// The parts of an object; the secret one is not in it.
pub(super) fn parts(object: &DynamicObject, shape: &Shape) -> Parts {
    let notes = object.metadata.annotations.iter().flatten();
    let own = |(key, value): (&String, &String)| {
        let note = shape.notes.iter().find(|note| *note == key)?;
        Some((*note, value.clone()))
    };
    let mut status = match pending(object) {
        Some(change) => change.status,
        None => object.data.get("status").cloned().unwrap_or_default(),
    };
    match &mut status {
        Value::Object(status) => drop(status.shift_remove(CHANGE_FIELD)),
        other => *other = Value::Object(Map::new()),
    }
    let mut spec = object.data.get("spec").cloned().unwrap_or_default();
    (shape.meant)(&mut spec);
    Parts {
        spec,
        status,
        notes: notes.filter_map(own).collect(),
        secret: None,
    }
}

/// A status that was brought along and is not yet in its place.
fn pending(object: &DynamicObject) -> Option<Change> {
    let text = object.metadata.annotations.as_ref()?.get(CHANGE)?;
    let change: Change = serde_json::from_str(text).ok()?;
    (done(object) != Some(change.at.as_str())).then_some(change)
}

fn done(object: &DynamicObject) -> Option<&str> {
    object.data.get("status")?.get(CHANGE_FIELD)?.as_str()
}

/// Writes for a document that is not there yet.
pub(super) fn make(name: &str, shape: &Shape, parts: &Parts) -> Result<Writes, Unfit> {
    let mut object = DynamicObject::new(&names::object(name), &super::resource(shape));
    names::note(&mut object.metadata, name);
    let bare = DynamicObject {
        data: serde_json::json!({ "spec": Value::Null }),
        ..object
    };
    writes(bare, shape, parts)
}

/// Writes that make `object` say what `parts` say.
pub(super) fn writes(object: DynamicObject, shape: &Shape, parts: &Parts) -> Result<Writes, Unfit> {
    let there = self::parts(&object, shape);
    let main = there.spec != parts.spec || there.notes != parts.notes;
    let waits = pending(&object);
    // A status that only differs by the empty fields of another form of it would be written for ever.
    let status = (there.status != parts.status).then(|| parts.status.clone());
    if !main {
        let at = match &waits {
            Some(change) => Some(change.at.clone()),
            None => done(&object).map(str::to_owned),
        };
        return Ok(Writes {
            main: None,
            status: status.map(|status| marked(status, at)),
        });
    }
    let at = match version(&object) {
        version if version.is_empty() => "new".to_owned(),
        version => version,
    };
    let mut changed = object;
    changed.data["spec"] = parts.spec.clone();
    let notes = changed.metadata.annotations.get_or_insert_default();
    notes.retain(|key, _| !shape.notes.contains(&key.as_str()));
    for (note, text) in &parts.notes {
        notes.insert((*note).to_owned(), text.clone());
    }
    let status = match status {
        Some(status) => {
            let change = Change {
                at: at.clone(),
                status: status.clone(),
            };
            notes.insert(CHANGE.into(), serde_json::to_string(&change)?);
            Some(marked(status, Some(at)))
        }
        None => {
            if waits.is_none() {
                notes.remove(CHANGE);
            }
            None
        }
    };
    Ok(Writes {
        main: Some(changed),
        status,
    })
}

fn marked(mut status: Value, at: Option<String>) -> Value {
    if let (Value::Object(status), Some(at)) = (&mut status, at) {
        status.insert(CHANGE_FIELD.into(), at.into());
    }
    status
}
