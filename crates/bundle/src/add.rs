//! Images from files, beside those that a bundle was made with.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bramble_spec::cluster::Arch;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::archive::{Blob, Document, ImageArchive};
use crate::bundle::{Bundle, Writer};
use crate::index::{Artefact, Image, ImageName, ImageRole, Index};
use crate::oci;
use crate::registry::LISTS;

/// What of an image's configuration says where it runs.
#[derive(Deserialize)]
struct Config {
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Deserialize)]
struct Part {
    digest: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Part,
    layers: Vec<Part>,
}

/// Adds the image of a file to a bundle, for each of the bundle's architectures that the file has it for. One of
/// the same name is replaced. `name`: what it shall be called; by default as the file calls it. Gives the bundle as
/// it is then, and what was added.
///
/// # Errors
/// The file holds no image, or none for the bundle's architectures, or nobody says its name; another program
/// writes to the bundle.
pub fn add_image(
    bundle: &Bundle,
    file: &Path,
    name: Option<&str>,
    roles: ImageRole,
) -> Result<(Bundle, Vec<Image>), Error> {
    let archive = ImageArchive::open(file)?;
    let name = name.or(archive.name()).ok_or_else(|| {
        Error::Request(format!("{} does not say what it is called", file.display()))
    })?;
    let reference = ImageName::of(name).to_string();
    let writer = Writer::new(bundle.dir())?;
    // Another program may have written to it since it was opened.
    let index = Bundle::open(bundle.dir())?.index().clone();
    let scratch = tempfile::tempdir_in(bundle.dir()).map_err(Error::io("write", bundle.dir()))?;
    let mut added = Vec::new();
    let mut others = Vec::new();
    let manifests = archive.documents.iter();
    for document in manifests.filter(|d| !LISTS.contains(&d.kind.as_str())) {
        let place = file.display().to_string();
        let manifest: Manifest =
            serde_json::from_slice(&document.bytes).map_err(Error::json(&place))?;
        let config = read(&archive, &manifest.config.digest)?;
        let Config { architecture, os } =
            serde_json::from_slice(&config).map_err(Error::json(&place))?;
        let mut archs = index.archs.iter().filter(|_| os == "linux");
        let fits = archs.find(|a| a.as_str() == architecture);
        let Some(arch) = fits.filter(|arch| added.iter().all(|i: &Image| i.arch != **arch)) else {
            others.push(format!("{os}/{architecture}"));
            continue;
        };
        let tar = scratch.path().join("image.tar");
        let wanted = Wanted {
            reference: &reference,
            arch: *arch,
            document,
            config: &config,
        };
        let image_digest = wanted.write(&archive, &manifest, &tar)?;
        let (sha256, size) = writer.add_file(&tar)?;
        added.push(Image {
            reference: reference.clone(),
            arch: *arch,
            roles,
            sha256,
            size,
            image_digest,
        });
    }
    if added.is_empty() {
        let has = index.archs.iter().map(|a| format!("linux/{}", a.as_str()));
        let has: Vec<String> = has.collect();
        return Err(Error::Request(format!(
            "{} is for {}, and the bundle for {}",
            file.display(),
            others.join(", "),
            has.join(", ")
        )));
    }
    let replaced = |a: &Artefact| matches!(a, Artefact::Image(i) if i.reference == reference && added.iter().any(|n| n.arch == i.arch));
    let mut artefacts = index.artefacts;
    artefacts.retain(|a| !replaced(a));
    artefacts.extend(added.iter().cloned().map(Artefact::Image));
    let index = Index::new(index.kubernetes, index.source, index.archs, artefacts);
    Ok((writer.finish(&index)?, added))
}

/// An image for one architecture.
struct Wanted<'a> {
    reference: &'a str,
    arch: Arch,
    document: &'a Document,
    config: &'a [u8],
}

