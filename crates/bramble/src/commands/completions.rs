//! `bramble completions`.

use crate::args::{Cli, CompletionsArgs};
use crate::printer::Printer;
use clap::CommandFactory;
use serde_json::json;

/// Prints what a shell needs to complete words of Bramble's commands.
pub fn run(args: &CompletionsArgs, printer: &Printer) {
    // Into memory first: a closed pipe must not end in a panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bramble", &mut script);
    let script = String::from_utf8_lossy(&script);
    if printer.json() {
        printer.value(&json!({ "shell": args.shell.to_string(), "script": script }));
    } else {
        printer.raw(&script);
    }
}
