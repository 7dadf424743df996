//! Documents that nobody else may see, and keys of buttons: Secrets.

use super::names;
use super::object;
use super::rest::{self, Fault};
use crate::document::{Document, Key, Kind};
use crate::error::Error;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Preconditions};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The key of a Secret's data that has a document.
const BODY: &str = "body";

/// The key of a Secret's data that has a button's key.
const KEY: &str = "key";

/// How the API calls Secrets.
pub(super) fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Secret"), "secrets")
}

fn api(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource())
}

/// A text of a Secret's data.
fn text(object: &DynamicObject, key: &str) -> Option<String> {
    use base64::Engine;
    let text = object.data.get("data")?.get(key)?.as_str()?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    String::from_utf8(bytes).ok()
}

fn data(key: &str, text: &str) -> Value {
    use base64::Engine;
    json!({ key: base64::engine::general_purpose::STANDARD.encode(text) })
}

/// Documents in Secrets.
pub(super) struct Secrets {
    api: Api<DynamicObject>,
}

impl Secrets {
    pub(super) fn new(client: &Client, namespace: &str) -> Self {
        Self {
            api: api(client, namespace),
        }
    }

    fn document(key: Key, object: &DynamicObject) -> Result<Document, Error> {
        let text = text(object, BODY).unwrap_or_default();
        match serde_json::from_str(&text) {
            Ok(body) => Ok(Document {
                key,
                version: object::version(object),
                body,
            }),
            Err(source) => Err(Error::Unreadable { key, source }),
        }
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Option<Document>, Error> {
        let found = rest::get(&self.api, &names::secret(key), "read a Secret").await?;
        let own = found.filter(|o| names::of_secret(&o.metadata).as_ref() == Some(key));
        own.map(|object| Self::document(key.clone(), &object))
            .transpose()
    }

    pub(super) async fn list(&self, kind: Kind) -> Result<Vec<Document>, Error> {
        let label = format!("{}={kind}", names::KIND);
        let all = rest::list(&self.api, Some(&label), "list Secrets").await?;
        let document = |object: &DynamicObject| {
            let key = names::of_secret(&object.metadata)?;
            Some(Self::document(key, object))
        };
        all.iter().filter_map(document).collect()
    }

    pub(super) async fn create(&self, key: &Key, body: Value) -> Result<Document, Error> {
        const WHAT: &str = "make a Secret";
        let mut object = DynamicObject::new(&names::secret(key), &resource());
        object.metadata.labels = Some([(names::KIND.to_owned(), key.kind.to_string())].into());
        names::note(&mut object.metadata, &key.name);
        object.data = json!({
            "type": format!("bramble.dev/{}", key.kind),
            "data": data(BODY, &body.to_string()),
        });
        match rest::create(&self.api, &object, WHAT).await {
            Ok(made) => Ok(Document {
                key: key.clone(),
                version: object::version(&made),
                body,
            }),
            Err(Fault::Conflict) => Err(Error::Exists(key.clone())),
            Err(fault) => Err(fault.unexpected(WHAT)),
        }
    }

    pub(super) async fn replace(&self, document: &Document) -> Result<Document, Error> {
        const WHAT: &str = "replace a Secret";
        let key = &document.key;
        let found = rest::get(&self.api, &names::secret(key), WHAT).await?;
        let Some(mut object) = found else {
            return Err(Error::Missing(key.clone()));
        };
        if object::version(&object) != document.version {
            return Err(Error::Changed(key.clone()));
        }
        object.data["data"] = data(BODY, &document.body.to_string());
        match rest::replace(&self.api, &object, WHAT).await {
            Ok(written) => Ok(Document {
                version: object::version(&written),
                ..document.clone()
            }),
            Err(Fault::Conflict) => Err(Error::Changed(key.clone())),
            Err(Fault::Missing) => Err(Error::Missing(key.clone())),
            Err(Fault::Error(error)) => Err(error),
        }
    }

    pub(super) async fn delete(&self, key: &Key, version: Option<&str>) -> Result<bool, Error> {
        const WHAT: &str = "delete a Secret";
        let how = DeleteParams {
            preconditions: version.map(|version| Preconditions {
                resource_version: Some(version.to_owned()),
                uid: None,
            }),
            ..DeleteParams::default()
        };
        match rest::send(WHAT, self.api.delete(&names::secret(key), &how)).await {
            Ok(_) => Ok(true),
            Err(Fault::Missing) => Ok(false),
            Err(Fault::Conflict) => Err(Error::Changed(key.clone())),
            Err(Fault::Error(error)) => Err(error),
        }
    }
}

/// Keys of buttons. A Secret has one key for good; a button with another key names another Secret, so that the
/// resource that names it decides.
pub(super) struct Keys {
    api: Api<DynamicObject>,
}

impl Keys {
    pub(super) fn new(client: &Client, namespace: &str) -> Self {
        Self {
            api: api(client, namespace),
        }
    }

    /// The key in a Secret, if it is there.
    pub(super) async fn get(&self, secret: &str) -> Result<Option<String>, Error> {
        let found = rest::get(&self.api, secret, "read a button's key").await?;
        Ok(found.and_then(|object| text(&object, KEY)))
    }

    /// All keys of buttons, by the names of their Secrets.
    pub(super) async fn all(&self) -> Result<HashMap<String, String>, Error> {
        let all = rest::list(&self.api, Some(names::BUTTON), "list keys of buttons").await?;
        let one =
            |object: &DynamicObject| Some((object.metadata.name.clone()?, text(object, KEY)?));
        Ok(all.iter().filter_map(one).collect())
    }

    /// Makes a Secret with the key of a button; its name.
    pub(super) async fn make(&self, button: &str, key: &str) -> Result<String, Error> {
        const WHAT: &str = "keep a button's key";
        let mut object = DynamicObject::new("", &resource());
        object.metadata.name = None;
        // The server makes it unique.
        object.metadata.generate_name =
            Some(format!("bramble-button-key-{}-", names::object(button)));
        object.metadata.labels = Some([(names::BUTTON.to_owned(), names::label(button))].into());
        object.data = json!({
            "type": "bramble.dev/button-key",
            "immutable": true,
            "data": data(KEY, key),
        });
        let made = rest::create(&self.api, &object, WHAT).await;
        let made = made.map_err(|fault| fault.unexpected(WHAT))?;
        Ok(made.metadata.name.unwrap_or_default())
    }

    /// Deletes a Secret that was made here.
    pub(super) async fn delete(&self, secret: &str) -> Result<(), Error> {
        const WHAT: &str = "delete a button's key";
        let found = rest::get(&self.api, secret, WHAT).await?;
        let labels = found.and_then(|object| object.metadata.labels);
        if !labels.is_some_and(|labels| labels.contains_key(names::BUTTON)) {
            return Ok(());
        }
        match rest::send(WHAT, self.api.delete(secret, &DeleteParams::default())).await {
            Ok(_) | Err(Fault::Missing) => Ok(()),
            Err(fault) => Err(fault.unexpected(WHAT)),
        }
    }
}
