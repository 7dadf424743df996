//! `bramble machine add`.

use super::entry;
use crate::args::{Global, MachineAddArgs, RunArgs, ScopeArgs};
use crate::commands::up;
use crate::context::Context;
use crate::error::CliError;
use crate::printer::{Printer, Style};
use bramble_spec::edit::NewMachine;

/// Puts a machine into the file, then makes it part of the cluster.
pub async fn run(
    global: &Global,
    args: &MachineAddArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    // A file that is wrong already is told of before anything is added to it.
    let context = Context::load(global, printer).await?;
    let machine = NewMachine {
        name: args.name.clone(),
        roles: args.roles.clone(),
        address: args.address,
        mac: args.mac.clone(),
        ssh_user: args.ssh_user.clone(),
        labels: args.labels.iter().cloned().collect(),
    };
    let edited = entry::with(&context.path, &machine, printer)?;
    entry::write(&context.path, &edited)?;
    if printer.json() {
        printer.line(
            &serde_json::json!({ "event": "file", "file": context.path, "added": [args.name] }),
        );
    } else {
        let said = format!("{}: in {}", args.name, context.path.display());
        printer.out(printer.paint(Style::Green, said));
    }
    if args.no_up {
        printer.note("what `up` would do: bramble plan");
        return Ok(());
    }
    let rest = RunArgs {
        scope: ScopeArgs::default(),
        yes: args.yes,
    };
    up::run(global, &rest, printer).await
}
