//! What the flags left open, asked on the terminal.

use super::{address, has_node, outside, place, usual_lan};
use crate::args::InitArgs;
use crate::ask;
use crate::error::CliError;
use crate::printer::Printer;
use bramble_spec::cluster::{Role, Version};
use bramble_spec::file::BuiltIn;
use bramble_spec::{Draft, DraftMachine};
use inquire::validator::Validation;
use inquire::{Confirm, Text};
use ipnet::IpNet;

/// Asks for what the flags left open.
pub(super) fn ask(mut draft: Draft, args: &InitArgs, printer: &Printer) -> Result<Draft, CliError> {
    printer.note(
        "A few questions; Enter takes the value in brackets, Ctrl-C leaves and writes nothing.",
    );
    if draft.name.is_empty() {
        draft.name = text("Name of the cluster:", Some("home"), label)?;
    }
    if !has_node(&draft) {
        if draft.machines.is_empty() {
            draft.machines.extend(asked_router()?);
        }
        if draft.lan.is_none() {
            draft.lan = asked_lan(&draft)?;
        }
        machines(&mut draft)?;
    }
    draft.lan = draft.lan.or_else(|| usual_lan(&draft));
    let planes = draft
        .machines
        .iter()
        .filter(|m| m.roles.contains(&Role::ControlPlane))
        .count();
    if planes > 1 && draft.vip.is_none() {
        let answer = text("Address that the control planes share:", None, |t| {
            address(t).map(drop)
        })?;
        draft.vip = answer.parse().ok();
    }
    if args.kubernetes.is_none() {
        let usual = draft.version.to_string();
        let valid = |t: &str| bramble_bundle::parse_version(t).map(drop);
        let answer = text("Release of Kubernetes:", Some(&usual), valid)?;
        draft.version = version(&answer)?;
    }
    if draft.ssh_user.is_none() {
        let answer = text("Login name on the machines:", Some("root"), |_| Ok(()))?;
        // As with the flag.
        draft.ssh_user = Some(answer).filter(|user| user != "root");
    }
    if draft.keys.is_empty() {
        let answer = optional("Private key file (Enter: the agent's keys and the usual ones):")?;
        draft.keys.extend(answer);
    }
    if draft.zone.is_none() {
        draft.zone = optional("Time zone, such as Europe/Berlin (Enter: leave as it is):")?;
    }
    if !args.demo {
        let wants = Confirm::new("Put a small demo page on the cluster?")
            .with_default(true)
            .prompt()
            .map_err(ask::unanswered)?;
        if wants {
            draft.addons.push(BuiltIn::Demo);
        }
    }
    Ok(draft)
}

/// The router, if one of the machines is to be that.
fn asked_router() -> Result<Option<DraftMachine>, CliError> {
    let wants = Confirm::new("Is one of the machines to be the router of the others?")
        .with_default(false)
        .prompt()
        .map_err(ask::unanswered)?;
    if !wants {
        return Ok(None);
    }
    let name = text("Router, its name:", Some("gate"), label)?;
    let question = format!("Address of {name}, as this computer reaches it:");
    let answer = text(&question, None, |t| address(t).map(drop))?;
    Ok(Some(DraftMachine {
        name,
        roles: vec![Role::Router],
        address: Some(address(&answer).map_err(CliError::usage)?),
        mac: None,
    }))
}

/// The network behind the router, if there is one.
fn asked_lan(draft: &Draft) -> Result<Option<IpNet>, CliError> {
    let Some(usual) = usual_lan(draft) else {
        return Ok(None);
    };
    let network = move |text: &str| -> Result<IpNet, String> {
        text.parse()
            .map_err(|_| format!("{text:?} is no network such as {usual}"))
    };
    let answer = text(
        "Network behind the router:",
        Some(&usual.to_string()),
        move |t| network(t).map(drop),
    )?;
    network(&answer).map(Some).map_err(CliError::usage)
}

/// The control plane, then workers until an empty name.
fn machines(draft: &mut Draft) -> Result<(), CliError> {
    let behind = outside(draft).is_some();
    let taken = names(draft);
    let valid = move |t: &str| free(t, &taken);
    let name = text("Control plane, its name:", Some("one"), valid)?;
    draft
        .machines
        .push(asked(name, Role::ControlPlane, behind)?);
    loop {
        let taken = names(draft);
        let valid = move |t: &str| match t {
            "" => Ok(()),
            t => free(t, &taken),
        };
        let name = text("Worker, its name (Enter: no more workers):", None, valid)?;
        if name.is_empty() {
            return Ok(());
        }
        draft.machines.push(asked(name, Role::Worker, behind)?);
    }
}

fn names(draft: &Draft) -> Vec<String> {
    draft.machines.iter().map(|m| m.name.clone()).collect()
}

/// A name that can be one, and that no machine has.
fn free(text: &str, taken: &[String]) -> Result<(), String> {
    if taken.iter().any(|name| name == text) {
        return Err(format!("{text} is named already"));
    }
    label(text)
}

fn asked(name: String, role: Role, behind: bool) -> Result<DraftMachine, CliError> {
    let question = match behind {
        true => format!("Hardware address of {name}, such as b8:27:eb:00:00:01, or its address:"),
        false => format!("Address of {name}:"),
    };
    let answer = text(&question, None, move |t| match behind {
        true => place(t).map(drop),
        false => address(t).map(drop),
    })?;
    let (address, mac) = place(&answer).map_err(CliError::usage)?;
    Ok(DraftMachine {
        name,
        roles: vec![role],
        address,
        mac,
    })
}

fn version(text: &str) -> Result<Version, CliError> {
    bramble_bundle::parse_version(text).map_err(CliError::usage)
}

/// A question that is asked again until the answer is valid.
fn text(
    question: &str,
    usual: Option<&str>,
    valid: impl Fn(&str) -> Result<(), String> + Clone + 'static,
) -> Result<String, CliError> {
    let mut prompt = Text::new(question).with_validator(move |answer: &str| {
        Ok(match valid(answer.trim()) {
            Ok(()) => Validation::Valid,
            Err(why) => Validation::Invalid(why.into()),
        })
    });
    if let Some(usual) = usual {
        prompt = prompt.with_default(usual);
    }
    Ok(prompt.prompt().map_err(ask::unanswered)?.trim().to_owned())
}

fn optional(question: &str) -> Result<Option<String>, CliError> {
    text(question, None, |_| Ok(())).map(|answer| Some(answer).filter(|a| !a.is_empty()))
}

/// A DNS label: what the file's own check would refuse is asked again at once.
fn label(text: &str) -> Result<(), String> {
    let letters = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = text.bytes().all(|c| letters(c) || c == b'-');
    let ends = text.bytes().next().is_some_and(letters) && text.bytes().last().is_some_and(letters);
    if inner && ends && text.len() <= 63 {
        return Ok(());
    }
    Err("lower-case letters, digits and hyphens, up to 63".into())
}
