//! A daemon that does the work: the same commands, the same output, on its computer.

mod events;
mod login;
mod servers;

pub use login::{log_in, log_out};

use crate::args::Global;
use crate::error::{CliError, Kind, chain};
use bramble_secret::Secret;
use reqwest::{Certificate, Method, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// How long an answer may take; questions look at all machines of a cluster.
const LIMIT: Duration = Duration::from_secs(200);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A daemon that somebody is logged in at.
pub struct Remote {
    url: String,
    client: reqwest::Client,
    token: Secret,
}

/// A client that believes this authority, or those of the system.
fn client(authority: Option<&str>) -> Result<reqwest::Client, CliError> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        // Streams too: a daemon that says nothing for so long is gone.
        .read_timeout(LIMIT)
        .https_only(true);
    if let Some(pem) = authority {
        let none = |why: &str| CliError::usage(format!("the authority is no certificate: {why}"));
        // What isn't looked at would only be said by each connection: that it believes nobody.
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(none("its file has none in PEM"));
        }
        let authority = Certificate::from_pem(pem.as_bytes()).map_err(|e| none(&e.to_string()))?;
        builder = builder.tls_certs_only([authority]);
    }
    builder
        .build()
        .map_err(|e| CliError::failed(format!("no connection can be made: {}", chain(&e))))
}

impl Remote {
    /// The daemon that is meant, if one is.
    ///
    /// # Errors
    /// When nobody is logged in there.
    pub fn of(global: &Global) -> Result<Option<Self>, CliError> {
        let Some(url) = &global.server else {
            return Ok(None);
        };
        let url = servers::normal(url)?;
        let known = servers::find(&url)?;
        let token = std::env::var("BRAMBLE_TOKEN").ok().map(Secret::new);
        let (token, authority) = match (token, known) {
            (Some(token), known) => (token, known.and_then(|k| k.authority)),
            (None, Some(known)) => (Secret::new(known.token), known.authority),
            (None, None) => {
                return Err(CliError::usage(format!("nobody is logged in at {url}"))
                    .hint(format!("bramble login {url} --ca FILE")));
            }
        };
        let authority = match servers::authority_of_environment()? {
            Some(pem) => Some(pem),
            None => authority,
        };
        let client = client(authority.as_deref())?;
        Ok(Some(Self { url, client, token }))
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}/api/v1{path}", self.url))
            .bearer_auth(self.token.expose())
    }

    /// What it answers; `None` where there is nothing of that name.
    ///
    /// # Errors
    /// What it refuses, in its own words; that it does not answer.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, CliError> {
        let response = self.request(Method::GET, path).timeout(LIMIT).send().await;
        let response = response.map_err(|e| self.away(&e))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.value(response).await.map(Some)
    }

    /// Sends something, and gives the answer.
    ///
    /// # Errors
    /// As [`Remote::get`].
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, CliError> {
        let request = self.request(method, path).timeout(LIMIT).json(body);
        let response = request.send().await.map_err(|e| self.away(&e))?;
        self.value(response).await
    }

    async fn value(&self, response: Response) -> Result<Value, CliError> {
        let response = refused(response).await?;
        let text = response.text().await.map_err(|e| self.away(&e))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|e| CliError::failed(format!("{} answers no JSON: {e}", self.url)))
    }

    fn away(&self, error: &reqwest::Error) -> CliError {
        away(&self.url, error)
    }
}

/// Why there is no answer.
fn away(url: &str, error: &reqwest::Error) -> CliError {
    let text = chain(error);
    let failed = CliError::new(Kind::Unreachable, format!("{url}: {text}"));
    if text.contains("certificate") {
        return failed.hint(
            "log in with the daemon's authority, the file tls/ca.pem in its folder: bramble login URL --ca FILE",
        );
    }
    failed.hint("does the daemon run, and is this its address? (`bramble serve` tells it)")
}

/// The answer, or what the daemon has against the request (RFC 9457).
async fn refused(response: Response) -> Result<Response, CliError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let problem: Value = response.json().await.unwrap_or_default();
    let detail = problem["detail"].as_str().map(str::to_owned);
    let detail = detail.unwrap_or_else(|| format!("the daemon answers {status}"));
    let kind = match status {
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => Kind::Usage,
        StatusCode::CONFLICT if problem["run"].is_string() => Kind::Locked,
        _ => Kind::Failed,
    };
    let error = CliError::new(kind, detail);
    Err(match problem["hint"].as_str() {
        Some(hint) => error.hint(hint),
        None => error,
    })
}
