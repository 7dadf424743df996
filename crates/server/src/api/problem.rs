//! What a request gets that can't be answered as wished: RFC 9457, `application/problem+json`.

use crate::{auth, origins, runs};
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not answered as wished.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says the kind.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// HTTP status.
    status: u16,
    /// What is wrong, in a sentence.
    detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The run that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// Seconds after which it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<u64>,
}

/// A request that is answered with a problem.
#[derive(Debug, Clone)]
pub struct Refused(Box<Problem>);

impl Refused {
    /// A problem of that status.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem").into(),
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
            run: None,
            wait: None,
        }))
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(super) fn stranger() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "nobody is logged in")
            .hint("log in, or send a token: Authorization: Bearer brt_...")
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn missing(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub(super) fn wrong(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(super) fn too_often(wait: u64) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("tried too often; again in {wait} s"),
        );
        problem.0.wait = Some(wait);
        problem
    }

    /// Something that should not happen; what exactly is for the daemon's log alone.
    pub(super) fn broken(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!("{}", chain(error));
        if is_full(error) {
            return Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "a disk of the daemon is full; its log names the file",
            )
            .hint("make room on the disks of its folder and of /tmp (`df -h`), then try again");
        }
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the daemon could not do it; its log says why",
        )
    }
}

/// Whether a file had no room on its disk.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut errors = std::iter::successors(Some(error), |error| error.source());
    errors.any(|error| {
        let file = error.downcast_ref::<std::io::Error>();
        file.is_some_and(|file| file.kind() == std::io::ErrorKind::StorageFull)
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = self.0.wait;
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

impl From<bramble_store::Error> for Refused {
    fn from(error: bramble_store::Error) -> Self {
        use bramble_store::Error as E;
        let problem = match &error {
            E::Missing(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            E::Exists(_) | E::Changed(_) | E::Contended { .. } => Self::conflict(error.to_string()),
            E::Full { .. } => {
                tracing::error!("{}", chain(&error));
                Self::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string())
            }
            E::Closed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping"),
            _ => Self::broken(&error),
        };
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

impl From<auth::Error> for Refused {
    fn from(error: auth::Error) -> Self {
        use auth::Error as E;
        let hint = error.hint();
        let problem = match error {
            E::Store(error) => return error.into(),
            E::Wrong => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            E::Link | E::TooMuch | E::ByToken => Self::forbidden(error.to_string()),
            E::LastAdmin(_) => Self::conflict(error.to_string()),
            E::Name | E::Password | E::Past => Self::wrong(error.to_string()),
            E::Keys(_) | E::Hash(_) => Self::broken(&error),
        };
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

impl From<runs::Error> for Refused {
    fn from(error: runs::Error) -> Self {
        let hint = error.hint();
        let mut problem = Self::conflict(error.to_string());
        match error {
            runs::Error::Busy { run } => problem.0.run = Some(run),
            runs::Error::Over { .. } | runs::Error::Gone { .. } => {}
            runs::Error::Origin(error) => return error.into(),
            runs::Error::Store(error) => return error.into(),
        }
        problem.0.hint = hint.map(str::to_owned);
        problem
    }
}

impl From<origins::Error> for Refused {
    fn from(error: origins::Error) -> Self {
        use origins::Error as E;
        let hint = error.hint();
        let problem = match error {
            E::Store(error) => return error.into(),
            E::NoTemplate(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            E::Template(_) | E::Machine(_) | E::Shared => Self::wrong(error.to_string()),
            E::Taken(_)
            | E::Few { .. }
            | E::Given { .. }
            | E::Unregistered(_)
            | E::Network { .. }
            | E::NoNetwork => Self::conflict(error.to_string()),
            E::Random(_) => Self::broken(&error),
        };
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

impl From<JsonRejection> for Refused {
    fn from(error: JsonRejection) -> Self {
        Self::new(error.status(), error.body_text())
    }
}

impl From<QueryRejection> for Refused {
    fn from(error: QueryRejection) -> Self {
        Self::new(error.status(), error.body_text())
    }
}

/// A body in JSON, with a problem that says where it is wrong.
#[derive(axum::extract::FromRequest)]
#[from_request(via(axum::Json), rejection(Refused))]
pub(super) struct Body<T>(pub T);

/// The part of an address behind `?`.
#[derive(axum::extract::FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Refused))]
pub(super) struct Query<T>(pub T);

/// For addresses that lead nowhere.
pub(crate) async fn nothing(uri: axum::extract::OriginalUri) -> Refused {
    Refused::missing(format_args!("{}", uri.path()))
}
