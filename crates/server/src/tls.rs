//! The daemon's own authority, made at its first start, and what it signs.

use crate::files;
use bramble_keys::Pair;
use bramble_secret::Secret;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// After how long a server's certificate is made anew; it is good for 397 days.
const RENEWED: SignedDuration = SignedDuration::from_hours(300 * 24);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key could not be made.
    #[error(transparent)]
    Keys(#[from] bramble_keys::KeyError),
}

/// What a server's certificate was made for.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    names: Vec<String>,
    at: Timestamp,
}

/// Files with certificate and key of the server, and of the authority that clients trust.
#[derive(Clone)]
pub(crate) struct Tls {
    /// The authority's certificate.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

/// Makes what is missing, old, or for other names. The authority stays.
pub(crate) fn ensure(folder: &Path, holder: &str, names: &[String]) -> Result<Tls, Error> {
    files::folder(folder).map_err(file(folder))?;
    let authority = authority(folder)?;
    let tls = Tls {
        authority: folder.join("ca.pem"),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
    };
    let kept = folder.join("server.json");
    let now = Timestamp::now();
    let good = std::fs::read_to_string(&kept)
        .ok()
        .and_then(|text| serde_json::from_str::<Made>(&text).ok())
        .is_some_and(|made| made.names == names && now.duration_since(made.at) < RENEWED);
    if good && tls.certificate.exists() && tls.key.exists() {
        return Ok(tls);
    }
    // What says that they belong together is taken away first, and comes last.
    match std::fs::remove_file(&kept) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(&kept)(error)),
        _ => {}
    }
    let pair = bramble_keys::signed(&authority, holder, names)?;
    save(&tls.key, pair.key.expose())?;
    save(&tls.certificate, &pair.certificate)?;
    let made = Made {
        names: names.to_vec(),
        at: now,
    };
    let text = serde_json::to_string(&made).map_err(|e| file(&kept)(e.into()))?;
    save(&kept, &text)?;
    Ok(tls)
}

/// The authority that is there, or a fresh one.
fn authority(folder: &Path) -> Result<Pair, Error> {
    let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    let read = |path: &PathBuf| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(path)(error)),
    };
    // The certificate is written last: with it there is a key.
    if let (Some(certificate), Some(key)) = (read(&certificate)?, read(&key)?) {
        return Ok(Pair {
            certificate,
            key: Secret::new(key),
        });
    }
    let pair = bramble_keys::authority("Bramble")?;
    save(&key, pair.key.expose())?;
    save(&certificate, &pair.certificate)?;
    Ok(pair)
}

fn save(path: &Path, text: &str) -> Result<(), Error> {
    files::write(path, text).map_err(file(path))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}
