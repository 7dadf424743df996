//! An image in a tar, as it lies on the disk: what there is to push, and where in the file it stands.
//!
//! Formats: OCI image layout 1.0 (what bundles hold, `skopeo copy ... oci-archive:`, newer
//! `docker save`), and Docker's own (`docker save`, `podman save`), of which an OCI manifest is made.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use crate::Error;
use crate::files::sha256_hex;
use crate::oci::{CONFIG_TYPE, INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE};
use crate::registry::{LISTS, MANIFESTS};

/// Manifests and configurations are small.
const SMALL: u64 = 4 << 20;

/// An image in a tar.
#[derive(Debug, Clone)]
pub struct ImageArchive {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its own name, if it has one.
    name: Option<String>,
    /// Manifests, those that others name before these; the last one is the image.
    pub(crate) documents: Vec<Document>,
    /// Configurations and layers, each once.
    pub(crate) blobs: Vec<Blob>,
}

/// A manifest, or a list of manifests.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub digest: String,
    pub kind: String,
    pub bytes: Vec<u8>,
}

/// A part of the image, and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub digest: String,
    pub at: u64,
    pub size: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct List {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// An entry of Docker's `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// What stands where in the tar.
struct Contents<'p> {
    path: &'p Path,
    file: File,
    /// Path in the tar → place and size.
    files: BTreeMap<String, (u64, u64)>,
    /// Path in the tar → what it points to.
    links: BTreeMap<String, String>,
}

impl ImageArchive {
    /// Reads what is in a tar; its layers stay where they are.
    ///
    /// # Errors
    /// When it is no image, holds more than one, or lacks a part.
    pub fn open(path: &Path) -> Result<ImageArchive, Error> {
        let contents = Contents::read(path)?;
        if contents.files.contains_key("index.json") {
            return contents.layout();
        }
        if contents.files.contains_key("manifest.json") {
            return contents.saved();
        }
        Err(contents.wrong("it holds neither index.json nor manifest.json: is it an image? (docker save, podman save, skopeo copy ... oci-archive:)"))
    }

    /// Its own name: `registry.example/web:1`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The digest of its manifest, or of its list of manifests.
    pub fn digest(&self) -> &str {
        self.documents.last().map_or("", |d| d.digest.as_str())
    }
}

impl<'p> Contents<'p> {
    fn read(path: &'p Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let mut magic = [0; 2];
        let packed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        file.rewind().map_err(Error::io("read", path))?;
        let mut out = Contents {
            path,
            file,
            files: BTreeMap::new(),
            links: BTreeMap::new(),
        };
        if packed {
            return Err(out.wrong("it is compressed: unpack it first (gunzip)"));
        }
        let handle = out.file.try_clone().map_err(Error::io("read", path))?;
        let mut tar = tar::Archive::new(handle);
        for entry in tar.entries_with_seek().map_err(Error::io("read", path))? {
            let entry =
                entry.map_err(|e| out.wrong(format!("it is no tar, or was cut off: {e}")))?;
            let name = entry.path().map_err(Error::io("read", path))?;
            let name = name.to_string_lossy().trim_start_matches("./").to_owned();
            let kind = entry.header().entry_type();
            if kind.is_file() {
                let place = (entry.raw_file_position(), entry.size());
                out.files.insert(name, place);
            } else if kind.is_symlink()
                && let Ok(Some(target)) = entry.link_name()
            {
                out.links
                    .insert(name, target.to_string_lossy().into_owned());
            }
        }
        Ok(out)
    }

    fn wrong(&self, problem: impl Into<String>) -> Error {
        Error::Invalid {
            place: self.path.display().to_string(),
            problem: problem.into(),
        }
    }

    /// The place of a file, of which a link may be the name.
    fn place(&self, name: &str) -> Result<(u64, u64), Error> {
        let linked = self.links.get(name).map(|target| beside(name, target));
        let found = self.files.get(linked.as_deref().unwrap_or(name));
        found
            .copied()
            .ok_or_else(|| self.wrong(format!("it lacks {name}")))
    }

