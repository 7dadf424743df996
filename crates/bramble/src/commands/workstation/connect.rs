//! `bramble workstation connect`.

use super::platform::{LinkDns, LocalRoute, Platform, Programs, Resolver, Run};
use super::record::{Record, Route};
use super::wanted::Wanted;
use super::{hosts, need_root, needs, parts, recorded};
use crate::context::Context;
use crate::error::{CliError, Explain};
use crate::printer::Printer;
use bramble_spec::cluster::Machine;
use serde_json::json;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long the router may take to answer once there is a route.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// What was done about one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Did {
    /// It was not there.
    Set,
    /// Nothing.
    There,
}

impl Did {
    fn words(self) -> &'static str {
        match self {
            Did::Set => "set",
            Did::There => "is there already",
        }
    }
}

/// Sets what is not set.
pub async fn run(
    context: &Context,
    platform: &dyn Platform,
    printer: &Printer,
) -> Result<(), CliError> {
    let before = recorded(context)?;
    need_root("connect")?;
    let cluster = &context.cluster.name;
    let old = before.clone().unwrap_or_default();
    let wanted = needs(context, platform, &old.routes).await?;
    let plan = Plan::make(&wanted, &old, platform)?;
    // What may be set from here on is known to `disconnect`, should this be cut off.
    let both = plan.record.clone().with(&old);
    if before.as_ref() != Some(&both) {
        both.write(cluster)?;
    }
    plan.carry_out(platform)?;
    if both != plan.record {
        plan.record.write(cluster)?;
    }
    let reached = greet(context, printer).await?;
    report(&plan, &wanted, reached, printer);
    Ok(())
}

/// What is to be done.
struct Plan {
    record: Record,
    /// Routes of an older file.
    stale: Vec<Route>,
    /// The routes, what each is for, whether it is there.
    routes: Vec<(Route, &'static str, Did)>,
    /// The file of names, if it differs.
    hosts: Option<Vec<u8>>,
    /// Files of the resolver: those that differ, and those of an older file.
    files: Vec<(PathBuf, String)>,
    stale_files: Vec<PathBuf>,
    /// Interfaces that are to be told, and those that were told for an older file.
    links: Vec<LinkDns>,
    stale_links: Vec<LinkDns>,
    resolver: Resolver,
    /// Files that somebody else has made.
    foreign: Vec<PathBuf>,
}

impl Plan {
    fn make(wanted: &Wanted, old: &Record, platform: &dyn Platform) -> Result<Self, CliError> {
        let present = platform.routes()?;
        let there = |r: &Route| is_set(r, &present);
        let routes: Vec<_> = wanted
            .routes
            .iter()
            .map(|(r, what)| {
                (
                    r.clone(),
                    *what,
                    if there(r) { Did::There } else { Did::Set },
                )
            })
            .collect();
        // A route that was there before belongs to whoever made it.
        let ours = |(r, _, did): &&(Route, &str, Did)| *did == Did::Set || old.routes.contains(r);
        let mut record = Record {
            routes: routes
                .iter()
                .filter(ours)
                .map(|(r, _, _)| r.clone())
                .collect(),
            ..Record::default()
        };
        let stale = |r: &&Route| !wanted.routes.iter().any(|(w, _)| w == *r) && there(r);
        let stale = old.routes.iter().filter(stale).cloned().collect();

        let bytes = hosts::read()?;
        let (new, line_break) = hosts::with(&bytes, &wanted.names.cluster, &wanted.hosts)?;
        record.line_break = line_break || old.line_break;

        let resolver = platform.resolver(&wanted.names, &old.links);
        let (mut files, mut foreign) = (Vec::new(), Vec::new());
        if let Resolver::Settings {
            files: all, links, ..
        } = &resolver
        {
            for (path, content) in all {
                let found = read(path)?;
                let mine = old.files.contains(path);
                if found.is_some() && !mine {
                    if found.as_ref() != Some(content) {
                        foreign.push(path.clone());
                    }
                    continue;
                }
                record.files.push(path.clone());
                if found.as_ref() != Some(content) {
                    files.push((path.clone(), content.clone()));
                }
            }
            // They are of use beside the files only.
            if foreign.is_empty() {
                record.links.clone_from(links);
            }
        }
        let holds = |link: &&LinkDns| platform.holds_link(link);
        let links = record.links.iter().filter(|l| !holds(l)).cloned().collect();
        // Of the same interface the new word takes the place of the old one.
        let replaced = |link: &LinkDns| {
            let same = |l: &LinkDns| (&l.device, l.server) == (&link.device, link.server);
            record.links.iter().any(same)
        };
        let stale_links = old.links.iter().filter(|l| !replaced(l));
        let stale_links = stale_links.filter(holds).cloned().collect();
        let kept = |f: &&PathBuf| !record.files.contains(f);
        let stale_files: Vec<PathBuf> = old.files.iter().filter(kept).cloned().collect();
        Ok(Self {
            stale_files,
            record,
            stale,
            routes,
            hosts: (new != bytes).then_some(new),
            files,
            links,
            stale_links,
            resolver,
            foreign,
        })
    }

