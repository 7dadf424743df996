//! Requests with limits, on plain JSON.

use crate::Error;
use http::{Method, Request};
use kube::{Client, client::Body};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long one request may take, repeats included.
pub(crate) const REQUEST: Duration = Duration::from_secs(10);
/// Pauses before a request that changes nothing by being repeated is sent again.
const AGAIN: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1600),
];
/// Objects per page of a list.
const PAGE: usize = 500;

/// A kind as the server serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) kind: String,
    /// As in URLs.
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

/// A connection and what was learned about the server's kinds.
#[derive(Clone)]
pub(crate) struct Rest {
    client: Client,
    server: Arc<str>,
    kinds: Arc<Mutex<HashMap<String, Arc<Vec<Kind>>>>>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rest").field(&self.server).finish()
    }
}

/// A patch's kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patch {
    /// Server-side apply.
    Apply,
    /// JSON merge.
    Merge,
}

impl Rest {
    pub(crate) fn new(client: Client, server: String) -> Self {
        Self {
            client,
            server: server.into(),
            kinds: Arc::default(),
        }
    }

    /// For what needs more than single requests.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The server for messages.
    pub(crate) fn server(&self) -> Arc<str> {
        self.server.clone()
    }

    /// Sends once; gives status and body.
    pub(crate) async fn once(
        &self,
        method: Method,
        path: &str,
        content: Option<(&str, &Value)>,
        limit: Duration,
    ) -> Result<(u16, Vec<u8>), Error> {
        let what = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let mut request = Request::builder().method(method).uri(path);
        let mut body = Vec::new();
        if let Some((kind, value)) = content {
            request = request.header(http::header::CONTENT_TYPE, kind);
            body = value.to_string().into_bytes();
        }
        let request = request
            .body(Body::from(body))
            .map_err(|_| Error::Manifest {
                id: what.clone(),
                what: "its name does not fit into a URL".into(),
                hint: "names consist of letters, digits, `-`, `.` and `:`".into(),
            })?;
        let exchange = async {
            let response = self.client.send(request).await?;
            let code = response.status().as_u16();
            let bytes = response.into_body().collect_bytes().await?;
            Ok::<_, kube::Error>((code, bytes.to_vec()))
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(Error::Unreachable {
                server: self.server.to_string(),
                source: Box::new(source),
            }),
            Err(_) => Err(Error::NoAnswer {
                server: self.server.to_string(),
                what,
                limit,
            }),
        }
    }

    /// Sends; a reading or repeatable request again where the server is only passing unwell.
    async fn send(
        &self,
        method: Method,
        path: &str,
        content: Option<(&str, &Value)>,
    ) -> Result<Value, Error> {
        let repeatable = method == Method::GET || method == Method::PATCH;
        let tries = async {
            for pause in AGAIN {
                match self.json(method.clone(), path, content).await {
                    Err(error) if repeatable && error.is_passing() => {
                        tokio::time::sleep(pause).await;
                    }
                    other => return other,
                }
            }
            self.json(method.clone(), path, content).await
        };
        tokio::time::timeout(REQUEST, tries)
            .await
            .unwrap_or_else(|_| {
                Err(Error::NoAnswer {
                    server: self.server.to_string(),
                    what: format!("{method} {}", path.split('?').next().unwrap_or(path)),
                    limit: REQUEST,
                })
            })
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        content: Option<(&str, &Value)>,
    ) -> Result<Value, Error> {
        let what = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let (code, body) = self.once(method, path, content, REQUEST).await?;
        if !(200..300).contains(&code) {
            return Err(refused(what, code, &body));
        }
        serde_json::from_slice(&body).map_err(|source| Error::Answer { what, source })
    }

