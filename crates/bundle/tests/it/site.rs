//! A web server with upstream's layout: release files, tools, a registry with token authentication, ranges,
//! and faults on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use bramble_bundle::Url;
use bramble_spec::cluster::Arch;
use sha2::{Digest, Sha256};

/// How a path misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The first answer ends after half of the content.
    CutOnce,
    /// Every answer ends after 10 bytes.
    CutAlways,
    /// Ranges are ignored, and the first answer is cut.
    CutOnceWithoutRanges,
    /// 503 the first time.
    BusyOnce,
}

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, Vec<u8>>,
    /// Paths for which ranges are ignored.
    whole: BTreeSet<String>,
    faults: BTreeMap<String, Fault>,
    /// Path, and the range asked for.
    requests: Vec<(String, Option<String>)>,
    /// Whether the registry wants tokens.
    tokens: bool,
}

/// A running server; ends with the test's runtime.
#[derive(Clone)]
pub struct Site {
    inner: Arc<Mutex<Inner>>,
    pub base: Url,
}

pub fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Content that compresses badly and is different for each name.
pub fn content(name: &str, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 32);
    let mut block = Sha256::digest(name);
    while bytes.len() < size {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    bytes.truncate(size);
    bytes
}

impl Site {
    pub async fn start() -> Site {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let app = Router::new().fallback(serve).with_state(inner.clone());
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", socket.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(socket, app).await });
        Site { inner, base }
    }

    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.inner
            .lock()
            .unwrap()
            .files
            .insert(path.into(), bytes.into());
    }

    pub fn remove(&self, path: &str) {
        self.inner.lock().unwrap().files.remove(path);
    }

    pub fn fault(&self, path: &str, fault: Fault) {
        self.inner.lock().unwrap().faults.insert(path.into(), fault);
    }

    pub fn want_tokens(&self) {
        self.inner.lock().unwrap().tokens = true;
    }

    /// The ranges with which a path was asked for, one for each request.
    pub fn ranges(&self, path: &str) -> Vec<Option<String>> {
        let inner = self.inner.lock().unwrap();
        let these = inner.requests.iter().filter(|(p, _)| p == path);
        these.map(|(_, range)| range.clone()).collect()
    }

    pub fn requests(&self) -> usize {
        self.inner.lock().unwrap().requests.len()
    }

    /// A file with its `.sha256`.
    pub fn put_checked(&self, path: &str, bytes: Vec<u8>) {
        self.put(&format!("{path}.sha256"), format!("{}\n", hash(&bytes)));
        self.put(path, bytes);
    }

    /// The programs of a release.
    pub fn put_release(&self, version: &str, arch: Arch) {
        let arch = arch.as_str();
        for name in ["kubeadm", "kubelet", "kubectl"] {
            let bytes = content(&format!("{name} {version} {arch}"), 300_000);
            self.put_checked(
                &format!("/release/{version}/bin/linux/{arch}/{name}"),
                bytes,
            );
        }
    }

    /// An image for several architectures behind one tag. Returns each architecture's manifest digest.
    pub fn put_image(&self, path: &str, tag: &str, archs: &[Arch]) -> BTreeMap<Arch, String> {
        let mut list = Vec::new();
        let mut digests = BTreeMap::new();
        for &arch in archs {
            let layer = content(&format!("{path} {tag} {}", arch.as_str()), 200_000);
            let config = serde_json::json!({
                "architecture": arch.as_str(), "os": "linux", "config": {},
                "rootfs": { "type": "layers", "diff_ids": [] },
            })
            .to_string()
            .into_bytes();
            let blob = |bytes: &[u8], kind: &str| {
                let digest = format!("sha256:{}", hash(bytes));
                self.put(&format!("/v2/{path}/blobs/{digest}"), bytes);
                serde_json::json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
            };
            let manifest = serde_json::json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": blob(&config, "application/vnd.docker.container.image.v1+json"),
                "layers": [blob(&layer, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
            })
            .to_string()
            .into_bytes();
            let digest = format!("sha256:{}", hash(&manifest));
            list.push(serde_json::json!({
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "digest": digest, "size": manifest.len(),
                "platform": { "architecture": arch.as_str(), "os": "linux" },
            }));
            self.put(&format!("/v2/{path}/manifests/{digest}"), manifest);
            digests.insert(arch, digest);
        }
        let list = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
            "manifests": list,
        });
        self.put(&format!("/v2/{path}/manifests/{tag}"), list.to_string());
        digests
    }
}

