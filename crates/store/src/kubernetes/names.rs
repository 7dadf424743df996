//! Names of documents and logs as names of objects, which are DNS names (RFC 1123) of at most 253 characters.

use crate::document::{Key, Kind, Log};
use kube::api::ObjectMeta;
use sha2::{Digest, Sha256};

/// Begins names that stand for others, which are told by an annotation.
const OTHER: &str = "x--";

/// The name that an object stands for.
const NAME: &str = "bramble.dev/name";

/// The kind of a document in a Secret.
pub(super) const KIND: &str = "bramble.dev/kind";

/// The button whose key a Secret has.
pub(super) const BUTTON: &str = "bramble.dev/button";

/// The log that an object is a part of; short enough for a label.
pub(super) const LOG: &str = "bramble.dev/log";

/// Longest name that is taken as it is: others are put before and behind it.
const LONGEST: usize = 200;

/// Longest value of a label.
const LABEL: usize = 63;

/// The name of the object of a document.
pub(super) fn object(name: &str) -> String {
    match name.len() <= LONGEST && is_dns(name) && !name.starts_with(OTHER) {
        true => name.to_owned(),
        false => other(name),
    }
}

/// The name of the Secret of a document.
pub(super) fn secret(key: &Key) -> String {
    format!("bramble-{}-{}", key.kind, object(&key.name))
}

/// Notes the name at an object that can't bear it.
pub(super) fn note(meta: &mut ObjectMeta, name: &str) {
    if object(name) != name {
        let notes = meta.annotations.get_or_insert_default();
        notes.insert(NAME.into(), name.into());
    }
}

/// The name of the document that a custom resource is.
pub(super) fn of_object(meta: &ObjectMeta) -> Option<String> {
    named(meta, meta.name.as_deref()?)
}

/// Which document a Secret is.
pub(super) fn of_secret(meta: &ObjectMeta) -> Option<Key> {
    let kind = Kind::of(meta.labels.as_ref()?.get(KIND)?)?;
    let begin = format!("bramble-{kind}-");
    let name = named(meta, meta.name.as_deref()?.strip_prefix(&begin)?)?;
    Some(Key::new(kind, name))
}

fn named(meta: &ObjectMeta, bears: &str) -> Option<String> {
    if !bears.starts_with(OTHER) {
        return Some(bears.to_owned());
    }
    let name = meta.annotations.as_ref()?.get(NAME)?;
    // Whoever writes another name there does not get what belongs to it.
    (object(name) == bears).then(|| name.clone())
}

/// A name as the value of a label.
pub(super) fn label(name: &str) -> String {
    match object(name) {
        label if label.len() <= LABEL => label,
        _ => other(name),
    }
}

/// The label of the parts of a log, which their names begin with as well.
pub(super) fn log(log: &Log) -> String {
    match log {
        Log::Audit => "audit".into(),
        Log::Run(name) => match format!("run.{}", object(name)) {
            label if label.len() <= LABEL => label,
            _ => format!("run.{}", other(name)),
        },
    }
}

fn other(name: &str) -> String {
    let hash = hex::encode(Sha256::digest(name));
    format!("{OTHER}{}", &hash[..40])
}

fn is_dns(name: &str) -> bool {
    let label = |label: &str| {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty()
            && label.bytes().all(fine)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn names_come_back() {
        let long = "a".repeat(300);
        for name in [
            "home-1", "a.b", "Größer", "", "x--mine", "a b/c", "-", &long,
        ] {
            let mut meta = ObjectMeta {
                name: Some(object(name)),
                ..ObjectMeta::default()
            };
            note(&mut meta, name);
            assert!(is_dns(meta.name.as_deref().unwrap()), "{name}");
            assert_eq!(of_object(&meta).as_deref(), Some(name));
            let key = Key::new(Kind::User, name);
            meta.name = Some(secret(&key));
            meta.labels = Some([(KIND.to_owned(), "user".to_owned())].into());
            assert_eq!(of_secret(&meta), Some(key));
        }
    }

    #[test]
    fn a_forged_name_is_none() {
        let mut meta = ObjectMeta {
            name: Some(object("Anna")),
            ..ObjectMeta::default()
        };
        note(&mut meta, "Bernd");
        assert_eq!(of_object(&meta), None);
    }

    #[test]
    fn labels_of_logs_are_short() {
        assert_eq!(log(&Log::Run("home-1".into())), "run.home-1");
        for name in ["a".repeat(70), "Größer".into()] {
            assert!(log(&Log::Run(name)).len() <= LABEL);
        }
    }
}
