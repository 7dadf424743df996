//! One file per command.

use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::printer::Printer;

mod down;
mod lab;
mod plan;
mod session;
mod up;

/// Runs the command.
pub async fn run(args: Cli, printer: &Printer) -> Result<(), CliError> {
    let global = &args.global;
    match args.command {
        Command::Plan(args) => plan::run(global, &args, printer).await,
        Command::Up(args) => up::run(global, &args, printer).await,
        Command::Down(args) => down::run(global, &args, printer).await,
        Command::Lab(args) => lab::run(global, args.action, printer).await,
        _ => Err(CliError::usage("not yet")),
    }
}
