//! Downloads: resumed, checked, retried within bounds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url, header};
use tokio::io::AsyncWriteExt;

use crate::event::Sink;
use crate::files::{blocking, hash_file};
use crate::registry::Session;
use crate::{Error, Event};

/// Transfers that run at the same time.
const PARALLEL: usize = 4;

/// Runs jobs, a few at a time; results are in the order of the jobs, the first error ends all.
///
/// Boxed: closures that return futures which borrow make the whole build's future not `Send`.
pub(crate) async fn in_parallel<T>(
    jobs: Vec<BoxFuture<'_, Result<T, Error>>>,
) -> Result<Vec<T>, Error> {
    stream::iter(jobs).buffered(PARALLEL).try_collect().await
}

/// Checksum files, manifests and indexes are small.
const SMALL: usize = 4 << 20;

/// How much is received between two events of a transfer.
const REPORT_EVERY: u64 = 1 << 20;

/// How long transfers go on trying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Attempts in a row that bring nothing new before giving up; at least 1.
    pub tries: u32,
    /// Pause before the second attempt; doubles with each further one, up to 30 s.
    pub pause: Duration,
    /// A connection that brings nothing for so long is given up.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            tries: 5,
            pause: Duration::from_secs(1),
            idle: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// Pauses before the next attempt, or gives up.
    pub(crate) async fn again(
        self,
        events: Sink<'_>,
        name: &str,
        url: &Url,
        tried: u32,
        problem: String,
    ) -> Result<(), Error> {
        if tried >= self.tries.max(1) {
            return Err(Error::Transfer {
                url: url.to_string(),
                problem,
                tries: tried,
            });
        }
        let factor = 1u32 << (tried - 1).min(16);
        let after = self
            .pause
            .saturating_mul(factor)
            .min(Duration::from_secs(30));
        events(Event::Retry {
            name: name.into(),
            problem,
            after,
        });
        tokio::time::sleep(after).await;
        Ok(())
    }
}

/// An HTTP client with its limits and the receiver of events.
#[derive(Clone)]
pub(crate) struct Fetch<'a> {
    http: reqwest::Client,
    patience: Patience,
    pub events: Sink<'a>,
}

/// What to do after a failed attempt.
enum Failure {
    /// Trying again will not help.
    Final(Error),
    /// It might.
    Passing(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Final(error)
    }
}

impl<'a> Fetch<'a> {
    pub(crate) fn new(patience: Patience, events: Sink<'a>) -> Result<Fetch<'a>, Error> {
        // A process has one provider; whoever came first, it is ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("bramble/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(patience.idle.min(Duration::from_secs(20)))
            .read_timeout(patience.idle)
            .redirect(redirects())
            .build()
            .map_err(|e| Error::Request(format!("can't set up HTTPS: {}", chain(&e))))?;
        Ok(Fetch {
            http,
            patience,
            events,
        })
    }

    async fn again(&self, name: &str, url: &Url, tried: u32, problem: String) -> Result<(), Error> {
        let patience = self.patience;
        patience.again(self.events, name, url, tried, problem).await
    }

    /// Sends one request, with the session's token; fetches a token where the server asks for one.
    async fn send(
        &self,
        url: &Url,
        session: Option<&Session>,
        accept: Option<&str>,
        from: u64,
    ) -> Result<Response, Failure> {
        for attempt in 0..2 {
            let mut request = self.http.get(url.clone());
            if let Some(accept) = accept {
                request = request.header(header::ACCEPT, accept);
            }
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if let Some(token) = session.and_then(Session::token) {
                request = request.bearer_auth(token);
            }
            let response = request
                .send()
                .await
                .map_err(|e| Failure::Passing(chain(&e)))?;
            let challenge = (response.status() == StatusCode::UNAUTHORIZED && attempt == 0)
                .then(|| response.headers().get(header::WWW_AUTHENTICATE))
                .flatten()
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned);
            match (session, challenge) {
                (Some(session), Some(challenge)) => {
                    let token = self.token(url, &challenge, session).await?;
                    session.set_token(token);
                }
                _ => return judge(url, response),
            }
        }
        Err(Failure::Passing(
            "the server asks for a token again and again".into(),
        ))
    }

