//! `bramble init`: flags or answers become a draft, the draft becomes the file.

mod questions;

use crate::args::{Global, InitArgs};
use crate::ask;
use crate::context::load_text;
use crate::error::CliError;
use crate::files;
use crate::printer::{Printer, Style};
use bramble_spec::cluster::Role;
use bramble_spec::file::{BuiltIn, Plugin};
use bramble_spec::{Draft, DraftMachine, lan_behind};
use ipnet::IpNet;
use serde_json::json;
use std::net::IpAddr;
use std::path::Path;

/// Writes the first cluster file.
pub fn run(global: &Global, args: &InitArgs, printer: &Printer) -> Result<(), CliError> {
    let path = &global.file;
    if path.exists() && !args.force {
        return Err(
            CliError::usage(format!("{} is there already", path.display()))
                .hint("--force replaces it; -f FILE writes another one"),
        );
    }
    let draft = draft(args)?;
    let draft = if draft.name.is_empty() || !has_node(&draft) {
        let missing = missing(&draft);
        if !ask::possible() {
            let error = CliError::usage(format!("not said and nobody to ask: {missing}"));
            return Err(error.hint(format!("example: {}", example(args))));
        }
        questions::ask(draft, args, printer)?
    } else {
        Draft {
            lan: draft.lan.or_else(|| usual_lan(&draft)),
            ..draft
        }
    };
    let text = draft.to_yaml();
    // Only a file that is right is written.
    let cluster = load_text(&refused_name(path, printer), &text, printer).inspect_err(|_| {
        let otherwise = if draft.vip.is_none() && control_planes(&draft) > 1 {
            "give the control planes an address that is free: --vip ADDRESS"
        } else {
            "say it otherwise"
        };
        printer.warn_raw(&format!(
            "nothing was written: these are lines of what {} would hold; {otherwise}, and init again",
            path.display()
        ));
    })?;
    if let Some(count) = cluster.even_control_planes() {
        let what = format!("{count} control planes are an even number; nothing was written");
        return Err(CliError::usage(what).hint("use 1, 3 or 5: etcd survives the loss of less than half of them, so an even one adds risk and nothing else"));
    }
    files::write(path, text.as_bytes(), 0o644, args.force)?;
    done(path, &draft, printer);
    Ok(())
}

/// What messages call a file that will not be there; programs know it by its path.
fn refused_name(path: &Path, printer: &Printer) -> String {
    match printer.json() {
        true => path.display().to_string(),
        false => format!("{} (not written)", path.display()),
    }
}

/// A call that says everything: what was said already, and the rest by example.
fn example(args: &InitArgs) -> String {
    let mut words = vec!["bramble init --name".to_owned()];
    words.push(args.name.clone().unwrap_or_else(|| "home".into()));
    if let Some(router) = &args.router {
        words.push(format!("--router {router}"));
    }
    let usual = match args.router {
        Some(_) => ["one=b8:27:eb:00:00:01", "two=b8:27:eb:00:00:02"],
        None => ["one=192.168.1.11", "two=192.168.1.12"],
    };
    match args.machines.as_slice() {
        [] => words.extend(usual.map(|m| format!("--machine {m}"))),
        some => words.extend(some.iter().map(|m| format!("--machine {m}"))),
    }
    words.join(" ")
}

fn done(path: &Path, draft: &Draft, printer: &Printer) {
    if printer.json() {
        printer.value(&json!({
            "file": path, "cluster": draft.name, "kubernetes": draft.version.to_string(),
            "machines": draft.machines.iter().map(|m| &m.name).collect::<Vec<_>>(),
        }));
        return;
    }
    let name = path.display();
    printer.out(printer.paint(Style::Green, format!("{name} written")));
    let option = if path == Path::new("bramble.yaml") {
        String::new()
    } else {
        format!(" -f {name}")
    };
    for (command, what) in [
        ("check", "what it says, without a connection"),
        ("plan", "what would change on the machines"),
        ("up", "make it so"),
    ] {
        printer.out(format!(
            "  {:<30}{what}",
            format!("bramble {command}{option}")
        ));
    }
}

