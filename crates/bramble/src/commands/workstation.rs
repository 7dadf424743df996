//! `bramble workstation`: this computer's way to the machines behind the router: routes, names, DNS.

mod check;
mod connect;
mod disconnect;
mod hosts;
mod linux;
mod macos;
mod platform;
mod record;
mod resolved;
mod status;
mod wanted;

use super::router::{Outside, outside, parts};
use crate::args::{Global, WorkstationAction};
use crate::context::Context;
use crate::error::{CliError, Explain};
use crate::printer::Printer;
use platform::{Platform, Programs};
use record::{Record, Route};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use wanted::{Computer, Wanted};

/// How long finding an address for the router's name may take.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);

/// Runs one of the actions.
pub async fn run(
    global: &Global,
    action: WorkstationAction,
    printer: &Printer,
) -> Result<(), CliError> {
    let platform = platform::here(&Programs)?;
    let platform = platform.as_ref();
    // `disconnect` needs no file.
    let context = || Context::reach(global, printer);
    match action {
        WorkstationAction::Connect => connect::run(&context()?, platform, printer).await,
        WorkstationAction::Disconnect { name } => disconnect::run(global, name, platform, printer),
        WorkstationAction::Status => status::run(&context()?, platform, printer).await,
        WorkstationAction::Check => {
            check::run(&context()?, global.bundle.as_deref(), platform, printer).await
        }
    }
}

/// What an earlier `connect` has set for a cluster, which must have a router.
fn recorded(context: &Context) -> Result<Option<Record>, CliError> {
    parts(context)?;
    Record::read(&context.cluster.name)
}

/// What only root may do says how to become root.
fn need_root(what: &str) -> Result<(), CliError> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(
        CliError::usage(format!("routes and {} belong to root", hosts::PATH))
            .hint(format!("sudo bramble workstation {what}")),
    )
}

/// What this computer needs for the cluster, given what an earlier `connect` has set.
async fn needs(
    context: &Context,
    platform: &dyn Platform,
    own: &[Route],
) -> Result<Wanted, CliError> {
    let (router, machine) = parts(context)?;
    let outside = match outside(router, machine) {
        Outside::Address(address) => address,
        Outside::Name(name) => lookup(&name).await?,
        Outside::Unknown => {
            return Err(CliError::usage(format!(
                "the file doesn't say at which address {} is reached from here",
                machine.name
            ))
            .hint("give the machine its address outside the LAN (`address`), or set `router.uplink.address`"));
        }
    };
    let (way, routes) = (platform.way(outside)?, platform.routes()?);
    let computer = Computer {
        way: &way,
        routes: &routes,
        own,
    };
    wanted::wanted(&context.cluster, router, machine, outside, &computer)
}

async fn lookup(name: &str) -> Result<Ipv4Addr, CliError> {
    let what = format!("the router's name {name}");
    let found = tokio::time::timeout(LOOKUP_LIMIT, tokio::net::lookup_host((name, 0)))
        .await
        .map_err(|_| {
            CliError::failed(format!(
                "{what}: no answer within {} s",
                LOOKUP_LIMIT.as_secs()
            ))
        })?
        .explain(&what)?;
    let mut four = found.filter_map(|a| match a.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    four.next()
        .ok_or_else(|| CliError::failed(format!("{what} has no IPv4 address")))
}
