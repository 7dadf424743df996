//! One file per command.

use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::printer::Printer;

mod bundle;
mod button;
mod ccp;
mod certs;
mod check;
mod completions;
mod down;
mod etcd;
mod fleet;
mod init;
mod kubeconfig;
mod lab;
mod lights;
mod logs;
mod machine;
mod man;
mod plan;
pub mod registry;
mod remotely;
mod router;
mod schema;
mod serve;
mod session;
mod ssh;
mod status;
mod steps;
mod unlock;
mod up;
mod vpn;
mod wait;
mod workstation;

pub use session::LEAVE;

/// Runs the command.
pub async fn run(args: Cli, printer: &Printer) -> Result<(), CliError> {
    let global = &args.global;
    if global.given.server && is_here_alone(&args.command) {
        return Err(CliError::usage(
            "this command concerns this computer, and no daemon has a part in it",
        )
        .hint("leave --server out"));
    }
    if !is_here(&args.command)
        && let Some(remote) = crate::remote::Remote::of(global)?
    {
        return remotely::run(&remote, global, &args.command, printer).await;
    }
    match args.command {
        Command::Plan(args) => plan::run(global, &args, printer).await,
        Command::Up(args) => up::run(global, &args, printer).await,
        Command::Down(args) => down::run(global, &args, printer).await,
        Command::Lab(args) => lab::run(global, args.action, printer).await,
        Command::Ccp(args) => ccp::run(global, args.action, printer).await,
        Command::Init(args) => init::run(global, &args, printer),
        Command::Check => check::run(global, printer).await,
        Command::Steps => {
            steps::run(printer);
            Ok(())
        }
        Command::Schema => {
            schema::run(printer);
            Ok(())
        }
        Command::Completions(args) => {
            completions::run(&args, printer);
            Ok(())
        }
        Command::Man(args) => man::run(&args, printer),
        Command::Certs(args) => certs::run(global, args.action, printer).await,
        Command::Ssh(args) => ssh::run(global, &args, printer).await,
        Command::Logs(args) => logs::run(global, &args, printer).await,
        Command::Kubeconfig(args) => kubeconfig::run(global, &args, printer).await,
        Command::Router(args) => router::run(global, &args, printer).await,
        Command::Workstation(args) => workstation::run(global, args.action, printer).await,
        Command::Vpn(args) => vpn::run(global, &args, printer).await,
        Command::Etcd(args) => etcd::run(global, &args, printer).await,
        Command::Runs(_) => Err(
            CliError::usage("runs that can be looked at are a daemon's").hint(
                "say which: bramble --server URL runs, once you are logged in (bramble login URL)",
            ),
        ),
        Command::Login(args) => crate::remote::log_in(&args, printer).await,
        Command::Logout { url } => crate::remote::log_out(global, &url, printer).await,
        Command::Lights(args) => lights::run(global, &args.action, printer).await,
        Command::Serve(args) => serve::run(global, &args, printer).await,
        Command::Fleet(args) => fleet::run(global, &args, printer).await,
        Command::Registry(args) => registry::run(global, args.action, printer).await,
        Command::Button(args) => button::run(args.action, printer).await,
        Command::Bundle(args) => bundle::run(global, args.action, printer).await,
        Command::Unlock(args) => unlock::run(global, &args, printer).await,
        Command::Machine(args) => machine::run(global, args.action, printer).await,
        Command::Status => status::run(global, printer).await,
        Command::Wait(args) => wait::run(global, &args, printer).await,
    }
}

/// Whether a command is carried out here, whatever daemon is named.
fn is_here(command: &Command) -> bool {
    // The lights are here, whoever carries out what their button starts.
    is_here_alone(command) || matches!(command, Command::Lights(_))
}

/// Whether a command concerns this computer and no cluster's machines: a daemon that the environment names has no part in
/// it.
fn is_here_alone(command: &Command) -> bool {
    matches!(
        command,
        Command::Init(_)
            | Command::Steps
            | Command::Schema
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Login(_)
            | Command::Logout { .. }
            | Command::Serve(_)
            | Command::Button(_)
            | Command::Bundle(_)
            | Command::Lab(_)
            | Command::Ccp(_)
    )
}
