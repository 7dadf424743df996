//! Container images as an OCI image layout in a tar, the form that `ctr images import` reads.
//!
//! Format: OCI image layout and image manifest specifications 1.0. Everything is written with time 0,
//! owner 0 and in sorted order, so that the same content gives the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bramble_spec::cluster::Arch;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::files::sha256_hex;

pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// The files of an image, by path without a leading slash.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug)]
enum Entry {
    Dir(u32),
    Bytes(Vec<u8>, u32),
    File(PathBuf, u32),
    Link(PathBuf),
}

impl Layer {
    fn insert(&mut self, path: &str, entry: Entry) {
        let path = Path::new(path.trim_start_matches('/'));
        for dir in path
            .ancestors()
            .skip(1)
            .filter(|d| !d.as_os_str().is_empty())
        {
            // A folder may already be there as a symbolic link; it stays one.
            self.entries.entry(dir.into()).or_insert(Entry::Dir(0o755));
        }
        self.entries.insert(path.into(), entry);
    }

    pub(crate) fn dir(&mut self, path: &str, mode: u32) -> &mut Self {
        self.insert(path, Entry::Dir(mode));
        self
    }

    pub(crate) fn bytes(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: u32,
    ) -> &mut Self {
        self.insert(path, Entry::Bytes(content.into(), mode));
        self
    }

    pub(crate) fn file(&mut self, path: &str, from: &Path, mode: u32) -> &mut Self {
        self.insert(path, Entry::File(from.into(), mode));
        self
    }

    pub(crate) fn link(&mut self, path: &str, target: impl Into<PathBuf>) -> &mut Self {
        self.insert(path, Entry::Link(target.into()));
        self
    }

    /// Adds everything below a folder whose path (relative to it) `keep` accepts.
    pub(crate) fn tree(&mut self, root: &Path, keep: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        let mut todo = vec![PathBuf::new()];
        while let Some(below) = todo.pop() {
            let dir = root.join(&below);
            for entry in std::fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
                let entry = entry.map_err(Error::io("list", &dir))?;
                let path = entry.path();
                let name = below.join(entry.file_name());
                let Some(text) = name.to_str().map(str::to_owned) else {
                    continue;
                };
                if !keep(&text) {
                    continue;
                }
                let meta = path.symlink_metadata().map_err(Error::io("read", &path))?;
                if meta.is_dir() {
                    todo.push(name);
                } else if meta.is_symlink() {
                    let target = std::fs::read_link(&path).map_err(Error::io("read", &path))?;
                    self.link(&text, target);
                } else if meta.is_file() {
                    self.file(&text, &path, meta.permissions().mode() & 0o777);
                }
            }
        }
        Ok(())
    }

    /// Writes the layer; returns its digest and size.
    fn write(&self, to: &Path) -> Result<(String, u64), Error> {
        let file = File::create(to).map_err(Error::io("create", to))?;
        let fail = |e| Error::io("write", to)(e);
        let mut out = tar::Builder::new(Hashing::new(std::io::BufWriter::new(file)));
        for (path, entry) in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            match entry {
                Entry::Dir(mode) => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(*mode);
                    let mut name = path.clone().into_os_string();
                    name.push("/");
                    out.append_data(&mut header, name, std::io::empty())
                        .map_err(fail)?;
                }
                Entry::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    out.append_link(&mut header, path, target).map_err(fail)?;
                }
                Entry::Bytes(content, mode) => {
                    header.set_mode(*mode);
                    header.set_size(content.len() as u64);
                    out.append_data(&mut header, path, content.as_slice())
                        .map_err(fail)?;
                }
                Entry::File(from, mode) => {
                    let source = File::open(from).map_err(Error::io("open", from))?;
                    let size = source.metadata().map_err(Error::io("read", from))?.len();
                    header.set_mode(*mode);
                    header.set_size(size);
                    out.append_data(&mut header, path, source).map_err(fail)?;
                }
            }
        }
        let mut out = out.into_inner().map_err(fail)?;
        out.flush().map_err(fail)?;
        Ok(out.finish())
    }
}

/// How the image is started.
#[derive(Debug, Default, Clone)]
pub(crate) struct Start {
    pub entrypoint: Vec<String>,
    /// `NAME=value`, beside `PATH`.
    pub env: Vec<String>,
    pub ports: Vec<u16>,
}

