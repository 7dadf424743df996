//! `bramble workstation check`: what this computer needs to work with the cluster.

use super::platform::Platform;
use super::{needs, parts};
use crate::bundles;
use crate::context::{Context, expand};
use crate::error::{CliError, Kind};
use crate::printer::{Printer, Style};
use bramble_spec::cluster::Machine;
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

/// One thing that is needed, or of use.
#[derive(Debug, Serialize)]
struct Thing {
    /// What it is.
    what: &'static str,
    /// Where it was found; `None`: it was not.
    found: Option<String>,
    /// Nothing goes without it.
    needed: bool,
    /// What to do if it is missing.
    remedy: String,
}

/// Looks for everything; fails if something needed is missing.
pub async fn run(
    context: &Context,
    bundle_at: Option<&Path>,
    platform: &dyn Platform,
    printer: &Printer,
) -> Result<(), CliError> {
    let mut things = vec![key(context)];
    things.extend(bundle(context, bundle_at));
    if context.cluster.router.is_some() {
        things.extend(platform.programs().iter().map(|p| tool(p)));
        things.push(way(context, platform).await);
    }
    things.push(kubectl());
    if printer.json() {
        printer.value(&json!({ "things": things }));
    } else {
        show(&things, printer);
    }
    if things.iter().any(|t| t.needed && t.found.is_none()) {
        return Err(CliError::silent(Kind::Failed));
    }
    Ok(())
}

fn show(things: &[Thing], printer: &Printer) {
    for thing in things {
        let what = thing.what;
        match (&thing.found, thing.needed) {
            (Some(found), _) => printer.out(format!(
                "{} {what}: {found}",
                printer.paint(Style::Green, "✓")
            )),
            (None, true) => printer.out(format!(
                "{} {what} is missing: {}",
                printer.paint(Style::Red, "✗"),
                thing.remedy
            )),
            (None, false) => printer.out(format!(
                "{} {what}: not here; {}",
                printer.paint(Style::Dim, "-"),
                thing.remedy
            )),
        }
    }
}

/// Something to log in with: Bramble speaks SSH itself.
fn key(context: &Context) -> Thing {
    let folder = context.path.parent().unwrap_or(Path::new("."));
    let written = context.cluster.machines.iter().flat_map(|m| &m.ssh.keys);
    let written = written.map(|key| folder.join(expand(key)));
    let usual = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|n| expand(&format!("~/.ssh/{n}")));
    let file = written.chain(usual).find(|path| path.is_file());
    let agent = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
    let agent = agent.filter(|path| path.exists());
    let lab = context.lab.as_ref().map(|_| "that of the lab".to_owned());
    let found = file
        .map(|path| path.display().to_string())
        .or(lab)
        .or(agent.map(|path| format!("the agent at {}", path.display())));
    Thing {
        what: "SSH key",
        found,
        needed: true,
        remedy: "make one (ssh-keygen -t ed25519) and put its .pub file on the machines".into(),
    }
}

fn bundle(context: &Context, at: Option<&Path>) -> Option<Thing> {
    let cluster = &context.cluster;
    if !cluster.machines.iter().any(Machine::is_node) {
        return None;
    }
    let found = bundles::find(cluster, at);
    let version = cluster.kubernetes.version;
    Some(Thing {
        what: "bundle of Kubernetes",
        found: found
            .ok()
            .and_then(|f| f.bundle)
            .map(|b| b.dir().display().to_string()),
        needed: true,
        remedy: format!("bramble bundle build --from upstream --version {version}"),
    })
}

fn tool(name: &'static str) -> Thing {
    Thing {
        what: name,
        found: program(name),
        needed: true,
        remedy: "install it: routes are set by it".into(),
    }
}

async fn way(context: &Context, platform: &dyn Platform) -> Thing {
    let result = match parts(context) {
        Ok(_) => needs(context, platform, &[]).await,
        Err(error) => Err(error),
    };
    let (found, remedy) = match result {
        Ok(wanted) => {
            let routes = wanted.routes.iter();
            let list: Vec<String> = routes.map(|(r, _)| r.to.to_string()).collect();
            (
                Some(format!("{} can have a route", list.join(" and "))),
                String::new(),
            )
        }
        // An office elsewhere, a VPN: the cluster is reached through the router all the same.
        Err(error) => (
            None,
            format!("{} ({})", error.message, error.hints.join("; ")),
        ),
    };
    Thing {
        what: "way to the machines",
        found,
        needed: false,
        remedy,
    }
}

fn kubectl() -> Thing {
    Thing {
        what: "kubectl",
        found: program("kubectl"),
        needed: false,
        remedy: "install it to look into the cluster yourself; Bramble needs none".into(),
    }
}

/// Where a program is; root's folders are looked into as well.
fn program(name: &str) -> Option<String> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let folders = std::env::split_paths(&own).chain(more);
    let mut paths = folders.map(|folder| folder.join(name));
    paths.find(|p| p.is_file()).map(|p| p.display().to_string())
}
