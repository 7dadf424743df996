//! `bramble wait`: looks until the cluster is what is waited for.

use super::status::{State, look};
use crate::args::{Global, WaitArgs, WaitFor};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use crate::progress::Progress;
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Waits; says what for whenever that changes.
pub async fn run(global: &Global, args: &WaitArgs, printer: &Printer) -> Result<(), CliError> {
    let limit = bramble_spec::duration(&args.timeout).ok_or_else(|| {
        CliError::usage(format!("--timeout: {:?} is no time", args.timeout))
            .hint("write a number and s, m or h, such as 90s")
    })?;
    let context = Context::load(global, printer).await?;
    let begin = Instant::now();
    let mut said = Vec::new();
    loop {
        let silent = Printer {
            quiet: true,
            live: false,
            ..*printer
        };
        let state = look(&context, global, &Progress::new(&silent)).await?;
        let left = missing(&context, &state, args.state);
        let since = begin.elapsed();
        if left.is_empty() {
            end(printer, "healthy", &left, since);
            return Ok(());
        }
        if since >= limit {
            end(printer, "late", &left, since);
            return Err(late(&left, limit, printer));
        }
        if left != said {
            tell(printer, &left, since, limit);
            said = left;
        }
        tokio::time::sleep(PAUSE.min(limit - since)).await;
    }
}

/// What is not yet as it is waited for.
fn missing(context: &Context, state: &State, what: WaitFor) -> Vec<String> {
    match what {
        WaitFor::Healthy => state.troubles(context),
        WaitFor::Nodes => state.node_troubles(context),
        WaitFor::Api => state.api_troubles(),
    }
}

fn tell(printer: &Printer, left: &[String], since: Duration, limit: Duration) {
    if printer.json() {
        printer.line(&serde_json::json!({
            "event": "waiting",
            "what": left,
            "since": since.as_secs(),
            "limit": limit.as_secs(),
        }));
        return;
    }
    printer.note(format!(
        "waiting ({} of at most {} s):",
        since.as_secs(),
        limit.as_secs()
    ));
    for line in left {
        printer.note(format!("  {line}"));
    }
}

fn end(printer: &Printer, result: &str, left: &[String], since: Duration) {
    if printer.json() {
        printer.line(&serde_json::json!({
            "event": "end",
            "result": result,
            "left": left,
            "took": since.as_secs(),
        }));
    }
}

fn late(left: &[String], limit: Duration, printer: &Printer) -> CliError {
    if printer.json() {
        return CliError::silent(Kind::Failed);
    }
    CliError::failed(format!(
        "not within {} s: {}",
        limit.as_secs(),
        left.join("; ")
    ))
    .hint("`bramble status` shows all of it")
}
