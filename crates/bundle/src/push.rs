//! Images into a registry (OCI distribution specification 1.1): what is there already is not sent again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bramble_secret::Secret;
use futures::stream::{self, BoxStream};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url, header};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::watch;

use crate::archive::{Blob, Document, ImageArchive, list_of};
use crate::bundle::Bundle;
use crate::event::Sink;
use crate::fetch::{Patience, chain, join};
use crate::files::blocking;
use crate::index::{Image, ImageName};
use crate::registry::{LISTS, MANIFESTS};
use crate::{Error, Event};

/// How much is read and sent at once.
const PIECE: usize = 256 << 10;
/// How much is sent between two events of a transfer.
const REPORT_EVERY: u64 = 1 << 20;
/// What a registry says of itself in an error is cut here.
const SAID: usize = 300;

/// A registry that takes images in.
#[derive(Debug, Clone)]
pub struct Access {
    /// Scheme, a name that is in its certificate, and port.
    pub url: Url,
    /// Where that name leads to.
    pub at: SocketAddr,
    /// The one certificate that is trusted, PEM.
    pub certificate: String,
    /// Name and password.
    pub login: Option<(String, Secret)>,
    /// How long transfers go on trying.
    pub patience: Patience,
}

/// What a push did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Where the tag leads to now.
    pub digest: String,
    /// Bytes of parts that were sent.
    pub sent: u64,
    /// Bytes of parts that were there.
    pub there: u64,
    /// The tag led there before, and all was there.
    pub unchanged: bool,
}

/// Pushes the image of a tar as `repository:tag`.
///
/// # Errors
/// What the registry refuses, or a connection that fails as often as it is tried.
pub async fn push(
    access: &Access,
    archive: &ImageArchive,
    repository: &str,
    tag: &str,
    events: impl Fn(Event) + Send + Sync,
) -> Result<Pushed, Error> {
    let client = Client::new(access, &events)?;
    let mut done = client.image(archive, repository).await?;
    let (top, _) = archive.documents.split_last().ok_or_else(nothing)?;
    done.unchanged &= client.tag(repository, tag, top).await?;
    done.digest.clone_from(&top.digest);
    Ok(done)
}

/// Pushes all images of a bundle, each under its own name with the registry's host as the first part of
/// the path. Gives what was done by name.
///
/// # Errors
/// As [`push`], and for a blob of the bundle that is damaged or missing.
pub async fn push_bundle(
    access: &Access,
    bundle: &Bundle,
    events: impl Fn(Event) + Send + Sync,
) -> Result<Vec<(String, Pushed)>, Error> {
    let client = Client::new(access, &events)?;
    let mut by_name: BTreeMap<String, Vec<&Image>> = BTreeMap::new();
    for arch in &bundle.index().archs {
        for image in bundle.index().images(*arch) {
            by_name
                .entry(image.reference.clone())
                .or_default()
                .push(image);
        }
    }
    let mut out = Vec::new();
    for (reference, images) in by_name {
        let done = client.images(bundle, &reference, &images).await?;
        out.push((reference, done));
    }
    Ok(out)
}

fn nothing() -> Error {
    Error::Request("there is no image in the archive".into())
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

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Failure {
        Failure::Passing(chain(&error))
    }
}

struct Client<'a> {
    http: reqwest::Client,
    access: &'a Access,
    events: Sink<'a>,
}

