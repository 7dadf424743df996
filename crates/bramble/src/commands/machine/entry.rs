//! Entries of machines in the cluster file: the rest of the file stays as somebody has written it.

use crate::context::refuse;
use crate::error::{CliError, Explain};
use crate::files;
use crate::printer::Printer;
use bramble_spec::Context;
use bramble_spec::edit::{self, EditError, Edited, NewMachine};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// The file without the entries of machines.
pub fn without(path: &Path, names: &[String], printer: &Printer) -> Result<Edited, CliError> {
    let text = read(path)?;
    let steps = bramble_blueprint::hook_points();
    let context = Context {
        known_steps: &steps,
    };
    let edited = edit::without(&path.display().to_string(), &text, names, &context);
    edited.map_err(|error| {
        let what = format!("can't take {} out of {}", names.join(", "), path.display());
        explain(what, error, printer)
    })
}

/// The file with a new machine.
pub fn with(path: &Path, machine: &NewMachine, printer: &Printer) -> Result<Edited, CliError> {
    let text = read(path)?;
    let steps = bramble_blueprint::hook_points();
    let context = Context {
        known_steps: &steps,
    };
    let edited = edit::with(&path.display().to_string(), &text, machine, &context);
    edited.map_err(|error| {
        let what = format!("can't put {} into {}", machine.name, path.display());
        explain(what, error, printer)
    })
}

/// Writes the file; whose it is and who may read it stays.
pub fn write(path: &Path, edited: &Edited) -> Result<(), CliError> {
    let what = || format!("can't write {}", path.display());
    let before = std::fs::metadata(path).explain(what())?;
    let mode = before.permissions().mode() & 0o777;
    files::write(path, edited.text.as_bytes(), mode, true)?;
    let after = std::fs::metadata(path).explain(what())?;
    if (after.uid(), after.gid()) != (before.uid(), before.gid()) {
        // Only root can give it back; to others it belongs already, or they could write it only by its group.
        let _ = chown(path, Some(before.uid()), Some(before.gid()));
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).explain(format!("can't read {}", path.display()))
}

fn explain(what: String, error: EditError, printer: &Printer) -> CliError {
    match error {
        EditError::Invalid(problems) => {
            let refused = refuse(&problems, printer);
            if !printer.json() {
                printer.warn_raw(&format!(
                    "{what}; the file is as it was, and these are lines of what it would be"
                ));
            }
            refused
        }
        EditError::Form(_) => CliError::usage(format!("{what}: {error}"))
            .hint("change the file by hand, then run `bramble up`, which does the rest"),
        EditError::Moves {
            ref machine,
            key,
            ref old,
            ..
        } => CliError::usage(format!("{what}: {error}")).hint(format!(
            "write `{key}: {old}` into the entry of {machine} first"
        )),
    }
}
