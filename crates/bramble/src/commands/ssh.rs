//! `bramble ssh`.

use crate::args::{Global, SshArgs};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::Printer;

/// A shell, or one command, on a machine; its exit code becomes ours.
pub async fn run(global: &Global, args: &SshArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let target = context.target(context.machine(&args.machine)?);
    let session = context.fleet(global).connect(&target).await?;
    // As ssh does: the shell over there reads the words.
    let command = (!args.command.is_empty()).then(|| args.command.join(" "));
    match session.interactive(command.as_deref()).await? {
        0 => Ok(()),
        code => Err(CliError::silent(Kind::Code(
            u8::try_from(code).unwrap_or(255),
        ))),
    }
}
