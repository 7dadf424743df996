//! The command line: arguments, printer, one file per command.
//!
//! Invariants: decides nothing about what a cluster needs; every message goes through
//! [`printer`]; every error ends in [`error::CliError`], whose kind is the exit code.

mod args;
mod ask;
mod assets;
mod broker;
mod bundles;
mod commands;
mod context;
mod error;
mod files;
mod hooks;
mod kube_place;
mod outside;
mod plan_view;
mod printer;
mod progress;
mod progress_bundle;
mod remote;
mod secrets;
mod stop;
mod suggest;
mod table;

use error::{CliError, Kind};
use printer::Printer;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The one TLS provider; must be set before any client is made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A run of a daemon among several lives no longer than that daemon leads.
    bramble_server::lifeline::hold();
    let args = match args::Cli::read() {
        Ok(args) => args,
        Err(error) => return said(&error),
    };
    let printer = Printer::new(&args.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = CliError::failed(format!("no runtime: {error}"));
            return printer.fail(&error);
        }
    };
    end(runtime.block_on(commands::run(args, &printer)), &printer)
}

/// Says how a command ended. Who lost a part of its result has failed, whatever became of the rest.
fn end(result: Result<(), CliError>, printer: &Printer) -> ExitCode {
    let well = match &result {
        Ok(()) => true,
        Err(error) => error.kind == Kind::Changes,
    };
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => printer.fail(&error),
    };
    match printer::lost() {
        None => code,
        Some(lost) if well => printer.fail(&lost),
        Some(lost) => {
            printer.fail(&lost);
            code
        }
    }
}

/// Says what clap has to say: help and version, or what is wrong with the arguments.
fn said(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    if error.use_stderr() {
        return ExitCode::from(Kind::Usage.code());
    }
    printer::wrote(printed);
    end(Ok(()), &Printer::plain())
}
