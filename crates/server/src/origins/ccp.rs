//! Clusters of Cisco Container Platform: `bramble ccp` orders them, see docs/ccp.md.

use super::Error;
use bramble_store::record::Template;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// What names a file; the daemon has those of its own folder of secrets alone.
const FILES: [&str; 2] = ["passwordFile", "caFile"];

/// What belongs to one computer, and not to a template.
const NOT_HERE: [&str; 2] = ["templateFile", "kubeconfig"];

/// Where the kubeconfig of such a cluster is, below the daemon's folder: all of its runs have it at the same place.
pub(crate) fn kubeconfig(data: &Path, cluster: &str) -> PathBuf {
    data.join("clusters").join(cluster).join("kubeconfig")
}

/// The file that orders a cluster after a template, in YAML, for a daemon with that folder.
pub(crate) fn compose(name: &str, template: &Template, data: &Path) -> Result<String, Error> {
    let mut spec = template.spec.clone();
    for key in NOT_HERE {
        if spec.contains_key(key) {
            return Err(Error::Template(format!(
                "spec.{key} is not for the daemon; `template` holds the platform's template itself"
            )));
        }
    }
    for key in FILES {
        own(&mut spec, key, &data.join("secrets"))?;
    }
    spec.insert("kubeconfig".into(), json!(kubeconfig(data, name)));
    let file = json!({
        "apiVersion": bramble_spec::file::API_VERSION,
        "kind": "CcpCluster",
        "metadata": { "name": name },
        "spec": spec,
    });
    let text = serde_saphyr::to_string(&file).map_err(|e| Error::Template(e.to_string()))?;
    bramble_ccp::File::parse(&text).map_err(|e| Error::Template(e.to_string()))?;
    Ok(text)
}

/// A name becomes the path of a file among the daemon's secrets: a template can't name any other.
fn own(spec: &mut Map<String, Value>, key: &str, secrets: &Path) -> Result<(), Error> {
    let Some(named) = spec.get(key) else {
        return Ok(());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match named.as_str() {
        Some(name) if !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) => {
            let path = secrets.join(name);
            spec.insert(key.into(), json!(path));
            Ok(())
        }
        _ => Err(Error::Template(format!(
            "spec.{key} must be the plain name of a file in {}",
            secrets.display()
        ))),
    }
}