impl Wanted<'_> {
    /// Writes its tar; gives the manifest's digest.
    fn write(
        &self,
        archive: &ImageArchive,
        manifest: &Manifest,
        tar: &Path,
    ) -> Result<String, Error> {
        let folder = tar.parent().unwrap_or(Path::new("."));
        let mut layers: Vec<(String, PathBuf)> = Vec::new();
        for layer in &manifest.layers {
            let hash = layer.digest.trim_start_matches("sha256:").to_owned();
            let path = folder.join(format!("{}.layer", layers.len()));
            extract(archive, &layer.digest, &path)?;
            layers.push((hash, path));
        }
        oci::write_layout(
            tar,
            self.reference,
            self.arch,
            &self.document.kind,
            &self.document.bytes,
            self.config,
            &layers,
        )
    }
}

fn blob<'a>(archive: &'a ImageArchive, digest: &str) -> Result<&'a Blob, Error> {
    let mut blobs = archive.blobs.iter();
    blobs
        .find(|b| b.digest == digest)
        .ok_or_else(|| Error::Invalid {
            place: archive.path.display().to_string(),
            problem: format!("it lacks {digest}"),
        })
}

/// A part of the archive, from its begin.
fn part(archive: &ImageArchive, digest: &str) -> Result<impl Read, Error> {
    let blob = blob(archive, digest)?;
    let mut file = File::open(&archive.path).map_err(Error::io("open", &archive.path))?;
    file.seek(SeekFrom::Start(blob.at))
        .map_err(Error::io("read", &archive.path))?;
    Ok(file.take(blob.size))
}

fn damaged(archive: &ImageArchive, digest: &str) -> Error {
    Error::Invalid {
        place: archive.path.display().to_string(),
        problem: format!("{digest} is damaged: its content has another digest"),
    }
}

/// A small part, whole.
fn read(archive: &ImageArchive, digest: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    part(archive, digest)?
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", &archive.path))?;
    match format!("sha256:{}", hex::encode(Sha256::digest(&bytes))) == digest {
        true => Ok(bytes),
        false => Err(damaged(archive, digest)),
    }
}

