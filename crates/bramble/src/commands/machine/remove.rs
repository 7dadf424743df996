//! `bramble machine remove`.

use super::entry;
use super::leave::{self, Wish};
use crate::args::{Global, MachineRemoveArgs, RunArgs, ScopeArgs};
use crate::commands::{session, up};
use crate::context::Context;
use crate::error::CliError;
use crate::printer::{Printer, Style};
use bramble_spec::cluster::{Endpoint, Machine, Role};

/// Takes machines out of the cluster, then out of the file.
pub async fn run(
    global: &Global,
    args: &MachineRemoveArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let context = Context::load(global, printer).await?;
    let machines = leave::named(&context, &args.machines)?;
    // What the file can't do without is not taken apart first.
    entry::without(&context.path, &machines, printer)?;
    let file = context.path.display();
    let rest = if args.no_up {
        ""
    } else {
        ", and `up` makes the rest of what it says"
    };
    let wish = Wish {
        verb: "remove",
        machines: &machines,
        lost: args.lost,
        yes: args.yes,
        then: &format!("{file} loses the entry{rest}"),
    };
    let lost = std::cell::RefCell::new(Vec::new());
    let once = async || {
        *lost.borrow_mut() = leave::run(&context, global, &wish, printer).await?;
        Ok(())
    };
    session::settled(printer, once).await?;
    // It may have been changed meanwhile.
    let edited = entry::without(&context.path, &machines, printer)?;
    entry::write(&context.path, &edited)?;
    let names = machines.join(", ");
    if printer.json() {
        printer.line(
            &serde_json::json!({ "event": "file", "file": context.path, "removed": machines }),
        );
    } else {
        let said = format!("{names}: out of the cluster and of {file}");
        printer.out(printer.paint(Style::Green, said));
    }
    for name in lost.into_inner() {
        if let Ok(machine) = context.machine(&name) {
            printer.note(format!("note: {}", should_it_come_back(&context, machine)));
        }
    }
    if args.no_up {
        printer.note("the others still know it: bramble up");
        return Ok(());
    }
    let rest = RunArgs {
        scope: ScopeArgs::default(),
        yes: args.yes,
        lab: false,
    };
    up::run(global, &rest, printer).await
}

/// What a machine that was given up would do if it were switched on once more.
fn should_it_come_back(context: &Context, machine: &Machine) -> String {
    let name = &machine.name;
    let shared = match context.cluster.kubernetes.endpoint {
        Endpoint::Vip { address, .. } if machine.is(Role::ControlPlane) => {
            format!(", and might claim {address}")
        }
        _ => String::new(),
    };
    format!(
        "{name} keeps its state: switched on again, it would come back as a node{shared}. Wipe it before; should it have come back all the same, `bramble up` takes it out and cleans it"
    )
}
