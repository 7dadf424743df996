//! `bramble machine`.

use crate::args::{Global, MachineAction};
use crate::error::CliError;
use crate::printer::Printer;

mod add;
mod entry;
mod leave;
mod remove;
mod replace;

/// Does it.
pub async fn run(
    global: &Global,
    action: MachineAction,
    printer: &Printer,
) -> Result<(), CliError> {
    match action {
        MachineAction::Add(args) => add::run(global, &args, printer).await,
        MachineAction::Remove(args) => remove::run(global, &args, printer).await,
        MachineAction::Replace(args) => replace::run(global, &args, printer).await,
    }
}