/// Writes a one-layer image; returns the manifest's digest (`sha256:...`).
pub(crate) fn write_image(
    to: &Path,
    reference: &str,
    arch: Arch,
    layer: &Layer,
    start: &Start,
) -> Result<String, Error> {
    let dir = to.parent().unwrap_or(Path::new("."));
    let scratch =
        tempfile::NamedTempFile::new_in(dir).map_err(Error::io("create a file in", dir))?;
    let (layer_hash, layer_size) = layer.write(scratch.path())?;
    let ports: serde_json::Map<String, Value> = start
        .ports
        .iter()
        .map(|p| (format!("{p}/tcp"), json!({})))
        .collect();
    let mut env =
        vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()];
    env.extend(start.env.iter().cloned());
    let config = json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": arch.as_str(),
        "os": "linux",
        "config": {
            "Env": env,
            "Entrypoint": start.entrypoint,
            "ExposedPorts": ports,
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_hash}")] },
    })
    .to_string()
    .into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "digest": format!("sha256:{}", sha256_hex(&config)),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": LAYER_TYPE,
            "digest": format!("sha256:{layer_hash}"),
            "size": layer_size,
        }],
    })
    .to_string()
    .into_bytes();
    let layers = [(layer_hash, scratch.path().to_owned())];
    write_layout(
        to,
        reference,
        arch,
        MANIFEST_TYPE,
        &manifest,
        &config,
        &layers,
    )
}

/// Writes the layout's tar from a manifest (kept byte for byte, so that its digest stays), its configuration
/// and its layers (hexadecimal hash and file). Returns the manifest's digest.
pub(crate) fn write_layout(
    to: &Path,
    reference: &str,
    arch: Arch,
    manifest_type: &str,
    manifest: &[u8],
    config: &[u8],
    layers: &[(String, PathBuf)],
) -> Result<String, Error> {
    let digest = sha256_hex(manifest);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [{
            "mediaType": manifest_type,
            "digest": format!("sha256:{digest}"),
            "size": manifest.len(),
            "platform": { "architecture": arch.as_str(), "os": "linux" },
            "annotations": {
                "io.containerd.image.name": reference,
                "org.opencontainers.image.ref.name": reference.rsplit(':').next().unwrap_or(reference),
            },
        }],
    })
    .to_string();
    enum Part<'a> {
        Bytes(&'a [u8]),
        File(&'a Path),
    }
    // The order in which a reader wants them: the small documents before the layers.
    let mut parts = vec![
        (
            "oci-layout".to_owned(),
            Part::Bytes(br#"{"imageLayoutVersion":"1.0.0"}"#),
        ),
        ("index.json".to_owned(), Part::Bytes(index.as_bytes())),
        (format!("blobs/sha256/{digest}"), Part::Bytes(manifest)),
        (
            format!("blobs/sha256/{}", sha256_hex(config)),
            Part::Bytes(config),
        ),
    ];
    for (hash, path) in layers {
        let name = format!("blobs/sha256/{hash}");
        // An image may use the same (usually empty) layer twice.
        if parts.iter().all(|(n, _)| *n != name) {
            parts.push((name, Part::File(path)));
        }
    }
    let file = File::create(to).map_err(Error::io("create", to))?;
    let fail = |e| Error::io("write", to)(e);
    let mut out = tar::Builder::new(std::io::BufWriter::new(file));
    for (name, part) in parts {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(0o644);
        match part {
            Part::Bytes(bytes) => {
                header.set_size(bytes.len() as u64);
                out.append_data(&mut header, name, bytes).map_err(fail)?;
            }
            Part::File(path) => {
                let source = File::open(path).map_err(Error::io("open", path))?;
                header.set_size(source.metadata().map_err(Error::io("read", path))?.len());
                out.append_data(&mut header, name, source.take(u64::MAX))
                    .map_err(fail)?;
            }
        }
    }
    let mut out = out.into_inner().map_err(fail)?;
    out.flush()
        .and_then(|()| out.get_ref().sync_all())
        .map_err(fail)?;
    Ok(format!("sha256:{digest}"))
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Hashing {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }

    fn finish(self) -> (String, u64) {
        (hex::encode(self.hash.finalize()), self.size)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_gives_the_same_bytes_whatever_the_order() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        std::fs::write(&source, "program").unwrap();
        let write = |name: &str, layer: &Layer| {
            let to = dir.path().join(name);
            let digest =
                write_image(&to, "r.example/x:1", Arch::Amd64, layer, &Start::default()).unwrap();
            (digest, std::fs::read(to).unwrap())
        };
        let mut one = Layer::default();
        one.file("usr/bin/x", &source, 0o755)
            .link("bin", "usr/bin")
            .bytes("etc/y", "y", 0o644);
        let mut two = Layer::default();
        two.bytes("etc/y", "y", 0o644)
            .link("bin", "usr/bin")
            .file("usr/bin/x", &source, 0o755);
        assert_eq!(write("one", &one), write("two", &two));
        two.bytes("etc/y", "z", 0o644);
        assert_ne!(write("one", &one).0, write("two", &two).0);
    }
}
