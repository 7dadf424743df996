//! `bramble machine add`.

use super::entry;
use crate::args::{Global, MachineAddArgs, RunArgs, ScopeArgs};
use crate::commands::up;
use crate::context::Context;
use crate::error::{CliError, Kind, chain};
use crate::printer::{Printer, Style};
use bramble_spec::Cluster;
use bramble_spec::edit::NewMachine;

/// One that nobody reaches, a slip in its address perhaps, gets into neither the file nor the cluster.
async fn reached(
    context: &Context,
    global: &Global,
    cluster: &Cluster,
    name: &str,
) -> Result<(), CliError> {
    let Some(machine) = cluster.machine(name) else {
        return Ok(());
    };
    // Behind a router it may need what `up` makes first.
    if cluster.router.is_some() {
        return Ok(());
    }
    let session = context
        .fleet(global)
        .connect(&context.target(machine))
        .await;
    session.map(drop).map_err(|why| {
        CliError::new(Kind::Unreachable, chain(&why)).hint(format!(
            "nothing was changed; to put it into the file all the same: bramble machine add {name} ... --no-up"
        ))
    })
}

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
    if !args.no_up {
        reached(&context, global, &edited.cluster, &args.name).await?;
    }
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
        lab: false,
    };
    up::run(global, &rest, printer).await
}