impl<'a> Client<'a> {
    fn new(access: &'a Access, events: Sink<'a>) -> Result<Self, Error> {
        // A process has one provider; whoever came first, it is ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |e: reqwest::Error| {
            Error::Request(format!(
                "can't set up HTTPS for {}: {}",
                access.url,
                chain(&e)
            ))
        };
        let certificate = reqwest::Certificate::from_pem(access.certificate.as_bytes());
        let idle = access.patience.idle;
        let http = reqwest::Client::builder()
            .user_agent(concat!("bramble/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(idle.min(Duration::from_secs(20)))
            .read_timeout(idle)
            .redirect(reqwest::redirect::Policy::none())
            // It is reached by a tunnel or in its own network, whatever the environment says.
            .no_proxy()
            .resolve(access.url.host_str().unwrap_or_default(), access.at)
            .tls_certs_only([certificate.map_err(failed)?])
            .build()
            .map_err(failed)?;
        Ok(Self {
            http,
            access,
            events,
        })
    }

    /// One name of a bundle, for all processors that the bundle has it for.
    async fn images(
        &self,
        bundle: &Bundle,
        reference: &str,
        images: &[&Image],
    ) -> Result<Pushed, Error> {
        let name = ImageName::of(reference);
        let repository = name.stored();
        let mut done = Pushed {
            unchanged: true,
            ..Pushed::default()
        };
        let mut archives = Vec::new();
        for image in images {
            let path = bundle.blob_path(&image.sha256);
            let archive = blocking("reading an image", move || ImageArchive::open(&path)).await?;
            if archive.digest() != image.image_digest {
                return Err(damaged(&archive.path, &image.image_digest));
            }
            let part = self.image(&archive, &repository).await?;
            done.sent += part.sent;
            done.there += part.there;
            done.unchanged &= part.unchanged;
            archives.push((image.arch.as_str(), archive));
        }
        let manifests: Vec<(&str, &Document)> = archives
            .iter()
            .filter_map(|(arch, archive)| Some((*arch, archive.documents.last()?)))
            .collect();
        let top = match manifests.as_slice() {
            [] => return Err(nothing()),
            [(_, one)] => (*one).clone(),
            several => {
                let list = list_of(several);
                done.unchanged &= self.document(&repository, &list).await?;
                list
            }
        };
        done.unchanged &= self.tag(&repository, &name.tag, &top).await?;
        done.digest = top.digest;
        Ok(done)
    }

    /// Everything of an image but its tag.
    async fn image(&self, archive: &ImageArchive, repository: &str) -> Result<Pushed, Error> {
        let mut done = Pushed {
            unchanged: true,
            ..Pushed::default()
        };
        for blob in &archive.blobs {
            let path = format!("blobs/{}", blob.digest);
            if self.digest(repository, &path).await?.is_some() {
                done.there += blob.size;
                continue;
            }
            self.blob(repository, &archive.path, blob).await?;
            done.sent += blob.size;
            done.unchanged = false;
        }
        for document in &archive.documents {
            done.unchanged &= self.document(repository, document).await?;
        }
        Ok(done)
    }

    /// Sees to it that a manifest is there; whether it was.
    async fn document(&self, repository: &str, document: &Document) -> Result<bool, Error> {
        self.manifest(repository, &document.digest, document).await
    }

    /// Sees to it that a tag leads to a manifest; whether it did.
    async fn tag(&self, repository: &str, tag: &str, document: &Document) -> Result<bool, Error> {
        self.manifest(repository, tag, document).await
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &str,
        document: &Document,
    ) -> Result<bool, Error> {
        let path = format!("manifests/{reference}");
        if self.digest(repository, &path).await? == Some(document.digest.clone()) {
            return Ok(true);
        }
        let url = self.url(repository, &path)?;
        self.persist(&path, &url, async || {
            let request = self
                .request(Method::PUT, &url)
                .header(header::CONTENT_TYPE, &document.kind)
                .body(document.bytes.clone());
            let answer = judge(&url, request.send().await?).await?;
            taken(&url, &answer, &document.digest)
        })
        .await?;
        Ok(false)
    }

    /// The digest of what is there under a path of a repository.
    async fn digest(&self, repository: &str, path: &str) -> Result<Option<String>, Error> {
        let url = self.url(repository, path)?;
        let accept = LISTS.iter().chain(&MANIFESTS).copied().collect::<Vec<_>>();
        self.persist(path, &url, async || {
            let request = self
                .request(Method::HEAD, &url)
                .header(header::ACCEPT, accept.join(", "));
            let answer = request.send().await?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            let answer = judge(&url, answer).await?;
            Ok(Some(digest_of(&answer).unwrap_or_default()))
        })
        .await
    }

    async fn blob(&self, repository: &str, file: &Path, blob: &Blob) -> Result<(), Error> {
        let start = self.url(repository, "blobs/uploads/")?;
        let short = blob.digest.get(..19).unwrap_or(&blob.digest);
        let name = format!("{repository} {short}");
        self.persist(&name, &start, async || {
            let answer = self.request(Method::POST, &start).body("").send().await?;
            let mut place = self.location(&start, &judge(&start, answer).await?)?;
            place.query_pairs_mut().append_pair("digest", &blob.digest);
            let (said, heard) = watch::channel(0);
            let request = self
                .request(Method::PUT, &place)
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .header(header::CONTENT_LENGTH, blob.size)
                .body(Body::wrap_stream(pieces(file, blob, said).await?));
            let (answer, ()) = futures::join!(request.send(), self.tell(&name, blob.size, heard));
            let answer = judge(&start, answer?).await?;
            taken(&start, &answer, &blob.digest)
        })
        .await
    }

    /// Says how much of a part is sent, until nothing more is.
    async fn tell(&self, name: &str, size: u64, mut sent: watch::Receiver<u64>) {
        let mut told = 0;
        let say = |done| {
            (self.events)(Event::Transfer {
                name: name.into(),
                done,
                total: Some(size),
            });
        };
        while sent.changed().await.is_ok() {
            let now = *sent.borrow();
            if now >= told + REPORT_EVERY {
                told = now;
                say(now);
            }
        }
        say(*sent.borrow());
    }

    /// Where the registry wants a part. Logins go nowhere else.
    fn location(&self, base: &Url, answer: &Response) -> Result<Url, Failure> {
        let text = answer.headers().get(header::LOCATION);
        let text = text.and_then(|v| v.to_str().ok()).unwrap_or_default();
        let place = base.join(text).ok();
        let ours = |url: &Url| !text.is_empty() && url.origin() == self.access.url.origin();
        place.filter(ours).ok_or_else(|| {
            Failure::Final(Error::Invalid {
                place: base.to_string(),
                problem: format!("the registry sends us elsewhere to upload: {text:?}"),
            })
        })
    }

    fn url(&self, repository: &str, path: &str) -> Result<Url, Error> {
        join(&self.access.url, &format!("v2/{repository}/{path}"))
    }

    fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let request = self.http.request(method, url.clone());
        match &self.access.login {
            Some((user, password)) => request.basic_auth(user, Some(password.expose())),
            None => request,
        }
    }

