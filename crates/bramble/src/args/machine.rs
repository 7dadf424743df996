//! Arguments about the machines of a cluster.

use bramble_spec::cluster::Role;
use clap::{Args, Subcommand};
use std::net::IpAddr;

/// Options of `machine`.
#[derive(Debug, Args)]
pub struct MachineArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: MachineAction,
}

/// What becomes of machines.
#[derive(Debug, Subcommand)]
pub enum MachineAction {
    /// Put a machine into the cluster file, and make it part of the cluster.
    #[command(
        after_help = "Examples:\n  bramble machine add four --address 10.77.0.14\n  bramble machine add four --mac 02:00:00:77:00:14 --label shelf=left\n  bramble machine add four --address 10.77.0.14 --role control-plane\n\nThe entry is written after the last machine's, in its style; the rest of the file stays as it is. A worker\nchanges nothing on the other machines."
    )]
    Add(MachineAddArgs),
    /// Move everything off machines, take them out of the cluster and the cluster file, and leave them as they
    /// were.
    #[command(
        after_help = "Examples:\n  bramble machine remove four           shows what will happen, asks for the name\n  bramble machine remove four five --yes\n  bramble machine remove four --lost    it can't be reached and never will be\n\nPods are moved with respect for disruption budgets; where one forbids it until kubernetes.upgrade.drainTimeout\nis over, the machine stays as it is. In the end `up` makes the rest of what the file says."
    )]
    Remove(MachineRemoveArgs),
    /// Make machines anew, in the same role: the same ones, or empty ones in their places.
    #[command(
        after_help = "Examples:\n  bramble machine replace two           take it out, clean it, let it join again\n  bramble machine replace two --lost    it is dead: the cluster forgets it, a new one may come"
    )]
    Replace(MachineReplaceArgs),
}

/// Options of `machine add`.
#[derive(Debug, Args)]
pub struct MachineAddArgs {
    /// Its name: lower-case letters, digits, hyphens.
    pub name: String,
    /// Its IP address; with --mac it may be left out.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "mac")]
    pub address: Option<IpAddr>,
    /// Hardware address of its network card.
    #[arg(long, value_name = "MAC")]
    pub mac: Option<String>,
    /// What it does; may be given more than once.
    #[arg(long = "role", value_name = "ROLE", value_parser = role, default_value = "worker")]
    pub roles: Vec<Role>,
    /// Login name, where it is not that of the others.
    #[arg(long, value_name = "USER")]
    pub ssh_user: Option<String>,
    /// Label of its node; may be given more than once.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Only write it into the file.
    #[arg(long)]
    pub no_up: bool,
    /// Don't ask before something is destroyed that can't be brought back.
    #[arg(short, long)]
    pub yes: bool,
}

/// Options of `machine remove`.
#[derive(Debug, Args)]
pub struct MachineRemoveArgs {
    /// Machines.
    #[arg(required = true, value_name = "NAME")]
    pub machines: Vec<String>,
    /// Those that can't be reached are gone for good: the cluster forgets them, nothing is cleaned there.
    #[arg(long)]
    pub lost: bool,
    /// Don't make the rest of what the file says in the end.
    #[arg(long)]
    pub no_up: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// Options of `machine replace`.
#[derive(Debug, Args)]
pub struct MachineReplaceArgs {
    /// Machines.
    #[arg(required = true, value_name = "NAME")]
    pub machines: Vec<String>,
    /// Those that can't be reached are gone for good: the cluster forgets them, nothing is cleaned there.
    #[arg(long)]
    pub lost: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
}

fn role(text: &str) -> Result<Role, String> {
    let all = [Role::Router, Role::ControlPlane, Role::Worker];
    let found = all.into_iter().find(|role| role.as_str() == text);
    found.ok_or_else(|| format!("roles are: {}", all.map(|role| role.as_str()).join(", ")))
}

fn label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=');
    let (key, value) = parts.ok_or("write KEY=VALUE, such as shelf=left")?;
    Ok((key.to_owned(), value.to_owned()))
}
