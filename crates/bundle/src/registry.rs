//! Images from a registry (OCI distribution specification 1.1, also known as registry API v2).

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bramble_spec::cluster::Arch;
use reqwest::{Url, header::HeaderMap};
use serde::Deserialize;

use crate::fetch::{Fetch, join};
use crate::files::sha256_hex;
use crate::{Error, oci};

pub(crate) const LISTS: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
pub(crate) const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// One repository of a registry, with the token that it gave.
pub(crate) struct Session {
    /// `https://host/v2/path/`
    base: Url,
    repository: String,
    token: Mutex<Option<String>>,
}

impl Session {
    /// `registry`: scheme, host and perhaps a path that stands before every repository.
    pub(crate) fn new(registry: &Url, repository: &str) -> Result<Session, Error> {
        let prefix = registry.path().trim_matches('/');
        let repository = match prefix {
            "" => repository.to_owned(),
            prefix => format!("{prefix}/{repository}"),
        };
        let mut base = registry.clone();
        base.set_path(&format!("/v2/{repository}"));
        Ok(Session {
            base,
            repository,
            token: Mutex::new(None),
        })
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.token.lock().ok().and_then(|t| t.clone())
    }

    pub(crate) fn set_token(&self, token: String) {
        if let Ok(mut place) = self.token.lock() {
            *place = Some(token);
        }
    }

    fn manifest(&self, reference: &str) -> Result<Url, Error> {
        join(&self.base, &format!("manifests/{reference}"))
    }

    fn blob(&self, digest: &str) -> Result<Url, Error> {
        join(&self.base, &format!("blobs/{digest}"))
    }

    /// Where a challenge (`Bearer realm="...",service="...",scope="..."`) says to ask for a token.
    pub(crate) fn token_url(&self, challenge: &str) -> Result<Url, String> {
        let values = challenge
            .strip_prefix("Bearer ")
            .or_else(|| challenge.strip_prefix("bearer "))
            .ok_or("the registry wants another way to log in than by token")?;
        let get = |name: &str| parameter(values, name);
        let realm = get("realm").ok_or("the registry does not say where to get a token")?;
        let mut url = self
            .base
            .join(&realm)
            .map_err(|e| format!("the token's address is wrong ({e})"))?;
        let downgrade = self.base.scheme() == "https" && url.scheme() != "https";
        if downgrade || !matches!(url.scheme(), "https" | "http") {
            return Err("the registry sends us to an insecure address for a token".into());
        }
        let scope = get("scope").unwrap_or_else(|| format!("repository:{}:pull", self.repository));
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = get("service") {
                query.append_pair("service", &service);
            }
            query.append_pair("scope", &scope);
        }
        Ok(url)
    }
}

/// One `name="value"` of a challenge. Values may hold commas, not quotes.
fn parameter(values: &str, name: &str) -> Option<String> {
    let mut rest = values;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key
            .trim()
            .trim_start_matches(',')
            .trim()
            .eq_ignore_ascii_case(name)
        {
            return Some(value.trim().to_owned());
        }
        rest = next.trim_start_matches([',', ' ']);
    }
    None
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(default)]
    urls: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Debug, Deserialize)]
struct Kind {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
}

/// An image of one architecture whose layers are still to be fetched.
pub(crate) struct Resolved {
    pub reference: String,
    pub arch: Arch,
    pub session: Session,
    kind: String,
    manifest: Vec<u8>,
    config: Vec<u8>,
    layers: Vec<String>,
}

/// Follows a tag to the manifest of one architecture. `reference`: the image's name for the cluster;
/// `path` and `tag`: where the registry has it.
pub(crate) async fn resolve(
    fetch: &Fetch<'_>,
    registry: &Url,
    path: &str,
    tag: &str,
    reference: &str,
    arch: Arch,
) -> Result<Resolved, Error> {
    let session = Session::new(registry, path)?;
    let url = session.manifest(tag)?;
    let (mut body, mut kind) = document(fetch, &session, &url, None).await?;
    let mut place = url;
    let listed = LISTS.contains(&kind.as_str());
    if listed {
        let list: List = serde_json::from_slice(&body).map_err(Error::json(&place))?;
        let digest = choose(&list, arch).ok_or_else(|| missing_arch(&place, &list, arch))?;
        place = session.manifest(&digest)?;
        (body, kind) = document(fetch, &session, &place, Some(&digest)).await?;
    }
    if !MANIFESTS.contains(&kind.as_str()) {
        return Err(Error::Invalid {
            place: place.to_string(),
            problem: format!("the registry sent a {kind:?} where an image's manifest was expected"),
        });
    }
    let manifest: Manifest = serde_json::from_slice(&body).map_err(Error::json(&place))?;
    if manifest.layers.iter().any(|l| !l.urls.is_empty()) {
        return Err(Error::Invalid {
            place: place.to_string(),
            problem: "the image has layers that are not in the registry".into(),
        });
    }
    let at = session.blob(&manifest.config.digest)?;
    let (config, _) = fetch.get(&at, Some(&session), None).await?;
    check(&at, &config, &manifest.config.digest)?;
    let platform: Platform = serde_json::from_slice(&config).map_err(Error::json(&at))?;
    if platform.architecture != arch.as_str() || platform.os != "linux" {
        return Err(Error::Invalid {
            place: place.to_string(),
            problem: format!(
                "{reference} is for {}/{}, not for linux/{}",
                platform.os,
                platform.architecture,
                arch.as_str()
            ),
        });
    }
    let layers = manifest
        .layers
        .iter()
        .map(|l| hex_of(&at, &l.digest).map(str::to_owned))
        .collect::<Result<_, _>>()?;
    Ok(Resolved {
        reference: reference.into(),
        arch,
        session,
        kind,
        manifest: body,
        config,
        layers,
    })
}

