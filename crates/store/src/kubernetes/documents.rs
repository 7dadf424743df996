//! Documents that are custom resources.

use super::object::{self, FINALIZER, Writes};
use super::rest::{self, Fault};
use super::secrets::Keys;
use super::shape::{Parts, Shape, Unfit};
use super::shapes::button;
use super::{names, resource};
use crate::document::{Document, Key, Kind};
use crate::error::Error;
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams, Preconditions};
use serde_json::Value;

/// Documents of all kinds that are custom resources.
pub(super) struct Documents {
    client: Client,
    namespace: String,
    keys: Keys,
}

fn unfit(key: &Key, why: Unfit) -> Error {
    let key = key.clone();
    Error::Unfit {
        key,
        source: why.into(),
    }
}

impl Documents {
    pub(super) fn new(client: &Client, namespace: &str) -> Self {
        Self {
            keys: Keys::new(client, namespace),
            client: client.clone(),
            namespace: namespace.to_owned(),
        }
    }

    pub(super) fn api(&self, shape: &Shape) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(shape))
    }

    pub(super) async fn get(&self, shape: &Shape, key: &Key) -> Result<Option<Document>, Error> {
        let name = names::object(&key.name);
        let found = rest::get(&self.api(shape), &name, "read a resource").await?;
        let Some(object) = found.filter(|o| names::of_object(&o.metadata).is_some()) else {
            return Ok(None);
        };
        let mut parts = object::parts(&object, shape);
        if let Some(secret) = key_secret(shape, &parts.spec) {
            parts.secret = self.keys.get(secret).await?;
        }
        let document = document(shape, key, &object, parts);
        document.map(Some).map_err(|why| unfit(key, why))
    }

    /// Those that can't be read are left out: anybody who may write resources can make such ones, and they must not
    /// hide the others.
    pub(super) async fn list(&self, shape: &Shape) -> Result<Vec<Document>, Error> {
        let objects = rest::list(&self.api(shape), None, "list resources").await?;
        let keys = match shape.kind {
            Kind::Button => self.keys.all().await?,
            _ => Default::default(),
        };
        let mut all = Vec::new();
        for object in objects {
            let Some(name) = names::of_object(&object.metadata) else {
                continue;
            };
            let mut parts = object::parts(&object, shape);
            if let Some(secret) = key_secret(shape, &parts.spec) {
                parts.secret = match keys.get(secret) {
                    Some(key) => Some(key.clone()),
                    // One that somebody made by hand has no label.
                    None => self.keys.get(secret).await?,
                };
            }
            let key = Key::new(shape.kind, name);
            match document(shape, &key, &object, parts) {
                Ok(document) => all.push(document),
                Err(why) => tracing::warn!("{key} is left out: {why}"),
            }
        }
        Ok(all)
    }

    pub(super) async fn create(
        &self,
        shape: &Shape,
        key: &Key,
        body: Value,
    ) -> Result<Document, Error> {
        let nothing = DynamicObject::new(&key.name, &resource(shape));
        let around = object::around(&key.name, &nothing, None, Timestamp::now());
        let parts = (shape.split)(body.clone(), &around);
        let mut parts = parts.map_err(|why| unfit(key, why))?;
        let fresh = self.keep_key(key, &mut parts, None).await?;
        let writes = object::make(&key.name, shape, &parts).map_err(|why| unfit(key, why))?;
        let api = self.api(shape);
        let made = match &writes.main {
            Some(object) => rest::create(&api, object, "make a resource").await,
            None => Err(Fault::Missing),
        };
        let made = match made {
            Ok(made) => made,
            Err(fault) => {
                // The one that is there has its own; without an answer it may be this one's.
                if let (Some(secret), Fault::Conflict) = (fresh, &fault) {
                    self.keys.delete(&secret).await?;
                }
                return Err(match fault {
                    Fault::Conflict => Error::Exists(key.clone()),
                    fault => fault.unexpected("make a resource"),
                });
            }
        };
        let written = self.second(&api, made, writes.status).await;
        Ok(Document {
            key: key.clone(),
            version: object::version(&written),
            body,
        })
    }

    pub(super) async fn replace(
        &self,
        shape: &Shape,
        document: &Document,
    ) -> Result<Document, Error> {
        let key = &document.key;
        let api = self.api(shape);
        let name = names::object(&key.name);
        let Some(object) = rest::get(&api, &name, "read a resource").await? else {
            return Err(Error::Missing(key.clone()));
        };
        if object::version(&object) != document.version {
            return Err(Error::Changed(key.clone()));
        }
        let mut there = object::parts(&object, shape);
        let secret = key_secret(shape, &there.spec).map(str::to_owned);
        if let Some(secret) = &secret {
            there.secret = self.keys.get(secret).await?;
        }
        let around = object::around(&key.name, &object, Some(&there), Timestamp::now());
        let parts = (shape.split)(document.body.clone(), &around);
        let mut parts = parts.map_err(|why| unfit(key, why))?;
        let known = secret.as_deref().zip(there.secret.as_deref());
        let fresh = self.keep_key(key, &mut parts, known).await?;
        let writes = object::writes(object.clone(), shape, &parts);
        let writes = writes.map_err(|why| unfit(key, why))?;
        let written = self.carry_out(&api, object, writes).await;
        let written = match written {
            Ok(written) => written,
            Err(fault) => {
                if let (Some(secret), Fault::Conflict | Fault::Missing) = (fresh, &fault) {
                    self.keys.delete(&secret).await?;
                }
                return Err(match fault {
                    Fault::Conflict => Error::Changed(key.clone()),
                    Fault::Missing => Error::Missing(key.clone()),
                    Fault::Error(error) => error,
                });
            }
        };
        let kept = key_secret(shape, &parts.spec);
        if let Some(old) = secret.filter(|old| Some(old.as_str()) != kept) {
            self.keys.delete(&old).await?;
        }
        Ok(Document {
            key: key.clone(),
            version: object::version(&written),
            body: document.body.clone(),
        })
    }

    /// The object as it is after the writes; the first of them decides whether all of it is written.
    async fn carry_out(
        &self,
        api: &Api<DynamicObject>,
        object: DynamicObject,
        writes: Writes,
    ) -> Result<DynamicObject, Fault> {
        const WHAT: &str = "replace a resource";
        match (writes.main, writes.status) {
            (None, None) => Ok(object),
            (None, Some(status)) => replace_status(api, object, status).await,
            (Some(main), status) => {
                let written = rest::replace(api, &main, WHAT).await?;
                Ok(self.second(api, written, status).await)
            }
        }
    }

    /// The second of two writes. Where it does not come about the first has brought along what it says.
    async fn second(
        &self,
        api: &Api<DynamicObject>,
        written: DynamicObject,
        status: Option<Value>,
    ) -> DynamicObject {
        let Some(status) = status else {
            return written;
        };
        match replace_status(api, written.clone(), status).await {
            Ok(after) => after,
            Err(fault) => {
                let name = written.metadata.name.as_deref().unwrap_or_default();
                tracing::warn!("the status of {name} comes late: {fault:?}");
                written
            }
        }
    }

    /// Keeps the secret part in a Secret, which the spec names then; the name of one that was made for it.
    async fn keep_key(
        &self,
        key: &Key,
        parts: &mut Parts,
        known: Option<(&str, &str)>,
    ) -> Result<Option<String>, Error> {
        let Some(wanted) = &parts.secret else {
            return Ok(None);
        };
        if let Some((secret, _)) = known.filter(|(_, there)| there == wanted) {
            button::name_key_secret(&mut parts.spec, secret);
            return Ok(None);
        }
        let secret = self.keys.make(&key.name, wanted).await?;
        button::name_key_secret(&mut parts.spec, &secret);
        Ok(Some(secret))
    }

    pub(super) async fn delete(
        &self,
        shape: &Shape,
        key: &Key,
        version: Option<&str>,
    ) -> Result<bool, Error> {
        const WHAT: &str = "delete a resource";
        let api = self.api(shape);
        let name = names::object(&key.name);
        let Some(mut object) = rest::get(&api, &name, WHAT).await? else {
            return Ok(false);
        };
        if version.is_some_and(|version| version != object::version(&object)) {
            return Err(Error::Changed(key.clone()));
        }
        let secret = key_secret(shape, &object::parts(&object, shape).spec).map(str::to_owned);
        let changed = |fault| match fault {
            Fault::Conflict => Error::Changed(key.clone()),
            fault => fault.unexpected(WHAT),
        };
        if release(&mut object) {
            object = match rest::replace(&api, &object, WHAT).await {
                Ok(object) => object,
                Err(Fault::Missing) => return Ok(false),
                Err(fault) => return Err(changed(fault)),
            };
        }
        let only = version.map(|_| Preconditions {
            resource_version: Some(object::version(&object)),
            uid: None,
        });
        let how = DeleteParams {
            preconditions: only,
            ..DeleteParams::default()
        };
        match rest::send(WHAT, api.delete(&name, &how)).await {
            // One whose deletion was waited for has ended with its finalizer.
            Ok(_) | Err(Fault::Missing) => {}
            Err(fault) => return Err(changed(fault)),
        }
        if let Some(secret) = secret {
            self.keys.delete(&secret).await?;
        }
        Ok(true)
    }
}