    /// Reads an object; `None` where there is none.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Value>, Error> {
        none_if_missing(self.send(Method::GET, path, None).await)
    }

    /// Reads a text; status and body whatever the status.
    pub(crate) async fn text(&self, path: &str) -> Result<(u16, String), Error> {
        let (code, body) = self.once(Method::GET, path, None, REQUEST).await?;
        Ok((code, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Reads a whole list, page by page. `query` without `?`.
    pub(crate) async fn list(&self, path: &str, query: &str) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        let mut from = String::new();
        loop {
            let mut url = format!("{path}?limit={PAGE}");
            for part in [query, &from] {
                if !part.is_empty() {
                    url.push('&');
                    url.push_str(part);
                }
            }
            let mut page = self.send(Method::GET, &url, None).await?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => {
                    from = format!("continue={}", escaped(token));
                }
                _ => return Ok(items),
            }
        }
    }

    /// Patches an object.
    pub(crate) async fn patch(&self, path: &str, how: Patch, body: &Value) -> Result<Value, Error> {
        let kind = match how {
            Patch::Apply => "application/apply-patch+yaml",
            Patch::Merge => "application/merge-patch+json",
        };
        self.send(Method::PATCH, path, Some((kind, body))).await
    }

    /// Makes an object.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.send(Method::POST, path, Some(("application/json", body)))
            .await
    }

    /// Deletes an object, what it owns afterwards; whether it was there.
    pub(crate) async fn delete(&self, path: &str) -> Result<bool, Error> {
        let options = serde_json::json!({ "propagationPolicy": "Background" });
        self.delete_with(path, options).await
    }

    /// Deletes without waiting for whoever should end it first; whether it was there.
    pub(crate) async fn delete_now(&self, path: &str) -> Result<bool, Error> {
        let options = serde_json::json!({ "gracePeriodSeconds": 0 });
        self.delete_with(path, options).await
    }

    async fn delete_with(&self, path: &str, options: serde_json::Value) -> Result<bool, Error> {
        let answer = self
            .send(Method::DELETE, path, Some(("application/json", &options)))
            .await;
        Ok(none_if_missing(answer)?.is_some())
    }

    /// Drops what was learned about a version of a group: a definition may have been deleted.
    pub(crate) fn forget_kinds(&self, api_version: &str) {
        self.kinds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(api_version);
    }

    /// How the server serves a kind; `None` where it doesn't (yet).
    pub(crate) async fn kind(&self, api_version: &str, kind: &str) -> Result<Option<Kind>, Error> {
        let known = self
            .kinds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(api_version)
            .cloned();
        let pick = |list: &[Kind]| list.iter().find(|k| k.kind == kind).cloned();
        if let Some(found) = known.as_deref().and_then(|list| pick(list)) {
            return Ok(Some(found));
        }
        // Not among the known ones: a definition may have come since.
        let path = if api_version.contains('/') {
            format!("/apis/{api_version}")
        } else {
            format!("/api/{api_version}")
        };
        let Some(answer) = self.get(&path).await? else {
            return Ok(None);
        };
        let list: Vec<Kind> = answer
            .get("resources")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|r| {
                let plural = r.get("name")?.as_str()?;
                // `pods/log` and the like are parts, no kinds of their own.
                (!plural.contains('/')).then_some(())?;
                Some(Kind {
                    kind: r.get("kind")?.as_str()?.to_owned(),
                    plural: plural.to_owned(),
                    namespaced: r.get("namespaced")?.as_bool()?,
                })
            })
            .collect();
        let found = pick(&list);
        self.kinds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(api_version.to_owned(), Arc::new(list));
        Ok(found)
    }
}

/// 404 means the same with and without a proper body.
fn none_if_missing(answer: Result<Value, Error>) -> Result<Option<Value>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Refused { code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error of what the server said: its message, or the plain text.
pub(crate) fn refused(what: String, code: u16, body: &[u8]) -> Error {
    let message = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|status| Some(status.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| {
            let text = String::from_utf8_lossy(body);
            text.trim().chars().take(400).collect()
        });
    Error::Refused {
        what,
        code,
        message,
    }
}

/// A value for a query, percent-escaped.
pub(crate) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
