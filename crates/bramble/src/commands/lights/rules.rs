//! `bramble lights rules`.

use super::load;
use crate::error::CliError;
use crate::printer::Printer;
use bramble_lights::file::{DEFAULT, schema};
use serde_json::json;
use std::path::Path;

/// Prints the default rules or their schema, or checks a file.
pub fn run(check: Option<&Path>, with_schema: bool, printer: &Printer) -> Result<(), CliError> {
    if with_schema {
        printer.value(&schema());
        return Ok(());
    }
    let Some(path) = check else {
        match printer.json() {
            true => printer.value(&json!({ "file": DEFAULT })),
            false => printer.raw(DEFAULT),
        }
        return Ok(());
    };
    let rules = load(path, printer)?;
    let (table, alive) = (rules.table.len(), rules.alive.len());
    let file = path.display().to_string();
    match printer.json() {
        true => printer.value(&json!({ "file": file, "rules": table, "alive": alive })),
        false => printer.out(format!("{file} is right: {table} rules in all")),
    }
    Ok(())
}