    fn carry_out(&self, platform: &dyn Platform) -> Result<(), CliError> {
        for route in &self.stale {
            Programs.run(&platform.delete(route.to, route.via))?;
        }
        for (route, _, did) in &self.routes {
            if *did == Did::Set {
                Programs.run(&platform.add(route.to, route.via))?;
            }
        }
        if let Some(bytes) = &self.hosts {
            hosts::write(Path::new(hosts::PATH), bytes)?;
        }
        let stale = self.stale_links.iter().map(|l| platform.unset_link(l));
        let new = self.links.iter().map(|l| platform.set_link(l));
        for program in stale.chain(new).flatten() {
            Programs.run(&program)?;
        }
        for path in &self.stale_files {
            remove(path)?;
        }
        for (path, content) in &self.files {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).explain(folder.display())?;
            }
            crate::files::write(path, content.as_bytes(), 0o644, true)?;
        }
        match platform.reload() {
            Some(then) if !(self.files.is_empty() && self.stale_files.is_empty()) => {
                Programs.run(&then).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// Whether this very route is there.
pub fn is_set(route: &Route, present: &[LocalRoute]) -> bool {
    present
        .iter()
        .any(|p| p.to == route.to && p.via == Some(route.via))
}

/// The text of a file, if it is there.
pub fn read(path: &Path) -> Result<Option<String>, CliError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::failed(format!("{}: {error}", path.display()))),
    }
}

/// Removes a file that may be gone already.
pub fn remove(path: &Path) -> Result<(), CliError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(CliError::failed(format!("{}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Whether the router's SSH server answers at its address inside, as it does if its firewall is the file's.
async fn greet(context: &Context, printer: &Printer) -> Result<bool, CliError> {
    let (router, machine) = parts(context)?;
    let reached = answers(router.address.addr(), machine).await;
    if !reached {
        printer.note(format!(
            "note: {} doesn't answer at {} yet: does it run with this file? (bramble up --step router)",
            machine.name,
            router.address.addr()
        ));
    }
    Ok(reached)
}

async fn answers(address: Ipv4Addr, machine: &Machine) -> bool {
    let connecting = TcpStream::connect((address, machine.ssh.port));
    matches!(
        tokio::time::timeout(ANSWER_LIMIT, connecting).await,
        Ok(Ok(_))
    )
}

fn report(plan: &Plan, wanted: &Wanted, reached: bool, printer: &Printer) {
    let names = wanted.hosts.lines().count();
    let hosts = if plan.hosts.is_some() {
        Did::Set
    } else {
        Did::There
    };
    let dns = match &plan.resolver {
        Resolver::ByHand(_) => None,
        Resolver::Settings { .. } if !plan.foreign.is_empty() => None,
        Resolver::Settings { .. } if plan.files.is_empty() && plan.links.is_empty() => {
            Some(Did::There)
        }
        Resolver::Settings { .. } => Some(Did::Set),
    };
    if printer.json() {
        let list = plan.routes.iter();
        let list: Vec<_> = list
            .map(|(r, what, did)| json!({ "to": r.to, "via": r.via, "what": what, "did": did }))
            .collect();
        printer.value(&json!({
            "cluster": wanted.names.cluster,
            "routes": list,
            "hosts": { "file": hosts::PATH, "names": names, "did": hosts },
            "dns": { "server": wanted.names.server, "domains": wanted.names.domains, "did": dns },
            "notes": wanted.notes,
            "reached": reached,
        }));
        return;
    }
    for (route, what, did) in &plan.routes {
        printer.out(format!(
            "route to {what} ({}) by {}: {}",
            route.to,
            route.via,
            did.words()
        ));
    }
    printer.out(format!("{}: {names} names: {}", hosts::PATH, hosts.words()));
    printer.out(dns_line(plan, wanted, dns));
    for note in &wanted.notes {
        printer.note(format!("note: {note}"));
    }
}

/// What was done about DNS, or is left to do.
fn dns_line(plan: &Plan, wanted: &Wanted, did: Option<Did>) -> String {
    let (domain, server) = (&wanted.names.domains[0], wanted.names.server);
    match (&plan.resolver, did) {
        (Resolver::Settings { who, .. }, Some(did)) => {
            format!("DNS of {domain} by {server} ({who}): {}", did.words())
        }
        (Resolver::Settings { .. }, None) => {
            let paths: Vec<String> = plan
                .foreign
                .iter()
                .map(|p| p.display().to_string())
                .collect();
            format!(
                "DNS of {domain}: {} is somebody else's and was left alone; the server is {server}",
                paths.join(", ")
            )
        }
        (Resolver::ByHand(why), _) => {
            let why = why.as_ref().map_or_else(String::new, |w| format!(": {w}"));
            format!(
                "DNS of {domain}: to ask for all of its names, make {server} the first DNS server of this computer{why}"
            )
        }
    }
}
