//! Which objects each step made, remembered in the cluster itself.
//!
//! A ConfigMap holds one key per step with the list of objects that were not there before Bramble
//! applied them. It is written before the first of them is made, so that a run that is cut off
//! leaves nothing unknown behind.

use crate::Error;
use crate::rest::{Patch, Rest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Name of the ConfigMap.
pub const INVENTORY_NAME: &str = "bramble-inventory";
/// Where it is.
pub const INVENTORY_NAMESPACE: &str = "kube-system";
const PATH: &str = "/api/v1/namespaces/kube-system/configmaps/bramble-inventory";
const COLLECTION: &str = "/api/v1/namespaces/kube-system/configmaps";
/// How often a write is tried against others who write.
const TRIES: u32 = 8;

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    /// Same object, though perhaps by another version of its group.
    pub(crate) fn is(&self, other: &Key) -> bool {
        let group = |key: &Key| {
            key.api_version
                .rsplit_once('/')
                .map(|(group, _)| group.to_owned())
        };
        // A kind that was unknown when it was recorded may turn out to have namespaces.
        let place = |key: &Key| match key.namespace.as_str() {
            "" => "default".to_owned(),
            namespace => namespace.to_owned(),
        };
        group(self) == group(other)
            && self.kind == other.kind
            && place(self) == place(other)
            && self.name == other.name
    }

    /// As [`bramble_machine::api::ApiResource::id`].
    pub(crate) fn id(&self) -> String {
        let place = if self.namespace.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        };
        format!("{}/{}:{place}", self.api_version, self.kind)
    }
}

/// By step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    steps: BTreeMap<String, Vec<Key>>,
}

impl Inventory {
    pub(crate) async fn load(rest: &Rest) -> Result<Self, Error> {
        Ok(Self::read(rest).await?.0)
    }

    async fn read(rest: &Rest) -> Result<(Self, Option<Value>), Error> {
        let map = rest.get(PATH).await?;
        let data = map
            .as_ref()
            .and_then(|map| map.get("data"))
            .and_then(Value::as_object);
        let mut steps = BTreeMap::new();
        for (key, text) in data.into_iter().flatten() {
            let text = text.as_str().unwrap_or("");
            let keys = serde_json::from_str(text).map_err(|source| Error::Inventory {
                key: key.clone(),
                source,
            })?;
            steps.insert(decoded(key), keys);
        }
        Ok((Self { steps }, map))
    }

    /// Objects of a step, in the order in which they were applied.
    pub(crate) fn of(&self, step: &str) -> &[Key] {
        self.steps.get(step).map_or(&[], Vec::as_slice)
    }

    /// Whether a step holds the object.
    pub(crate) fn holds(&self, step: &str, key: &Key) -> bool {
        self.of(step).iter().any(|k| k.is(key))
    }

    /// Whether any step holds it.
    pub(crate) fn any(&self, key: &Key) -> bool {
        self.steps.values().flatten().any(|k| k.is(key))
    }

    /// Whether a step other than this one holds it.
    pub(crate) fn elsewhere(&self, step: &str, key: &Key) -> bool {
        self.steps
            .iter()
            .any(|(name, keys)| name != step && keys.iter().any(|k| k.is(key)))
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.keys().map(String::as_str)
    }

    pub(crate) fn add(&mut self, step: &str, key: Key) {
        let keys = self.steps.entry(step.into()).or_default();
        match keys.iter_mut().find(|k| k.is(&key)) {
            Some(old) => *old = key,
            None => keys.push(key),
        }
    }

    pub(crate) fn forget(&mut self, step: &str, key: &Key) {
        if let Some(keys) = self.steps.get_mut(step) {
            keys.retain(|k| !k.is(key));
            if keys.is_empty() {
                self.steps.remove(step);
            }
        }
    }

    /// Reads, changes and writes; again if somebody else wrote in between. Writes nothing where
    /// nothing changed; an empty inventory is deleted.
    pub(crate) async fn update(
        rest: &Rest,
        change: impl Fn(&mut Inventory),
    ) -> Result<Inventory, Error> {
        for turn in 0..TRIES {
            crate::wait::step_back(turn).await;
            let (old, map) = Self::read(rest).await?;
            let mut new = old.clone();
            change(&mut new);
            if new == old {
                return Ok(new);
            }
            match Self::write(rest, &old, &new, map).await {
                Ok(()) => return Ok(new),
                Err(Error::Refused { code: 409, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended {
            what: "ConfigMap kube-system/bramble-inventory".into(),
            tries: TRIES,
        })
    }

    async fn write(
        rest: &Rest,
        old: &Inventory,
        new: &Inventory,
        map: Option<Value>,
    ) -> Result<(), Error> {
        let mut data = Map::new();
        for step in old.steps.keys().chain(new.steps.keys()) {
            let value = match new.steps.get(step) {
                Some(keys) => Value::String(json!(keys).to_string()),
                None => Value::Null,
            };
            data.insert(encoded(step), value);
        }
        let Some(map) = map else {
            let body = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": INVENTORY_NAME,
                    "namespace": INVENTORY_NAMESPACE,
                    "labels": { "app.kubernetes.io/managed-by": "bramble" },
                },
                "data": data,
            });
            return rest.post(COLLECTION, &body).await.map(drop);
        };
        if new.steps.is_empty() {
            return rest.delete(PATH).await.map(drop);
        }
        let version = map.pointer("/metadata/resourceVersion").cloned();
        let body = json!({ "metadata": { "resourceVersion": version }, "data": data });
        rest.patch(PATH, Patch::Merge, &body).await.map(drop)
    }
}

/// A step's name as a key of a ConfigMap, which may not contain `/`.
fn encoded(step: &str) -> String {
    let mut out = String::new();
    for byte in step.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' {
            out.push(byte as char);
        } else {
            out.push_str(&format!("_{byte:02x}"));
        }
    }
    out
}

fn decoded(key: &str) -> String {
    let mut parts = key.split('_');
    let mut out: Vec<u8> = parts.next().unwrap_or("").bytes().collect();
    for part in parts {
        match part
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                out.push(byte);
                out.extend(&part.as_bytes()[2..]);
            }
            None => {
                out.push(b'_');
                out.extend(part.bytes());
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_steps_survive_as_keys() {
        for step in ["addon/traefik", "a_b", "pod-network/routed", "x.y", "ö/_2f"] {
            let key = encoded(step);
            assert!(
                key.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            );
            assert_eq!(decoded(&key), step);
        }
    }

    #[test]
    fn a_new_version_of_a_group_is_the_same_object() {
        let key = |api_version: &str| Key {
            api_version: api_version.into(),
            kind: "PodDisruptionBudget".into(),
            namespace: "default".into(),
            name: "web".into(),
        };
        assert!(key("policy/v1beta1").is(&key("policy/v1")));
        assert!(!key("policy/v1").is(&key("other/v1")));
        assert!(key("v1").is(&key("v1")));
    }
}