impl Resolved {
    /// Hash (hexadecimal) and address of each layer.
    pub(crate) fn layers(&self) -> Result<Vec<(String, Url)>, Error> {
        let url = |hash: &String| Ok((hash.clone(), self.session.blob(&format!("sha256:{hash}"))?));
        self.layers.iter().map(url).collect()
    }

    /// Writes the image's tar from fetched layers; returns the manifest's digest.
    pub(crate) fn write(
        &self,
        to: &Path,
        layer: impl Fn(&str) -> PathBuf,
    ) -> Result<String, Error> {
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|hash| (hash.clone(), layer(hash)))
            .collect();
        oci::write_layout(
            to,
            &self.reference,
            self.arch,
            &self.kind,
            &self.manifest,
            &self.config,
            &layers,
        )
    }
}

/// A manifest or list, its digest checked, with its media type.
async fn document(
    fetch: &Fetch<'_>,
    session: &Session,
    url: &Url,
    digest: Option<&str>,
) -> Result<(Vec<u8>, String), Error> {
    let accept = LISTS
        .iter()
        .chain(&MANIFESTS)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let (body, headers) = fetch.get(url, Some(session), Some(&accept)).await?;
    let text = |name: &str| text_of(&headers, name);
    if let Some(digest) = digest
        .map(str::to_owned)
        .or_else(|| text("docker-content-digest"))
    {
        check(url, &body, &digest)?;
    }
    let said: Kind = serde_json::from_slice(&body).map_err(Error::json(url))?;
    let header =
        text("content-type").map(|t| t.split(';').next().unwrap_or_default().trim().to_owned());
    Ok((body, said.media_type.or(header).unwrap_or_default()))
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

fn choose(list: &List, arch: Arch) -> Option<String> {
    let fits = |p: &Platform| p.os == "linux" && p.architecture == arch.as_str();
    list.manifests
        .iter()
        .find(|m| m.platform.as_ref().is_some_and(fits))
        .map(|m| m.digest.clone())
}

fn missing_arch(place: &Url, list: &List, arch: Arch) -> Error {
    let there: Vec<_> = list
        .manifests
        .iter()
        .filter_map(|m| {
            m.platform
                .as_ref()
                .map(|p| format!("{}/{}", p.os, p.architecture))
        })
        .collect();
    Error::Invalid {
        place: place.to_string(),
        problem: format!(
            "there is no image for linux/{}, only for {}",
            arch.as_str(),
            there.join(", ")
        ),
    }
}

fn hex_of<'d>(place: &Url, digest: &'d str) -> Result<&'d str, Error> {
    digest
        .strip_prefix("sha256:")
        .filter(|h| h.len() == 64 && h.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        .ok_or_else(|| Error::Invalid {
            place: place.to_string(),
            problem: format!("{digest:?} is no sha256 digest"),
        })
}

fn check(url: &Url, body: &[u8], digest: &str) -> Result<(), Error> {
    let expected = hex_of(url, digest)?;
    let got = sha256_hex(body);
    if got == expected {
        return Ok(());
    }
    Err(Error::Checksum {
        url: url.to_string(),
        expected: expected.into(),
        got,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_with_commas_inside_values() {
        let registry = Url::parse("https://r.example/mirror").unwrap();
        let session = Session::new(&registry, "kube-proxy").unwrap();
        let url = session
            .token_url(r#"Bearer realm="https://auth.example/token", service="r.example",scope="repository:mirror/kube-proxy:pull,push""#)
            .unwrap();
        assert_eq!(url.host_str(), Some("auth.example"));
        let query: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(query[0], ("service".into(), "r.example".into()));
        assert_eq!(
            query[1],
            (
                "scope".into(),
                "repository:mirror/kube-proxy:pull,push".into()
            )
        );
        assert!(session.token_url(r#"Basic realm="x""#).is_err());
        assert!(
            session
                .token_url(r#"Bearer realm="http://auth.example/token""#)
                .is_err()
        );
        assert!(
            session
                .manifest("v1")
                .unwrap()
                .as_str()
                .ends_with("/v2/mirror/kube-proxy/manifests/v1")
        );
    }
}
