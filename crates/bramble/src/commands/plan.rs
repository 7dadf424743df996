//! `bramble plan`.

use super::{lab, session};
use crate::args::{Global, PlanArgs};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::plan_view;
use crate::printer::{Printer, Style};
use crate::progress::Progress;

/// Shows what would change.
pub async fn run(global: &Global, args: &PlanArgs, printer: &Printer) -> Result<(), CliError> {
    // A teardown needs neither the bundle nor the folders that the file names.
    let context = if args.down {
        Context::reach(global, printer)?
    } else {
        Context::load(global, printer).await?
    };
    lab::check_on(&context)?;
    let progress = Progress::new(printer);
    let mut session = session::prepare(&context, global, &args.scope, args.down, &progress).await?;
    if let Some(release) = session.first {
        let wanted = context.cluster.kubernetes.version;
        let between = Context::load_release(global, release, printer).await?;
        let progress = Progress::new(printer);
        session = session::prepare(&between, global, &args.scope, false, &progress).await?;
        let remark =
            format!("on the way to {wanted}: this is the plan to {release}, which comes first");
        session.plan.remarks.insert(0, remark);
    }
    let plan = &session.plan;
    if printer.json() {
        printer.value(&plan_view::json(plan));
    } else {
        printer.raw(&plan_view::text(plan, printer, !args.short));
        for remark in &plan.remarks {
            printer.note(format!("note: {remark}"));
        }
        printer.out(printer.paint(Style::Bold, plan_view::summary(plan)));
    }
    session::unreachable(&session, printer).map_err(|error| {
        let unseen = error.kind == Kind::Unreachable;
        match unseen
            .then(|| lab::perhaps_gone(&context.cluster, plan.unreachable.len()))
            .flatten()
        {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    if args.exit_code && !plan.is_empty() {
        return Err(CliError::silent(Kind::Changes));
    }
    Ok(())
}
