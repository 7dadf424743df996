//! From what senders say to inputs. Pure; what can't be understood is refused with its place in the body.

pub mod alertmanager;
pub mod daemon;
pub mod kubewatch;
pub mod objects;
pub mod runs;

use serde_json::Value;

/// A body that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It is no JSON.
    #[error("the body is no JSON: {0}")]
    Json(String),
    /// It is JSON of another form.
    #[error("`{place}`: {what}")]
    Form {
        /// Path into the body.
        place: String,
        /// What is wrong there.
        what: &'static str,
    },
}

impl BadBody {
    fn form(place: impl Into<String>, what: &'static str) -> Self {
        BadBody::Form {
            place: place.into(),
            what,
        }
    }
}

fn parse(body: &[u8]) -> Result<Value, BadBody> {
    serde_json::from_slice(body).map_err(|error| BadBody::Json(error.to_string()))
}

fn text<'a>(of: &'a Value, pointer: &str) -> &'a str {
    of.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn list<'a>(of: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let found = of.pointer(pointer).and_then(Value::as_array);
    found.into_iter().flatten()
}
