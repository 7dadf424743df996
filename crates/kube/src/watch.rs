//! Objects and every change of them, as it comes.

use crate::rest::{REQUEST, refused};
use crate::{Api, Error};
use futures::{Stream, StreamExt};
use http::Method;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::watcher::{self, Event};
use serde_json::Value;

/// Seconds after which a watch is asked for anew. A connection that died without a word is noticed by then.
const ANEW: u32 = 60;

/// What is watched, in all namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// Nodes.
    Nodes,
    /// Pods.
    Pods,
    /// Events of the type `Warning`.
    Warnings,
}

impl Watched {
    /// The kind of the objects.
    pub fn kind(self) -> &'static str {
        match self {
            Watched::Nodes => "Node",
            Watched::Pods => "Pod",
            Watched::Warnings => "Event",
        }
    }
}

/// What is seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// All objects follow, then [`Seen::Complete`]: what isn't among them is gone.
    Begin,
    /// An object as it is now.
    Object(Value),
    /// All were named.
    Complete,
    /// An object is gone; this is the last that was known of it.
    Gone(Value),
}

impl Api {
    /// All objects, then every change. Interrupted connections are taken up again where they broke; at the first
    /// other failure the stream ends with it, and who still wants to know begins anew.
    pub fn watch(&self, what: Watched) -> impl Stream<Item = Result<Seen, Error>> + use<> {
        let kind = GroupVersionKind::gvk("", "v1", what.kind());
        let kind = ApiResource::from_gvk(&kind);
        let api = kube::Api::<DynamicObject>::all_with(self.rest().client(), &kind);
        let config = watcher::Config::default().timeout(ANEW);
        let config = match what {
            Watched::Warnings => config.fields("type=Warning"),
            Watched::Nodes | Watched::Pods => config,
        };
        let server = self.rest().server();
        let events = watcher::watcher(api, config);
        let seen = events.map(move |event| match event {
            Ok(event) => seen(event),
            Err(error) => Err(failure(&server, what, error)),
        });
        futures::stream::unfold(Some(seen.boxed()), |stream| async {
            let mut stream = stream?;
            let item = stream.next().await?;
            let rest = item.is_ok().then_some(stream);
            Some((item, rest))
        })
    }

    /// Whether the API server answers, asked once.
    ///
    /// # Errors
    /// Why it doesn't.
    pub async fn answers(&self) -> Result<(), Error> {
        let (code, body) = self
            .rest()
            .once(Method::GET, "/version", None, REQUEST)
            .await?;
        match code {
            200 => Ok(()),
            code => Err(refused("GET /version".into(), code, &body)),
        }
    }
}

fn seen(event: Event<DynamicObject>) -> Result<Seen, Error> {
    Ok(match event {
        Event::Init => Seen::Begin,
        Event::InitApply(object) | Event::Apply(object) => Seen::Object(plain(object)?),
        Event::InitDone => Seen::Complete,
        Event::Delete(object) => Seen::Gone(plain(object)?),
    })
}

/// As JSON, without the record of who set which field: half of an object, and of no use here.
fn plain(mut object: DynamicObject) -> Result<Value, Error> {
    object.metadata.managed_fields = None;
    serde_json::to_value(object).map_err(|source| Error::Answer {
        what: "watch".into(),
        source,
    })
}

fn failure(server: &str, what: Watched, error: watcher::Error) -> Error {
    use watcher::Error as E;
    let doing = format!("watching objects of the kind {}", what.kind());
    match error {
        E::InitialListFailed(kube::Error::Api(status))
        | E::WatchStartFailed(kube::Error::Api(status))
        | E::WatchError(status) => Error::Refused {
            what: doing,
            code: status.code,
            message: status.message,
        },
        other => Error::Unreachable {
            server: server.into(),
            source: Box::new(other),
        },
    }
}
