//! A bundle copied from a web server that has one.

use std::collections::BTreeMap;
use std::path::Path;

use bramble_spec::cluster::{Arch, Version};
use futures::future::BoxFuture;
use reqwest::Url;

use crate::Error;
use crate::bundle::{Bundle, Writer, parse_index};
use crate::event::{Phase, Sink};
use crate::fetch::{Fetch, Patience, in_parallel, join};
use crate::files::blocking;

/// Copies the bundle at `base`. `archs`: which ones to copy; empty: all.
pub(crate) async fn build(
    base: &Url,
    patience: Patience,
    version: Version,
    archs: &[Arch],
    dir: &Path,
    events: Sink<'_>,
) -> Result<Bundle, Error> {
    let fetch = Fetch::new(patience, events)?;
    let phase = Phase::begin(events, "index", 1, 2);
    let url = join(base, "bundle.json")?;
    let (text, _) = fetch.get(&url, None, None).await?;
    let mut index = parse_index(&text, url.as_str())?;
    let invalid = |problem| Error::Invalid {
        place: url.to_string(),
        problem,
    };
    if index.kubernetes != version {
        return Err(invalid(format!(
            "the bundle there is Kubernetes {}, not {version}",
            index.kubernetes
        )));
    }
    if !archs.is_empty() {
        if let Some(absent) = archs.iter().find(|a| !index.archs.contains(a)) {
            return Err(invalid(format!(
                "the bundle there has nothing for {}",
                absent.as_str()
            )));
        }
        index.archs.retain(|a| archs.contains(a));
        index.artefacts.retain(|a| archs.contains(&a.arch()));
    }
    phase.done();
    let phase = Phase::begin(events, "downloads", 2, 2);
    let writer = Writer::new(dir)?;
    let wanted: BTreeMap<String, String> = index
        .artefacts
        .iter()
        .map(|a| (a.sha256().to_owned(), a.name().to_owned()))
        .collect();
    let mut places = Vec::new();
    for (hash, name) in wanted {
        let url = join(base, &format!("blobs/sha256/{hash}"))?;
        let to = writer.blob_path(&hash);
        places.push((name, url, hash, to));
    }
    let mut jobs: Vec<BoxFuture<'_, _>> = Vec::new();
    for (name, url, hash, to) in &places {
        jobs.push(Box::pin(fetch.download(name, url, None, hash, to)));
    }
    in_parallel(jobs).await?;
    let bundle = blocking("writing the bundle", move || writer.finish(&index)).await?;
    phase.done();
    Ok(bundle)
}
