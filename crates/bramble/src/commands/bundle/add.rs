//! `bramble bundle add`: an image from a file, beside those that a bundle was made with.

use crate::args::{Global, ImageFor};
use crate::error::CliError;
use crate::printer::{Printer, Style};
use bramble_bundle::ImageRole;
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
    let bundle = super::named_or_used(global, dir, printer)?;
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
