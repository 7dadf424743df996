//! Mistakes in files that a cluster file names: they show outside of it, and are told where it names them.

use crate::problem::{Place, Problem, Problems};
use crate::tree::{self, Data, Node};

/// What is wrong with a file that the cluster file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable name of the kind of problem, in kebab case.
    pub code: &'static str,
    /// The file, as the cluster file has it.
    pub path: String,
    /// One sentence without a final stop.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// The faults as problems of the cluster file. `file_name` is for messages only.
pub fn named(file_name: &str, text: &str, faults: Vec<Fault>) -> Problems {
    let root = tree::parse(text).0;
    let problem = |fault: Fault| {
        let place = root.as_ref().and_then(|root| find(root, &fault.path));
        // A file that was changed meanwhile may not have it any more.
        let place = place.unwrap_or(Place {
            line: 1,
            column: 1,
            length: 1,
        });
        Problem::new(fault.code, place, fault.message).hint(fault.hint)
    };
    let problems = faults.into_iter().map(problem).collect();
    Problems::new(file_name, text, problems)
}

/// The first place of a path under one of the keys for files, such as `passwordFile`.
fn find(node: &Node, path: &str) -> Option<Place> {
    match &node.data {
        Data::Map(entries) => entries.iter().find_map(|entry| match &entry.value.data {
            Data::Text(text) if text == path && entry.key.ends_with("File") => {
                Some(entry.value.place)
            }
            _ => find(&entry.value, path),
        }),
        Data::List(items) => items.iter().find_map(|item| find(item, path)),
        _ => None,
    }
}
