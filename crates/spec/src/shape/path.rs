//! Paths into the tree.

use crate::problem::Place;
use crate::tree::{Data, Node, shorten};

/// A step of a path into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seg {
    /// The value of a key.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
}

impl From<&str> for Seg {
    fn from(key: &str) -> Self {
        Seg::Key(key.to_owned())
    }
}

impl From<&String> for Seg {
    fn from(key: &String) -> Self {
        Seg::Key(key.clone())
    }
}

impl From<usize> for Seg {
    fn from(index: usize) -> Self {
        Seg::Index(index)
    }
}

/// `machines[1].ssh.port`: the path as messages write it, without the leading `spec`.
pub(crate) fn show(path: &[Seg]) -> String {
    let path = match path {
        [Seg::Key(first), rest @ ..] if first == "spec" && !rest.is_empty() => rest,
        _ => path,
    };
    let mut out = String::new();
    for seg in path {
        match seg {
            Seg::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&shorten(key));
            }
            Seg::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    if out.is_empty() {
        out.push_str("the file");
    }
    out
}

/// Where a path leads to: a value; the key of what stands below a key; as far as it leads.
pub(crate) fn place(root: &Node, path: &[Seg]) -> Place {
    let mut node = root;
    let mut place = node.place;
    for seg in path {
        match (seg, &node.data) {
            (Seg::Key(key), Data::Map(_)) => {
                let Some(entry) = node.get(key) else { break };
                node = &entry.value;
                place = match node.data {
                    Data::Map(_) | Data::List(_) => entry.key_place,
                    _ => node.place,
                };
            }
            (Seg::Index(index), Data::List(items)) => {
                let Some(item) = items.get(*index) else { break };
                node = item;
                place = node.place;
            }
            _ => break,
        }
    }
    place
}
