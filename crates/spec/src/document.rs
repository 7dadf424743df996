//! Files of other kinds than the cluster's, read with the same care.

use crate::problem::{Problem, Problems};
use crate::shape::{self, Seg, place, show};
use crate::tree::{self, Node};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A file whose keys and types are right, and what is wrong with it otherwise.
#[derive(Debug)]
pub struct Document<T> {
    /// What is written in it.
    pub it: T,
    root: Node,
    file: String,
    text: String,
    problems: Vec<Problem>,
}

impl<T: DeserializeOwned> Document<T> {
    /// Reads YAML (or JSON, which is YAML too) against the schema of its type ([`crate::schema_of`]).
    /// `file` is for messages only.
    ///
    /// # Errors
    /// Every key and type that is wrong.
    pub fn read(file: &str, text: &str, schema: &Value) -> Result<Self, Problems> {
        let (root, mut problems) = tree::parse(text);
        let failed = |problems| Problems::new(file, text, problems);
        let Some(mut root) = root else {
            return Err(failed(problems));
        };
        problems.extend(shape::check(&mut root, schema).problems);
        if !problems.is_empty() {
            return Err(failed(problems));
        }
        let it = serde_json::from_value(root.to_json()).map_err(|error| {
            let what = format!("the file can't be read: {error}");
            failed(vec![Problem::new("unreadable", root.place, what)])
        })?;
        Ok(Self {
            it,
            root,
            file: file.into(),
            text: text.into(),
            problems,
        })
    }
}

impl<T> Document<T> {
    /// Notes what is wrong with the value at a path: `message` goes on after its path, `hint` says what to
    /// write instead.
    pub fn wrong(&mut self, path: &[Seg], code: &'static str, message: &str, hint: &str) {
        let text = format!("`{}` {message}", show(path));
        let problem = Problem::new(code, place(&self.root, path), text);
        self.problems.push(problem.hint(hint));
    }

    /// Hands over what was made of it, if nothing is wrong.
    ///
    /// # Errors
    /// Everything that was noted.
    pub fn done<U>(self, made: U) -> Result<U, Problems> {
        if self.problems.is_empty() {
            return Ok(made);
        }
        Err(Problems::new(&self.file, &self.text, self.problems))
    }
}