async fn serve(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let mut inner = inner.lock().unwrap();
    let range = text(request.headers(), header::RANGE);
    inner.requests.push((path.clone(), range.clone()));
    if path == "/token" {
        let scope = request.uri().query().unwrap_or_default().to_owned();
        return answer(
            StatusCode::OK,
            serde_json::json!({ "token": token(&scope) }).to_string(),
        );
    }
    if inner.tokens
        && let Some(rest) = path.strip_prefix("/v2/")
    {
        let end = rest
            .find("/manifests/")
            .or_else(|| rest.find("/blobs/"))
            .unwrap_or(0);
        let scope = format!(
            "service=test&scope=repository%3A{}%3Apull",
            rest[..end].replace('/', "%2F")
        );
        let want = format!("Bearer {}", token(&scope));
        if text(request.headers(), header::AUTHORIZATION) != Some(want) {
            let mut refused = answer(StatusCode::UNAUTHORIZED, "token, please");
            // A relative address would be unusual; real registries send a whole one.
            let host = text(request.headers(), header::HOST).unwrap();
            let challenge = format!(
                r#"Bearer realm="http://{host}/token",service="test",scope="repository:{}:pull""#,
                &rest[..end]
            );
            refused
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
            return refused;
        }
    }
    let Some(bytes) = inner.files.get(&path).cloned() else {
        return answer(StatusCode::NOT_FOUND, "no such file");
    };
    let fault = inner.faults.get(&path).copied();
    if matches!(
        fault,
        Some(Fault::CutOnce | Fault::CutOnceWithoutRanges | Fault::BusyOnce)
    ) {
        inner.faults.remove(&path);
    }
    let ranges = fault != Some(Fault::CutOnceWithoutRanges) && !inner.whole.contains(&path);
    if fault == Some(Fault::CutOnceWithoutRanges) {
        inner.whole.insert(path.clone());
    }
    if fault == Some(Fault::BusyOnce) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "busy");
    }
    let from = range.filter(|_| ranges).and_then(|r| {
        r.strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse::<usize>()
            .ok()
    });
    if from.is_some_and(|from| from >= bytes.len()) {
        return answer(StatusCode::RANGE_NOT_SATISFIABLE, "");
    }
    let rest = bytes[from.unwrap_or(0)..].to_vec();
    let cut = match fault {
        Some(Fault::CutOnce | Fault::CutOnceWithoutRanges) => Some(rest.len() / 2),
        Some(Fault::CutAlways) => Some(if from.is_some() { 0 } else { 10 }),
        _ => None,
    };
    let mut response = Response::builder()
        .status(if from.is_some() {
            StatusCode::PARTIAL_CONTENT
        } else {
            StatusCode::OK
        })
        .header(header::CONTENT_LENGTH, rest.len());
    if let Some(from) = from {
        let total = bytes.len();
        response = response.header(
            header::CONTENT_RANGE,
            format!("bytes {from}-{}/{total}", total - 1),
        );
    }
    let body = match cut {
        None => Body::from(rest),
        Some(cut) => {
            let pieces = [
                Ok(Bytes::from(rest[..cut].to_vec())),
                Err(std::io::Error::other("cut")),
            ];
            // A moment between the pieces, or the server drops both.
            Body::from_stream(futures::StreamExt::then(
                futures::stream::iter(pieces),
                |piece| async {
                    if piece.is_err() {
                        for _ in 0..100 {
                            tokio::task::yield_now().await;
                        }
                    }
                    piece
                },
            ))
        }
    };
    response.body(body).unwrap()
}

fn token(scope: &str) -> String {
    hash(scope.as_bytes())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

fn answer(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}
