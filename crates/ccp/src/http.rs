//! Requests: the session, limits, what a failure says.

use crate::client::Access;
use crate::error::Error;
use crate::file::Version;
use crate::wire::printable;
use bramble_secret::Secret;
use reqwest::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an answer at most: a list of clusters with all that their machines say.
const ANSWER: usize = 32 * 1024 * 1024;
/// Characters of an error that are passed on.
const SAID: usize = 300;
/// The cookie of version 2.
const SESSION_COOKIE: &str = "CXAccessToken";
/// The header of version 3.
const SESSION_HEADER: &str = "X-Auth-Token";

/// A platform, and the session there.
pub(crate) struct Http {
    client: reqwest::Client,
    access: Access,
    session: Mutex<Option<Secret>>,
}

/// A request.
pub(crate) struct Ask<'a> {
    /// For errors, as an act: "list the clusters".
    pub what: &'static str,
    pub method: Method,
    pub path: &'a str,
    pub body: Option<&'a Value>,
    pub limit: Duration,
}

/// An answer of any status.
pub(crate) struct Answer {
    pub status: StatusCode,
    body: Vec<u8>,
}

impl Http {
    pub fn new(access: Access) -> Result<Self, Error> {
        // A process has one provider; whoever came first, it is ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let setup = |reason: String| Error::Setup {
            url: access.url.clone(),
            reason,
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("bramble/", env!("CARGO_PKG_VERSION")))
            .https_only(true)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &access.authorities {
            let found = reqwest::Certificate::from_pem_bundle(pem.as_bytes());
            let found = found.map_err(|error| setup(chain(&error)))?;
            if found.is_empty() {
                return Err(setup("there is no certificate in it".into()));
            }
            builder = builder.tls_certs_only(found);
        }
        let client = builder.build().map_err(|error| setup(chain(&error)))?;
        Ok(Self {
            client,
            access,
            session: Mutex::new(None),
        })
    }

    pub fn url(&self) -> &str {
        &self.access.url
    }

    pub fn version(&self) -> Version {
        self.access.version
    }

    /// Logs in, whatever session there is.
    pub async fn login(&self, limit: Duration) -> Result<(), Error> {
        let form = [
            ("username", self.access.username.as_str()),
            ("password", self.access.password.expose()),
        ];
        let path = match self.version() {
            Version::V2 => "/2/system/login",
            Version::V3 => "/v3/system/login",
        };
        let request = self.client.post(format!("{}{path}", self.url()));
        let body = encoded(&form);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.expose().to_owned());
        let response = self.send(request, limit).await?;
        let status = response.status();
        if matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST
        ) {
            return Err(Error::Login {
                url: self.url().into(),
                user: self.access.username.clone(),
            });
        }
        let what = "log in";
        let token = session(self.version(), response.headers());
        if !status.is_success() {
            // What it says may repeat what was sent.
            return Err(Error::Refused {
                what,
                url: self.url().into(),
                status: status.as_u16(),
                body: String::new(),
            });
        }
        let Some(token) = token else {
            let reason = "there is no session in it".into();
            return Err(self.unreadable(what, reason));
        };
        *self.held() = Some(token);
        Ok(())
    }

    /// Asks, and logs in where there is no session or it is over.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let mut fresh = false;
        if self.held().is_none() {
            self.login(ask.limit).await?;
            fresh = true;
        }
        loop {
            let answer = self.once(ask).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            if fresh {
                return Err(self.refused(ask.what, &answer));
            }
            // Sessions end: nothing was done without one, so the request can be made again.
            self.login(ask.limit).await?;
            fresh = true;
        }
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let url = format!("{}{}", self.url(), ask.path);
        let mut request = self.client.request(ask.method.clone(), url);
        if let Some(token) = self.held().as_ref() {
            request = with_session(request, self.version(), token);
        }
        if let Some(body) = ask.body {
            request = request.json(body);
        }
        let read = async {
            let response = self.send(request, ask.limit).await?;
            let status = response.status();
            let body = self.body(ask.what, response).await?;
            Ok(Answer { status, body })
        };
        let late = || self.unreachable(format!("no answer within {} s", ask.limit.as_secs()));
        tokio::time::timeout(ask.limit, read)
            .await
            .map_err(|_| late())?
    }

    async fn send(&self, request: RequestBuilder, limit: Duration) -> Result<Response, Error> {
        let sent = request.timeout(limit).send().await;
        sent.map_err(|error| self.unreachable(chain(&error.without_url())))
    }

    async fn body(&self, what: &'static str, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| self.unreachable(chain(&error.without_url())))? {
                None => return Ok(body),
                Some(chunk) if body.len() + chunk.len() <= ANSWER => body.extend_from_slice(&chunk),
                Some(_) => {
                    return Err(self.unreadable(what, format!("it has more than {ANSWER} bytes")));
                }
            }
        }
    }

    /// The answer as JSON.
    pub fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        answer: &Answer,
    ) -> Result<T, Error> {
        let parsed = serde_json::from_slice(&answer.body);
        // The reason may quote what it found, but no more than a value.
        parsed.map_err(|error| self.unreadable(what, self.clean(&error.to_string())))
    }

    /// The answer as text that must not be shown.
    pub fn secret(&self, what: &'static str, answer: Answer) -> Result<Secret, Error> {
        let text = String::from_utf8(answer.body);
        text.map(Secret::new)
            .map_err(|_| self.unreadable(what, "it is no text".into()))
    }

    /// The error that an answer comes to.
    pub fn refused(&self, what: &'static str, answer: &Answer) -> Error {
        Error::Refused {
            what,
            url: self.url().into(),
            status: answer.status.as_u16(),
            body: self.clean(&String::from_utf8_lossy(&answer.body)),
        }
    }

    fn unreachable(&self, reason: String) -> Error {
        Error::Unreachable {
            url: self.url().into(),
            reason,
        }
    }

    pub fn unreadable(&self, what: &'static str, reason: String) -> Error {
        Error::Unreadable {
            what,
            url: self.url().into(),
            reason,
        }
    }

    /// What the platform says, fit to be shown: whatever it repeats of what it was sent, secrets are not in it.
    fn clean(&self, text: &str) -> String {
        let mut text = text.replace(self.access.password.expose(), "***");
        if let Some(token) = self.held().as_ref() {
            text = text.replace(token.expose(), "***");
        }
        printable(&text, SAID)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Secret>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_session(request: RequestBuilder, version: Version, token: &Secret) -> RequestBuilder {
    let (name, text) = match version {
        Version::V2 => (
            COOKIE.as_str(),
            Secret::new(format!("{SESSION_COOKIE}={}", token.expose())),
        ),
        Version::V3 => (SESSION_HEADER, token.clone()),
    };
    match HeaderValue::from_str(text.expose()) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(name, value)
        }
        // It came as such a header.
        Err(_) => request,
    }
}

fn session(version: Version, headers: &HeaderMap) -> Option<Secret> {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    let token = match version {
        Version::V2 => {
            let cookies = headers.get_all(SET_COOKIE).iter().filter_map(text);
            let mut named = cookies.filter_map(|cookie| {
                let (name, value) = cookie.split(';').next()?.split_once('=')?;
                (name.trim() == SESSION_COOKIE).then(|| value.trim().to_owned())
            });
            named.next_back()
        }
        Version::V3 => headers.get(SESSION_HEADER).and_then(text),
    };
    token.filter(|token| !token.is_empty()).map(Secret::new)
}

/// A form (`application/x-www-form-urlencoded`), as a secret.
fn encoded(fields: &[(&str, &str)]) -> Secret {
    let mut url = reqwest::Url::parse("https://form").ok();
    if let Some(url) = &mut url {
        url.query_pairs_mut().extend_pairs(fields);
    }
    Secret::new(url.as_ref().and_then(|url| url.query()).unwrap_or_default())
}

/// reqwest's own text leaves the cause out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