    /// Token authentication of the distribution specification: the challenge says where to ask.
    async fn token(
        &self,
        url: &Url,
        challenge: &str,
        session: &Session,
    ) -> Result<String, Failure> {
        let invalid = |problem: String| {
            Failure::Final(Error::Invalid {
                place: url.to_string(),
                problem,
            })
        };
        let address = session
            .token_url(challenge)
            .map_err(|problem| invalid(format!("{problem}: {challenge:?}")))?;
        let request = self.http.get(address.clone());
        let response = request
            .send()
            .await
            .map_err(|e| Failure::Passing(chain(&e)))?;
        let body = small(judge(&address, response)?).await?;
        #[derive(serde::Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(Error::json(&address))
            .map_err(Failure::Final)?;
        answer
            .token
            .or(answer.access_token)
            .ok_or_else(|| invalid(format!("{address} gave no token")))
    }

    /// A small document.
    pub(crate) async fn get(
        &self,
        url: &Url,
        session: Option<&Session>,
        accept: Option<&str>,
    ) -> Result<(Vec<u8>, header::HeaderMap), Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            let attempt = async {
                let response = self.send(url, session, accept, 0).await?;
                let headers = response.headers().clone();
                Ok::<_, Failure>((small(response).await?, headers))
            };
            match attempt.await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(problem)) => {
                    self.again(url.path(), url, tried, problem).await?
                }
            }
        }
    }

    /// Downloads to `to` unless it is already there, whole and right.
    pub(crate) async fn download(
        &self,
        name: &str,
        url: &Url,
        session: Option<&Session>,
        sha256: &str,
        to: &Path,
    ) -> Result<u64, Error> {
        if let Some(size) = have(to, sha256).await? {
            self.told(name, size, Some(size));
            return Ok(size);
        }
        let part = part_of(to);
        let mut tried = 0;
        let mut fresh = size_of(&part) == 0;
        loop {
            let before = size_of(&part);
            let problem = match self.append(name, url, session, &part).await {
                Ok(()) => {
                    let path = part.clone();
                    let (got, size) =
                        blocking("hashing a download", move || hash_file(&path)).await?;
                    if got == sha256 {
                        finish(&part, to).await?;
                        return Ok(size);
                    }
                    std::fs::remove_file(&part).map_err(Error::io("remove", &part))?;
                    if fresh {
                        return Err(Error::Checksum {
                            url: url.to_string(),
                            expected: sha256.into(),
                            got,
                        });
                    }
                    // The beginning came from an earlier run; the file may have changed since.
                    "the parts of an interrupted download don't fit together".into()
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(problem)) => problem,
            };
            let now = size_of(&part);
            fresh |= now == 0;
            // Whoever makes progress may go on: slow lines cut often.
            tried = if now > before { 1 } else { tried + 1 };
            self.again(name, url, tried, problem).await?;
        }
    }

    /// One attempt to fetch what is missing of a part.
    async fn append(
        &self,
        name: &str,
        url: &Url,
        session: Option<&Session>,
        part: &Path,
    ) -> Result<(), Failure> {
        let mut at = size_of(part);
        let response = self.send(url, session, None, at).await;
        let response = match response {
            // Nothing after the part's end: it may be whole, the checksum decides.
            Err(Failure::Final(Error::Status { status: 416, .. })) if at > 0 => return Ok(()),
            other => other?,
        };
        if at > 0 && !resumes_at(&response, at) {
            // The server ignores ranges: from the beginning.
            at = 0;
        }
        let mut file = tokio::fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(at == 0)
            .append(at > 0)
            .open(part)
            .await
            .map_err(Error::io("open", part))?;
        let total = response.content_length().map(|n| n + at);
        let mut told = at;
        let mut body = response.bytes_stream();
        let mut ended = Ok(());
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(e) => {
                    ended = Err(Failure::Passing(chain(&e)));
                    break;
                }
            };
            file.write_all(&piece)
                .await
                .map_err(Error::io("write", part))?;
            at += piece.len() as u64;
            if at >= told + REPORT_EVERY {
                told = at;
                self.told(name, at, total);
            }
        }
        // What arrived before a cut is kept for the next attempt.
        file.flush().await.map_err(Error::io("write", part))?;
        ended?;
        self.told(name, at, total);
        Ok(())
    }

    fn told(&self, name: &str, done: u64, total: Option<u64>) {
        (self.events)(Event::Transfer {
            name: name.into(),
            done,
            total,
        });
    }
}