    fn small(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        let (at, size) = self.place(name)?;
        if size > SMALL {
            return Err(self.wrong(format!("{name} is larger than any manifest")));
        }
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| (&mut self.file).take(size).read_to_end(&mut bytes))
            .map_err(Error::io("read", self.path))?;
        Ok(bytes)
    }

    fn json<T: for<'d> Deserialize<'d>>(&self, name: &str, bytes: &[u8]) -> Result<T, Error> {
        let place = format!("{}: {name}", self.path.display());
        serde_json::from_slice(bytes).map_err(Error::json(place))
    }

    /// An OCI image layout.
    fn layout(mut self) -> Result<ImageArchive, Error> {
        let bytes = self.small("index.json")?;
        let List { manifests } = self.json("index.json", &bytes)?;
        let [top] = manifests.as_slice() else {
            return Err(self.wrong(format!(
                "it holds {} images, and one is wanted",
                manifests.len()
            )));
        };
        let mut out = ImageArchive {
            path: self.path.to_owned(),
            name: own_name(&top.annotations),
            documents: Vec::new(),
            blobs: Vec::new(),
        };
        self.document(top, &mut out)?;
        Ok(out)
    }

    /// A manifest with all that it names, or a list with all of its manifests.
    fn document(&mut self, of: &Descriptor, out: &mut ImageArchive) -> Result<(), Error> {
        let name = blob_path(&of.digest);
        let bytes = self.small(&name)?;
        if format!("sha256:{}", sha256_hex(&bytes)) != of.digest {
            return Err(self.wrong(format!("{name} is damaged: its content has another digest")));
        }
        if LISTS.contains(&of.media_type.as_str()) {
            let list: List = self.json(&name, &bytes)?;
            let here = |d: &&Descriptor| self.files.contains_key(&blob_path(&d.digest));
            let (there, missing): (Vec<_>, Vec<_>) = list.manifests.iter().partition(here);
            if let ([only], false) = (there.as_slice(), missing.is_empty()) {
                // Of an image for many processors Docker saves the whole list, and what it has pulled of it.
                return self.document(only, out);
            }
            for manifest in &list.manifests {
                self.document(manifest, out)?;
            }
        } else if MANIFESTS.contains(&of.media_type.as_str()) {
            let manifest: Manifest = self.json(&name, &bytes)?;
            for part in manifest.layers.iter().chain([&manifest.config]) {
                let (at, size) = self.place(&blob_path(&part.digest))?;
                let digest = part.digest.clone();
                let blob = Blob { digest, at, size };
                if !out.blobs.contains(&blob) {
                    out.blobs.push(blob);
                }
            }
        } else {
            let kind = &of.media_type;
            return Err(self.wrong(format!("{name} is a {kind:?}, no image")));
        }
        out.documents.push(Document {
            digest: of.digest.clone(),
            kind: of.media_type.clone(),
            bytes,
        });
        Ok(())
    }

    /// What `docker save` writes: a manifest is made of it.
    fn saved(mut self) -> Result<ImageArchive, Error> {
        let bytes = self.small("manifest.json")?;
        let all: Vec<Saved> = self.json("manifest.json", &bytes)?;
        let [saved] = all.as_slice() else {
            return Err(self.wrong(format!("it holds {} images, and one is wanted", all.len())));
        };
        let mut blobs: Vec<Blob> = Vec::new();
        let mut layers = Vec::new();
        for layer in &saved.layers {
            let blob = self.hashed(layer)?;
            let packed = if self.packed(&blob)? { "+gzip" } else { "" };
            layers.push(json!({
                "mediaType": format!("{LAYER_TYPE}{packed}"), "digest": blob.digest, "size": blob.size,
            }));
            if !blobs.contains(&blob) {
                blobs.push(blob);
            }
        }
        let config = self.hashed(&saved.config)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": { "mediaType": CONFIG_TYPE, "digest": config.digest, "size": config.size },
            "layers": layers,
        });
        blobs.push(config);
        let bytes = manifest.to_string().into_bytes();
        let mut names = saved.repo_tags.iter().flatten();
        Ok(ImageArchive {
            path: self.path.to_owned(),
            name: names.next().cloned(),
            documents: vec![Document {
                digest: format!("sha256:{}", sha256_hex(&bytes)),
                kind: MANIFEST_TYPE.to_owned(),
                bytes,
            }],
            blobs,
        })
    }

    fn hashed(&mut self, name: &str) -> Result<Blob, Error> {
        use sha2::Digest;
        let (at, size) = self.place(name)?;
        let mut hash = sha2::Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut rest = (&mut self.file).take(size);
        rest.get_mut()
            .seek(SeekFrom::Start(at))
            .map_err(Error::io("read", self.path))?;
        loop {
            let n = rest
                .read(&mut buffer)
                .map_err(Error::io("read", self.path))?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
        }
        let digest = format!("sha256:{}", hex::encode(hash.finalize()));
        Ok(Blob { digest, at, size })
    }

    fn packed(&mut self, blob: &Blob) -> Result<bool, Error> {
        let mut magic = [0; 2];
        self.file
            .seek(SeekFrom::Start(blob.at))
            .map_err(Error::io("read", self.path))?;
        Ok(blob.size > 2 && self.file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b])
    }
}

/// A list of manifests for several processors: descriptions of architecture, media type, digest, size.
pub(crate) fn list_of(manifests: &[(&str, &Document)]) -> Document {
    let entries: Vec<_> = manifests
        .iter()
        .map(|(arch, document)| {
            json!({
                "mediaType": document.kind, "digest": document.digest, "size": document.bytes.len(),
                "platform": { "architecture": arch, "os": "linux" },
            })
        })
        .collect();
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries });
    let bytes = list.to_string().into_bytes();
    Document {
        digest: format!("sha256:{}", sha256_hex(&bytes)),
        kind: INDEX_TYPE.to_owned(),
        bytes,
    }
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// containerd's annotation has the whole name; the specification's may be the tag alone.
fn own_name(annotations: &BTreeMap<String, String>) -> Option<String> {
    let get = |key| annotations.get(key).cloned();
    get("io.containerd.image.name").or_else(|| {
        get("org.opencontainers.image.ref.name").filter(|name| name.contains([':', '/']))
    })
}

/// What a link points to, as a path in the tar.
fn beside(link: &str, target: &str) -> String {
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
