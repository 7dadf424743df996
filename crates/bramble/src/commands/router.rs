//! `bramble router`: what is around the router.

pub(super) mod guide;
mod observed;
mod view;

use crate::args::{Global, RouterAction, RouterArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::printer::Printer;
use bramble_spec::cluster::{Machine, Router, UplinkAddress};
use std::net::Ipv4Addr;

/// Runs one of the actions.
pub async fn run(global: &Global, args: &RouterArgs, printer: &Printer) -> Result<(), CliError> {
    let RouterAction::Guide { offline } = args.action;
    let context = Context::reach(global, printer)?;
    let (router, machine) = parts(&context)?;
    let observed = match offline {
        true => None,
        false => match observed::look(global, &context, router, machine).await {
            Ok(observed) => Some(observed),
            Err(error) => {
                printer.note(format!(
                    "{} was not asked: {}; what only it knows is left open",
                    machine.name, error.message
                ));
                None
            }
        },
    };
    let guide = guide::guide(&context.cluster, router, machine, observed.as_ref());
    if printer.json() {
        printer.value(&guide);
    } else {
        printer.raw(&view::text(&guide, printer));
    }
    Ok(())
}

/// The router and its machine, as the file has them.
pub(super) fn parts(context: &Context) -> Result<(&Router, &Machine), CliError> {
    let cluster = &context.cluster;
    let found = cluster.router.as_ref().zip(cluster.router_machine());
    found.ok_or_else(|| {
        CliError::usage(format!(
            "no machine of {} has the role router",
            context.path.display()
        ))
        .hint("give one machine `roles: [router]`; without a router, machines are reached as they are")
    })
}

/// Where the router is reached from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outside {
    /// At this address.
    Address(Ipv4Addr),
    /// At the address of this name.
    Name(String),
    /// The file doesn't say it.
    Unknown,
}

/// The router's address outside, as far as the file says it.
pub(super) fn outside(router: &Router, machine: &Machine) -> Outside {
    if let UplinkAddress::Static { address, .. } = &router.uplink.address {
        return Outside::Address(address.addr());
    }
    match &machine.management {
        None => Outside::Unknown,
        Some(text) => match text.parse() {
            Ok(address) => Outside::Address(address),
            Err(_) => Outside::Name(text.clone()),
        },
    }
}
