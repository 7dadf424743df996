//! Daemons that this user is logged in at: a file that only they can read.

use crate::context::config_dir;
use crate::error::{CliError, Explain};
use crate::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is known of one daemon.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Known {
    /// The authority that its certificate is from, in PEM; `None` = one of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What lets in.
    pub token: String,
}

type All = BTreeMap<String, Known>;

fn path() -> PathBuf {
    config_dir().join("servers.json")
}

/// An address as it is remembered: `https://host:port`.
pub(super) fn normal(url: &str) -> Result<String, CliError> {
    let wrong = || {
        CliError::usage(format!("{url:?} is no address of a daemon"))
            .hint("such as https://pi.home.arpa:7443")
    };
    let with_scheme = match url.contains("://") {
        true => url.to_owned(),
        false => format!("https://{url}"),
    };
    let parsed = reqwest::Url::parse(&with_scheme).map_err(|_| wrong())?;
    let plain = parsed.path() == "/" && parsed.query().is_none() && parsed.username().is_empty();
    if parsed.scheme() != "https" || parsed.host_str().is_none() || !plain {
        return Err(wrong());
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

fn all() -> Result<All, CliError> {
    let path = path();
    let Some(text) = files::read_secret(&path)? else {
        return Ok(All::new());
    };
    serde_json::from_str(text.expose()).map_err(|e| {
        // What it holds is not repeated.
        let what = format!("{}: line {} is wrong", path.display(), e.line());
        CliError::usage(what).hint("delete the file and log in again")
    })
}

/// What is known of a daemon.
pub(super) fn find(url: &str) -> Result<Option<Known>, CliError> {
    Ok(all()?.remove(url))
}

/// Remembers a daemon, or forgets it. Whether it was known.
pub(super) fn remember(url: &str, known: Option<Known>) -> Result<bool, CliError> {
    let mut all = all()?;
    let was = match known {
        Some(known) => all.insert(url.to_owned(), known),
        None => all.remove(url),
    };
    let path = path();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).explain(format!("can't make {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(&all).explain("no JSON")?;
    files::write(&path, text.as_bytes(), 0o600, true)?;
    Ok(was.is_some())
}

/// The authority that the environment names, in PEM.
pub(super) fn authority_of_environment() -> Result<Option<String>, CliError> {
    match std::env::var_os("BRAMBLE_SERVER_CA") {
        None => Ok(None),
        Some(path) => {
            let path = PathBuf::from(path);
            let text = std::fs::read_to_string(&path);
            text.map(Some)
                .explain(format!("can't read {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn addresses_have_one_form() {
        for text in ["https://pi:7443", "pi:7443", "https://pi:7443/"] {
            assert_eq!(normal(text).expect(text), "https://pi:7443");
        }
        for text in [
            "http://pi:7443",
            "https://",
            "https://pi/api",
            "https://anna@pi",
            "",
        ] {
            assert!(normal(text).is_err(), "{text}");
        }
    }
}
