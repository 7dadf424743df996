//! `bramble init`: flags or answers become a draft, the draft becomes the file.

use crate::args::{Global, InitArgs};
use crate::ask;
use crate::context::load_text;
use crate::error::CliError;
use crate::files;
use crate::printer::{Printer, Style};
use bramble_spec::cluster::{Role, Version};
use bramble_spec::file::{BuiltIn, Plugin};
use bramble_spec::{Draft, DraftMachine};
use inquire::validator::Validation;
use inquire::{Confirm, Text};
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
    let draft = if draft.name.is_empty() || draft.machines.is_empty() {
        let missing = missing(&draft);
        if !ask::possible() {
            return Err(CliError::usage(format!("not said and nobody to ask: {missing}"))
                .hint("example: bramble init --name home --machine one=192.168.1.11 --machine two=192.168.1.12"));
        }
        questions(draft, args, printer)?
    } else {
        draft
    };
    let text = draft.to_yaml();
    // Only a file that is right is written.
    load_text(path, &text, printer)?;
    files::write(path, text.as_bytes(), 0o644, args.force)?;
    done(path, &draft, printer);
    Ok(())
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
    let machines = draft
        .machines
        .is_empty()
        .then_some("--machine NAME=ADDRESS");
    name.into_iter()
        .chain(machines)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What the flags say; the rest is empty.
fn draft(args: &InitArgs) -> Result<Draft, CliError> {
    let version = match &args.kubernetes {
        Some(text) => bramble_bundle::parse_version(text)
            .map_err(|e| CliError::usage(format!("--kubernetes: {e}")))?,
        None => bramble_spec::DEFAULT_VERSION,
    };
    let mut machines = Vec::new();
    for text in &args.machines {
        machines.push(
            machine(text, machines.is_empty())
                .map_err(|e| CliError::usage(format!("--machine {text}: {e}")))?,
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

/// `NAME=ADDRESS[,ROLE]...`; without roles the first machine is the control plane.
fn machine(text: &str, first: bool) -> Result<DraftMachine, String> {
    let (name, rest) = text
        .split_once('=')
        .ok_or("write it as NAME=ADDRESS[,ROLE]")?;
    let mut parts = rest.split(',').map(str::trim);
    let address = address(parts.next().unwrap_or_default())?;
    let mut roles = parts.map(role).collect::<Result<Vec<_>, _>>()?;
    if roles.is_empty() {
        roles.push(if first {
            Role::ControlPlane
        } else {
            Role::Worker
        });
    }
    if name.trim().is_empty() {
        return Err("it has no name: write it as NAME=ADDRESS[,ROLE]".into());
    }
    Ok(DraftMachine {
        name: name.trim().to_owned(),
        roles,
        address,
    })
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

/// Asks for what the flags left open.
fn questions(mut draft: Draft, args: &InitArgs, printer: &Printer) -> Result<Draft, CliError> {
    printer.note(
        "A few questions; Enter takes the value in brackets, Ctrl-C leaves and writes nothing.",
    );
    if draft.name.is_empty() {
        draft.name = text("Name of the cluster:", Some("home"), label)?;
    }
    if draft.machines.is_empty() {
        machines(&mut draft)?;
    }
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

/// The control plane, then workers until an empty name.
fn machines(draft: &mut Draft) -> Result<(), CliError> {
    let name = text("Control plane, its name:", Some("one"), label)?;
    draft.machines.push(asked(name, Role::ControlPlane)?);
    loop {
        let taken: Vec<String> = draft.machines.iter().map(|m| m.name.clone()).collect();
        let valid = move |t: &str| match t {
            "" => Ok(()),
            t if taken.iter().any(|n| n == t) => Err(format!("{t} is named already")),
            t => label(t),
        };
        let name = text("Worker, its name (Enter: no more workers):", None, valid)?;
        if name.is_empty() {
            return Ok(());
        }
        draft.machines.push(asked(name, Role::Worker)?);
    }
}

fn asked(name: String, role: Role) -> Result<DraftMachine, CliError> {
    let question = format!("Address of {name}:");
    let answer = text(&question, None, |t| address(t).map(drop))?;
    let address = address(&answer).map_err(CliError::usage)?;
    Ok(DraftMachine {
        name,
        roles: vec![role],
        address,
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
        for wrong in ["one", "one=", "one=here", "=10.0.0.1", "one=10.0.0.1,boss"] {
            assert!(roles(wrong, true).is_err(), "{wrong}");
        }
    }
}
