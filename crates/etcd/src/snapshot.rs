//! Snapshots on machines, as they are told.

use crate::Unreadable;
use serde::{Deserialize, Serialize};

/// What is in a snapshot, by the word of etcd's tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Inside {
    /// Hash of its data.
    pub hash: u32,
    /// Revision of its data.
    pub revision: u64,
    /// Number of keys, with their versions.
    #[serde(rename(deserialize = "totalKey"))]
    pub keys: u64,
}

/// A snapshot on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Bytes.
    pub size: u64,
    /// When it was taken, in seconds since 1970.
    pub taken: u64,
    /// Sum of the file.
    pub sha256: Option<String>,
    /// What is in it.
    pub inside: Option<Inside>,
}

/// A snapshot with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// The file on the machine.
    pub file: String,
    /// What is known of it.
    #[serde(flatten)]
    pub about: Snapshot,
}

/// Reads what the programs print that take and list snapshots.
///
/// # Errors
/// [`Unreadable`] for what they never print.
pub fn stored(text: &str) -> Result<Vec<Stored>, Unreadable> {
    let mut out = Vec::new();
    for line in text.lines() {
        let Some((file, about)) = line.split_once(' ').filter(|(f, _)| f.starts_with('/')) else {
            continue;
        };
        out.push(Stored {
            file: file.to_owned(),
            about: read("a snapshot", about)?,
        });
    }
    Ok(out)
}

/// Reads what is in a snapshot.
///
/// # Errors
/// [`Unreadable`] for what etcd's tools never print.
pub fn inside(text: &str) -> Result<Inside, Unreadable> {
    read("the snapshot", text.trim())
}

fn read<T: for<'a> Deserialize<'a>>(what: &'static str, text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|source| Unreadable {
        what,
        text: text.chars().take(200).collect(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_of_a_machine_are_read() {
        let text = "/var/lib/bramble-etcd/a.db {\"size\":1310752,\"sha256\":\"ab\",\"taken\":1795657819,\"inside\":{\"hash\":3769250727,\"revision\":656,\"totalKey\":668,\"totalSize\":1310720}}\n/var/lib/bramble-etcd/b.db {\"size\":7,\"taken\":8}\n";
        let found = stored(text).expect("readable");
        assert_eq!(found[0].file, "/var/lib/bramble-etcd/a.db");
        let inside = found[0].about.inside.clone().expect("looked into");
        assert_eq!(
            (inside.hash, inside.revision, inside.keys),
            (3_769_250_727, 656, 668)
        );
        assert_eq!(
            (found[1].about.size, found[1].about.inside.clone()),
            (7, None)
        );
        assert!(stored("/x nonsense\n").is_err());
    }

    #[test]
    fn a_version_that_3_6_adds_does_no_harm() {
        let text = r#"{"hash":1,"revision":2,"totalKey":3,"totalSize":4,"version":"3.6.0"}"#;
        assert_eq!(inside(text).expect("readable").revision, 2);
    }
}
