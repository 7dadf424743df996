//! `bramble machine replace`.

use super::leave::{self, Wish};
use crate::args::{Global, MachineReplaceArgs, RunArgs, ScopeArgs};
use crate::commands::{session, up};
use crate::context::Context;
use crate::error::CliError;
use crate::printer::Printer;

/// Takes machines out of the cluster, and lets them, or empty ones in their places, join it again.
pub async fn run(
    global: &Global,
    args: &MachineReplaceArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let context = Context::load(global, printer).await?;
    let machines = leave::named(&context, &args.machines)?;
    if context.cluster.machines.iter().any(|m| m.is_node()) {
        // Nothing is taken apart that could not be made again.
        context.need_bundle()?;
    }
    let wish = Wish {
        verb: "replace",
        machines: &machines,
        lost: args.lost,
        yes: args.yes,
        then: "then `up` makes it anew",
    };
    let lost = std::cell::RefCell::new(Vec::new());
    let once = async || {
        *lost.borrow_mut() = leave::run(&context, global, &wish, printer).await?;
        Ok(())
    };
    session::settled(printer, once).await?;
    let lost = lost.into_inner();
    if !lost.is_empty() {
        printer.note(format!(
            "the cluster has forgotten {0}: put an empty machine with its name and address in the place of each, then run `bramble up`. SSH refuses the new host key until the old one is out of known_hosts (ssh-keygen -R ADDRESS)",
            lost.join(", ")
        ));
    }
    if lost.len() == machines.len() {
        return Ok(());
    }
    let rest = RunArgs {
        scope: ScopeArgs::default(),
        yes: args.yes,
        lab: false,
    };
    up::run(global, &rest, printer).await
}