/// Release sites send us on to their storage, but never from HTTPS to something that anyone may alter: the
/// published checksums come this way too.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        let secure = attempt
            .previous()
            .first()
            .is_some_and(|url| url.scheme() == "https");
        if attempt.previous().len() > 10 {
            attempt.error("the server sends us on and on")
        } else if secure && attempt.url().scheme() != "https" {
            attempt.error("the server sends us from https to an insecure address")
        } else {
            attempt.follow()
        }
    })
}

/// Whether the answer continues at that offset.
fn resumes_at(response: &Response, at: u64) -> bool {
    response.status() == StatusCode::PARTIAL_CONTENT
        && response
            .headers()
            .get(header::CONTENT_RANGE)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.strip_prefix("bytes "))
            .and_then(|v| v.split('-').next())
            .is_some_and(|start| start == at.to_string())
}

/// Which status codes are worth another attempt.
fn judge(url: &Url, response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
    if passing {
        return Err(Failure::Passing(format!("the server answered {status}")));
    }
    let hint = match status {
        StatusCode::NOT_FOUND => {
            ": there is no such file; is the version right, and is it made for this architecture?"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": the server wants credentials",
        _ => "",
    };
    Err(Failure::Final(Error::Status {
        url: url.to_string(),
        status: status.as_u16(),
        hint: hint.into(),
    }))
}

/// Reads a small body; a server that sends something else is not believed for gigabytes.
async fn small(response: Response) -> Result<Vec<u8>, Failure> {
    let url = response.url().to_string();
    let mut body = response.bytes_stream();
    let mut all = Vec::new();
    while let Some(piece) = body.next().await {
        all.extend_from_slice(&piece.map_err(|e| Failure::Passing(chain(&e)))?);
        if all.len() > SMALL {
            return Err(Failure::Final(Error::Invalid {
                place: url,
                problem: format!(
                    "more than {} MB where a small document was expected",
                    SMALL >> 20
                ),
            }));
        }
    }
    Ok(all)
}

/// The size of a file that already has the wanted content.
pub(crate) async fn have(path: &Path, sha256: &str) -> Result<Option<u64>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let file = path.to_owned();
    let (got, size) = blocking("hashing a file", move || hash_file(&file)).await?;
    Ok((got == sha256).then_some(size))
}

async fn finish(part: &Path, to: &Path) -> Result<(), Error> {
    let (part, to) = (part.to_owned(), to.to_owned());
    blocking("finishing a download", move || {
        std::fs::File::open(&part)
            .and_then(|f| f.sync_all())
            .map_err(Error::io("write", &part))?;
        std::fs::rename(&part, &to).map_err(Error::io("create", &to))
    })
    .await
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// reqwest's own text leaves the cause out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A base address with path segments behind it.
pub(crate) fn join(base: &Url, path: &str) -> Result<Url, Error> {
    let text = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|e| Error::Request(format!("{text:?} is no address: {e}")))
}

/// The checksum in a `.sha256` file: a hash alone, or `sha256sum` lines, of which the one for `file` counts.
pub(crate) fn checksum_in(text: &str, file: &str) -> Option<String> {
    let is_hash = |w: &str| w.len() == 64 && w.bytes().all(|b| b.is_ascii_hexdigit());
    let mut alone = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(hash) = words.next().filter(|w| is_hash(w)) else {
            continue;
        };
        match words.next() {
            Some(name) if name.trim_start_matches(['*', '.', '/']).ends_with(file) => {
                return Some(hash.to_ascii_lowercase());
            }
            Some(_) => {}
            None => alone = alone.or(Some(hash.to_ascii_lowercase())),
        }
    }
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_files_come_in_two_forms() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(checksum_in(&format!("{a}\n"), "x"), Some(a.clone()));
        let list = format!("{a}  runc.arm64\n{b} *runc.amd64\n");
        assert_eq!(checksum_in(&list, "runc.amd64"), Some(b));
        assert_eq!(checksum_in(&list, "runc.s390x"), None);
        assert_eq!(checksum_in("<html>not found</html>", "x"), None);
    }
}