    /// Does it until it works, or until trying again makes no sense.
    async fn persist<T>(
        &self,
        name: &str,
        url: &Url,
        attempt: impl AsyncFn() -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            let problem = match attempt().await {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(problem)) => problem,
            };
            self.access
                .patience
                .again(self.events, name, url, tried, problem)
                .await?;
        }
    }
}

/// The bytes of a part, read as they are sent; says how many were read.
async fn pieces(
    path: &Path,
    blob: &Blob,
    said: watch::Sender<u64>,
) -> Result<BoxStream<'static, std::io::Result<Vec<u8>>>, Error> {
    let opened = tokio::fs::File::open(path).await;
    let mut file = opened.map_err(Error::io("open", path))?;
    let place = std::io::SeekFrom::Start(blob.at);
    file.seek(place).await.map_err(Error::io("read", path))?;
    let all = blob.size;
    let next = move |(mut file, said, sent): (tokio::fs::File, watch::Sender<u64>, u64)| async move {
        let want = usize::try_from(all - sent).unwrap_or(PIECE).min(PIECE);
        if want == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; want];
        file.read_exact(&mut piece).await?;
        let sent = sent + want as u64;
        said.send_replace(sent);
        Ok(Some((piece, (file, said, sent))))
    };
    Ok(Box::pin(stream::try_unfold((file, said, 0), next)))
}

fn digest_of(answer: &Response) -> Option<String> {
    let value = answer.headers().get("docker-content-digest")?;
    value.to_str().ok().map(str::to_owned)
}

/// Whether the registry took what was sent. It compares the content with the digest itself.
fn taken(url: &Url, answer: &Response, digest: &str) -> Result<(), Failure> {
    match digest_of(answer) {
        Some(got) if got != digest => Err(Failure::Final(Error::Invalid {
            place: url.to_string(),
            problem: format!("the registry stored {got} where {digest} was sent"),
        })),
        _ => Ok(()),
    }
}

fn damaged(path: &Path, digest: &str) -> Error {
    Error::Invalid {
        place: path.display().to_string(),
        problem: format!(
            "it does not hold the image {digest}: `bramble bundle verify` says what is damaged"
        ),
    }
}

/// Which answers are worth another attempt; what the registry says of the others.
async fn judge(url: &Url, answer: Response) -> Result<Response, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let said = answer.text().await.unwrap_or_default();
    let reason = reason(&said);
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
    if passing {
        return Err(Failure::Passing(format!(
            "the registry answered {status}{reason}"
        )));
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": the login is wrong",
        StatusCode::METHOD_NOT_ALLOWED => ": it takes nothing in",
        _ => "",
    };
    Err(Failure::Final(Error::Status {
        url: url.to_string(),
        status: status.as_u16(),
        hint: format!("{hint}{reason}"),
    }))
}

/// The message in a registry's error document; empty if there is none.
fn reason(said: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(said).unwrap_or_default();
    match value["errors"][0]["message"].as_str() {
        Some(message) => format!(" ({})", message.chars().take(SAID).collect::<String>()),
        None => String::new(),
    }
}