fn missing(draft: &Draft) -> String {
    let name = draft.name.is_empty().then_some("--name NAME");
    let machines = (!has_node(draft)).then_some("--machine NAME=ADDRESS");
    name.into_iter()
        .chain(machines)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether there is a machine that Kubernetes runs on.
fn has_node(draft: &Draft) -> bool {
    draft.machines.iter().any(DraftMachine::is_node)
}

fn control_planes(draft: &Draft) -> usize {
    let planes = draft.machines.iter();
    planes
        .filter(|m| m.roles.contains(&Role::ControlPlane))
        .count()
}

/// The router's address outside, if there is a router.
fn outside(draft: &Draft) -> Option<IpAddr> {
    draft.machines.iter().find(|m| m.is_router())?.address
}

/// The network that a draft with a router gets unless somebody says otherwise.
fn usual_lan(draft: &Draft) -> Option<IpNet> {
    outside(draft).map(|outside| IpNet::V4(lan_behind(outside)))
}

/// What the flags say; the rest is empty.
fn draft(args: &InitArgs) -> Result<Draft, CliError> {
    let version = match &args.kubernetes {
        Some(text) => bramble_bundle::parse_version(text)
            .map_err(|e| CliError::usage(format!("--kubernetes: {e}")))?,
        None => bramble_spec::DEFAULT_VERSION,
    };
    let mut machines: Vec<DraftMachine> = Vec::new();
    if let Some(text) = &args.router {
        machines.push(router(text).map_err(|e| CliError::usage(format!("--router {text}: {e}")))?);
    }
    for text in &args.machines {
        let first = !machines.iter().any(DraftMachine::is_node);
        machines.push(
            machine(text, first).map_err(|e| CliError::usage(format!("--machine {text}: {e}")))?,
        );
    }
    Ok(Draft {
        name: args.name.clone().unwrap_or_default(),
        version,
        machines,
        lan: args.lan,
        vip: args.vip,
        // The default needs no line in the file.
        ssh_user: args.ssh_user.clone().filter(|user| user != "root"),
        keys: args.ssh_key.clone().into_iter().collect(),
        plugin: Plugin::Routed,
        zone: args.zone.clone(),
        addons: if args.demo {
            vec![BuiltIn::Demo]
        } else {
            Vec::new()
        },
    })
}

/// `NAME=ADDRESS[,ROLE]...`, or with a hardware address; without roles the first machine is the control
/// plane.
fn machine(text: &str, first: bool) -> Result<DraftMachine, String> {
    const FORM: &str = "write it as NAME=ADDRESS[,ROLE]";
    let (name, rest) = text.split_once('=').ok_or(FORM)?;
    if name.trim().is_empty() {
        return Err(format!("it has no name: {FORM}"));
    }
    let mut parts = rest.split(',').map(str::trim);
    let (address, mac) = place(parts.next().unwrap_or_default())?;
    let mut made = DraftMachine {
        name: name.trim().to_owned(),
        roles: Vec::new(),
        address,
        mac,
    };
    for part in parts {
        match place(part) {
            Ok((None, mac @ Some(_))) if made.mac.is_none() => made.mac = mac,
            Ok((address @ Some(_), None)) if made.address.is_none() => made.address = address,
            Ok(_) => return Err(format!("{part:?} is one address too many")),
            Err(_) => made.roles.push(role(part)?),
        }
    }
    if made.roles.is_empty() {
        made.roles.push(match first {
            true => Role::ControlPlane,
            false => Role::Worker,
        });
    }
    Ok(made)
}

/// `NAME=ADDRESS[,ROLE]...`, with the role of a router besides those that are named.
fn router(text: &str) -> Result<DraftMachine, String> {
    let router = Role::Router.as_str();
    let made = machine(&format!("{text},{router}"), false)?;
    match made.address {
        Some(_) => Ok(made),
        None => Err("write it as NAME=ADDRESS: a router is reached at its address outside".into()),
    }
}

/// An address, or a hardware address.
fn place(text: &str) -> Result<(Option<IpAddr>, Option<String>), String> {
    if let Ok(address) = text.parse() {
        return Ok((Some(address), None));
    }
    let pairs: Vec<&str> = text.split([':', '-']).collect();
    let pair = |p: &&str| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit());
    match pairs.len() == 6 && pairs.iter().all(pair) {
        true => Ok((None, Some(pairs.join(":").to_lowercase()))),
        false => Err(format!(
            "{text:?} is neither an IP address nor a hardware address"
        )),
    }
}

fn role(word: &str) -> Result<Role, String> {
    let all = [Role::ControlPlane, Role::Worker, Role::Router];
    all.into_iter().find(|r| r.as_str() == word).ok_or_else(|| {
        format!(
            "{word:?} is no role; roles are: {}",
            all.map(Role::as_str).join(", ")
        )
    })
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no IP address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_read_with_and_without_roles() {
        let roles = |text, first| machine(text, first).map(|m| m.roles);
        assert_eq!(roles("one=10.0.0.1", true), Ok(vec![Role::ControlPlane]));
        assert_eq!(roles("two=10.0.0.2", false), Ok(vec![Role::Worker]));
        let both = Ok(vec![Role::ControlPlane, Role::Worker]);
        assert_eq!(roles("a=fd00::1,control-plane,worker", true), both);
        for wrong in [
            "one",
            "one=",
            "one=here",
            "=10.0.0.1",
            "one=10.0.0.1,boss",
            "one=10.0.0.1,10.0.0.2",
            "one=b8:27:eb:00:00",
            "one=b8:27:eb:00:00:01,b8:27:eb:00:00:02",
        ] {
            assert!(machine(wrong, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hardware_address_may_stand_beside_an_address_or_for_it() {
        let mac = Some("b8:27:eb:00:00:0a".to_owned());
        let read = |text| machine(text, true).map(|m| (m.address, m.mac, m.roles));
        assert_eq!(
            read("one=B8-27-EB-00-00-0A"),
            Ok((None, mac.clone(), vec![Role::ControlPlane]))
        );
        assert_eq!(
            read("one=10.0.0.1,b8:27:eb:00:00:0a,worker"),
            Ok(("10.0.0.1".parse().ok(), mac, vec![Role::Worker]))
        );
    }

    #[test]
    fn a_router_has_an_address_and_maybe_more_roles() {
        let roles = |text| router(text).map(|m| m.roles);
        assert_eq!(roles("gate=192.168.1.100"), Ok(vec![Role::Router]));
        let both = Ok(vec![Role::ControlPlane, Role::Router]);
        assert_eq!(roles("gate=192.168.1.100,control-plane"), both);
        assert!(router("gate=b8:27:eb:00:00:0a").is_err());
        assert!(router("gate").is_err());
    }
}
