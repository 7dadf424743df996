//! The lights of the daemon.

use crate::document::Kind;
use crate::typed::Record;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the lights show when. The only one of its kind; its name is [`LightRules::NAME`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LightRules {
    /// The file, as it was written.
    pub file: String,
}

impl LightRules {
    /// Name of the document.
    pub const NAME: &str = "lights";
}

impl Record for LightRules {
    const KIND: Kind = Kind::Setting;
}

/// What is the case, for a daemon that begins again. The name of the document is that of the lights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LightState {
    /// The state, as the lights write it.
    pub state: Value,
}

impl LightState {
    /// The name of those of a daemon that is alone; of several, each has its own name.
    pub const NAME: &str = "daemon";
}

impl Record for LightState {
    const KIND: Kind = Kind::Light;
}
