//! `bramble bundle add`: an image from a file, beside those that a bundle was made with.

use crate::args::{Global, ImageFor};
use crate::bundles;
use crate::context::load_file;
use crate::error::CliError;
use crate::printer::{Printer, Style};
use bramble_bundle::{Bundle, ImageRole};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Adds.
pub fn run(
    global: &Global,
    file: &Path,
    name: Option<&str>,
    wanted: ImageFor,
    dir: Option<PathBuf>,
    printer: &Printer,
) -> Result<(), CliError> {
    let bundle = bundle(global, dir, printer)?;
    let roles = match wanted {
        ImageFor::All => ImageRole::All,
        ImageFor::ControlPlane => ImageRole::ControlPlane,
    };
    let (bundle, added) =
        bramble_bundle::add_image(&bundle, file, name, roles).map_err(super::explain)?;
    if printer.json() {
        printer.value(&json!({ "bundle": bundle.dir(), "added": added }));
        return Ok(());
    }
    for image in &added {
        let (arch, size) = (image.arch.as_str(), super::size(image.size));
        printer.out(printer.paint(
            Style::Green,
            format!(
                "{} holds {} ({arch}, {size})",
                bundle.dir().display(),
                image.reference
            ),
        ));
    }
    Ok(())
}

/// The named bundle, or the one that the cluster uses.
fn bundle(global: &Global, dir: Option<PathBuf>, printer: &Printer) -> Result<Bundle, CliError> {
    if let Some(dir) = dir.or_else(|| global.bundle.clone()) {
        return Bundle::open(&dir).map_err(super::explain);
    }
    let cluster = load_file(&global.file, printer)?;
    let found = bundles::find(&cluster, None)?;
    found.bundle.ok_or_else(|| {
        let version = cluster.kubernetes.version;
        let what = format!("there is no bundle of Kubernetes {version} on this computer");
        CliError::failed(bundles::with_broken(what, &found.broken))
            .hint("name one: --dir DIR; `bramble bundle list` shows which there are")
    })
}
