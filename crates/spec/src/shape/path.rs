//! Paths into the tree.

use crate::tree::shorten;

/// A step of a path into the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seg {
    Key(String),
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
