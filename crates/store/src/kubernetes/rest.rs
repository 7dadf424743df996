//! Requests, each with a limit, and what their refusals mean.

use crate::error::Error;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use std::time::Duration;

/// How long a request may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Pauses before a request that only reads is sent again.
const AGAIN: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1600),
];

/// Objects of one page of a list.
const PAGE: u32 = 250;

/// Why a request did not do what it should.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no such object.
    Missing,
    /// There is one already, or it has another version.
    Conflict,
    /// Something else.
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Error(error)
    }
}

/// Sends one request.
pub(super) async fn send<T>(
    what: &'static str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(LIMIT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(fault(what, error)),
        Err(late) => Err(Fault::Error(Error::Home {
            what,
            source: late.into(),
        })),
    }
}

/// Sends a request that only reads, again where the server is unwell for a moment.
pub(super) async fn read<T, F: Future<Output = kube::Result<T>>>(
    what: &'static str,
    request: impl Fn() -> F,
) -> Result<T, Fault> {
    for pause in AGAIN {
        match send(what, request()).await {
            Err(Fault::Error(Error::Home { .. })) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
    }
    send(what, request()).await
}

fn fault(what: &'static str, error: kube::Error) -> Fault {
    match error {
        kube::Error::Api(status) => match status.code {
            404 => Fault::Missing,
            409 => Fault::Conflict,
            401 | 403 => Fault::Error(Error::Forbidden {
                what,
                why: status.message.clone(),
            }),
            // Trying again is of no use: the request itself is wrong.
            400..=499 if status.code != 429 => Fault::Error(Error::Refused {
                what,
                why: status.message.clone(),
            }),
            _ => Fault::Error(Error::Home {
                what,
                source: Box::new(kube::Error::Api(status)),
            }),
        },
        error => Fault::Error(Error::Home {
            what,
            source: Box::new(error),
        }),
    }
}

/// An object, if it is there.
pub(super) async fn get(
    api: &Api<DynamicObject>,
    name: &str,
    what: &'static str,
) -> Result<Option<DynamicObject>, Error> {
    let got = read(what, || api.get(name)).await;
    present(got)
}

/// What was found, if it was there.
pub(super) fn present<T>(found: Result<T, Fault>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Fault::Missing) => Ok(None),
        Err(fault) => Err(fault.unexpected("read")),
    }
}

impl Fault {
    /// As an error where neither of the first two can be.
    pub(super) fn unexpected(self, what: &'static str) -> Error {
        match self {
            Fault::Error(error) => error,
            Fault::Missing => Error::Refused {
                what,
                why: "there is no such resource or namespace".into(),
            },
            Fault::Conflict => Error::Refused {
                what,
                why: "something else is there".into(),
            },
        }
    }
}

/// All objects with a label, or all.
pub(super) async fn list(
    api: &Api<DynamicObject>,
    label: Option<&str>,
    what: &'static str,
) -> Result<Vec<DynamicObject>, Error> {
    let mut page = ListParams::default().limit(PAGE);
    page.label_selector = label.map(str::to_owned);
    let mut all = Vec::new();
    loop {
        let found = read(what, || api.list(&page)).await;
        let found = found.map_err(|fault| fault.unexpected(what))?;
        all.extend(found.items);
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(all),
        }
    }
}

/// Makes an object.
pub(super) async fn create(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    what: &'static str,
) -> Result<DynamicObject, Fault> {
    send(what, api.create(&PostParams::default(), object)).await
}

/// Replaces an object at its version.
pub(super) async fn replace(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    what: &'static str,
) -> Result<DynamicObject, Fault> {
    let name = object.metadata.name.clone().unwrap_or_default();
    send(what, api.replace(&name, &PostParams::default(), object)).await
}