async fn replace_status(
    api: &Api<DynamicObject>,
    mut object: DynamicObject,
    status: Value,
) -> Result<DynamicObject, Fault> {
    object.data["status"] = status;
    let name = object.metadata.name.clone().unwrap_or_default();
    let params = PostParams::default();
    rest::send(
        "replace a status",
        api.replace_status(&name, &params, &object),
    )
    .await
}

/// Takes the finalizer off. Whether it was there.
pub(super) fn release(object: &mut DynamicObject) -> bool {
    let finalizers = object.metadata.finalizers.get_or_insert_default();
    let before = finalizers.len();
    finalizers.retain(|one| one != FINALIZER);
    finalizers.len() < before
}

fn document(
    shape: &Shape,
    key: &Key,
    object: &DynamicObject,
    parts: Parts,
) -> Result<Document, Unfit> {
    let around = object::around(&key.name, object, None, Timestamp::now());
    Ok(Document {
        key: key.clone(),
        version: object::version(object),
        body: (shape.join)(parts, &around)?,
    })
}

/// The Secret that a resource names for its secret part.
fn key_secret<'a>(shape: &Shape, spec: &'a Value) -> Option<&'a str> {
    match shape.kind {
        Kind::Button => button::key_secret(spec),
        _ => None,
    }
}