/// Writes a part to a file of its own.
fn extract(archive: &ImageArchive, digest: &str, to: &Path) -> Result<(), Error> {
    let mut from = part(archive, digest)?;
    let mut file = File::create(to).map_err(Error::io("create", to))?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        let read = from
            .read(&mut piece)
            .map_err(Error::io("read", &archive.path))?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
        file.write_all(&piece[..read])
            .map_err(Error::io("write", to))?;
    }
    match format!("sha256:{}", hex::encode(hash.finalize())) == digest {
        true => Ok(()),
        false => Err(damaged(archive, digest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Origin;
    use crate::oci::{Layer, Start, write_image};
    use bramble_spec::cluster::Version;

    const KUBE_VIP: &str = "ghcr.io/kube-vip/kube-vip:v1.2.3";

    fn bundle(dir: &Path) -> Bundle {
        let origin = Origin {
            kind: "debian".into(),
            detail: String::new(),
            key: "k".into(),
        };
        let version = Version {
            major: 1,
            minor: 20,
            patch: 2,
        };
        let index = Index::new(version, origin, vec![Arch::Amd64], Vec::new());
        Writer::new(dir).unwrap().finish(&index).unwrap()
    }

    fn image(dir: &Path, arch: Arch, said: &str) -> PathBuf {
        let path = dir.join(format!("{}-{said}.tar", arch.as_str()));
        let mut layer = Layer::default();
        layer.bytes("said", said.as_bytes(), 0o644);
        write_image(&path, KUBE_VIP, arch, &layer, &Start::default()).unwrap();
        path
    }

    #[test]
    fn an_image_is_added_under_its_name_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = bundle(&dir.path().join("bundle"));
        let first = image(dir.path(), Arch::Amd64, "first");
        let (bundle, added) = add_image(&bundle, &first, None, ImageRole::ControlPlane).unwrap();
        assert_eq!(added.len(), 1);
        assert_eq!(added[0].reference, KUBE_VIP);
        assert!(bundle.index().has_image("kube-vip"));
        assert!(bundle.verify(|_, _| {}).unwrap().is_sound());
        let copy = ImageArchive::open(&bundle.blob_path(&added[0].sha256)).unwrap();
        assert_eq!(copy.digest(), ImageArchive::open(&first).unwrap().digest());

        let second = image(dir.path(), Arch::Amd64, "second");
        let (bundle, _) = add_image(&bundle, &second, None, ImageRole::All).unwrap();
        assert_eq!(bundle.index().artefacts.len(), 1);
        let report = bundle.verify(|_, _| {}).unwrap();
        assert!(
            report.is_sound() && report.superfluous.is_empty(),
            "{report:?}"
        );
        let named = add_image(&bundle, &first, Some("web:1"), ImageRole::All).unwrap();
        assert_eq!(named.1[0].reference, "docker.io/library/web:1");
        assert_eq!(named.0.index().artefacts.len(), 2);
    }

    /// The image as Docker saves it where it keeps images as containerd does: the list of all processors, and what
    /// was pulled of it. `os` for each that is there.
    fn listed(dir: &Path, all_os: &[&str], missing: bool) -> PathBuf {
        let one = ImageArchive::open(&image(dir, Arch::Amd64, "listed")).unwrap();
        let mut blobs: Vec<(String, Vec<u8>)> = Vec::new();
        let mut put = |bytes: Vec<u8>| {
            let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
            blobs.push((digest.clone(), bytes));
            digest
        };
        let manifest: serde_json::Value = serde_json::from_slice(&one.documents[0].bytes).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        put(read(&one, layer).unwrap());
        let mut entries = Vec::new();
        for os in all_os {
            let config = serde_json::json!({ "architecture": "amd64", "os": os });
            let mut manifest = manifest.clone();
            manifest["config"]["digest"] = put(config.to_string().into_bytes()).into();
            let digest = put(manifest.to_string().into_bytes());
            entries.push(serde_json::json!({ "mediaType": oci::MANIFEST_TYPE, "digest": digest }));
        }
        if missing {
            let digest = format!("sha256:{}", "0".repeat(64));
            entries.push(serde_json::json!({ "mediaType": oci::MANIFEST_TYPE, "digest": digest }));
        }
        let list = serde_json::json!({ "schemaVersion": 2, "manifests": entries });
        let digest = put(list.to_string().into_bytes());
        let top = serde_json::json!({ "manifests": [{
            "mediaType": oci::INDEX_TYPE, "digest": digest,
            "annotations": { "io.containerd.image.name": KUBE_VIP },
        }] });
        let path = dir.join("listed.tar");
        let mut tar = tar::Builder::new(File::create(&path).unwrap());
        let mut append = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes).unwrap();
        };
        append("index.json", top.to_string().as_bytes());
        for (digest, bytes) in &blobs {
            append(&format!("blobs/{}", digest.replacen(':', "/", 1)), bytes);
        }
        tar.finish().unwrap();
        path
    }

    #[test]
    fn of_a_list_that_is_there_in_part_what_is_there_is_added() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = bundle(&dir.path().join("bundle"));
        let file = listed(dir.path(), &["linux"], true);
        let (bundle, added) = add_image(&bundle, &file, None, ImageRole::All).unwrap();
        assert_eq!((added.len(), added[0].reference.as_str()), (1, KUBE_VIP));
        assert!(bundle.verify(|_, _| {}).unwrap().is_sound());
    }

    #[test]
    fn of_several_systems_linux_is_added() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = bundle(&dir.path().join("bundle"));
        let file = listed(dir.path(), &["windows", "linux"], false);
        let (bundle, added) = add_image(&bundle, &file, None, ImageRole::All).unwrap();
        assert_eq!(added.len(), 1);
        assert_eq!(bundle.index().artefacts.len(), 1);
    }

    #[test]
    fn what_the_bundle_has_no_machines_for_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = bundle(&dir.path().join("bundle"));
        let arm = image(dir.path(), Arch::Arm64, "arm");
        let refused = add_image(&bundle, &arm, None, ImageRole::All).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("is for linux/arm64, and the bundle for linux/amd64")
        );
        assert!(
            Bundle::open(bundle.dir())
                .unwrap()
                .index()
                .artefacts
                .is_empty()
        );
    }
}
