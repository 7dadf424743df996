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

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The one TLS provider; must be set before any client is made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A run of a daemon among several lives no longer than that daemon leads.
    bramble_server::lifeline::hold();
    let args = args::Cli::parse();
    let printer = printer::Printer::new(&args.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = error::CliError::failed(format!("no runtime: {error}"));
            return printer.fail(&error);
        }
    };
    match runtime.block_on(commands::run(args, &printer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => printer.fail(&error),
    }
}
