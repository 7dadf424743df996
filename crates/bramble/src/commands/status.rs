//! `bramble status`: machines, nodes, pods, versions, and how far all of it is from the file.

mod look;
mod planes;
mod view;

pub use look::{State, look};

use super::lab;
use crate::args::Global;
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use crate::progress::Progress;

/// Looks at everything, changes nothing. Fails if anything is not as it should be.
pub async fn run(global: &Global, printer: &Printer) -> Result<(), CliError> {
    let context = Context::load(global, printer).await?;
    lab::check_on(&context)?;
    let progress = Progress::new(printer);
    let mut state = look(&context, global, &progress).await?;
    let gone = lab::perhaps_gone(&context.cluster, state.unreachable().len());
    state.remarks.extend(gone);
    progress.planned();
    if printer.json() {
        printer.value(&view::json(&context, &state));
    } else {
        view::text(&context, &state, printer);
    }
    if !state.unreachable().is_empty() {
        return Err(CliError::silent(Kind::Unreachable));
    }
    if !state.troubles(&context).is_empty() {
        return Err(CliError::silent(Kind::Failed));
    }
    Ok(())
}
