//! `bramble lab`: real Debian machines on this computer.

use crate::args::{Global, LabAction};
use crate::context::load_file;
use crate::error::{CliError, Explain, Kind};
use crate::printer::{Printer, Style};
use crate::suggest::closest;
use bramble_lab::{Event, Lab, LabStatus, Options, Topology};
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

mod off;
mod part;
mod topology;

pub use off::{check_on, perhaps_gone};
pub use part::{gone, ready};

/// How long a machine's sshd may take to be heard.
const SSHD_LIMIT: Duration = Duration::from_secs(2);

/// Runs one of the actions.
pub async fn run(global: &Global, action: LabAction, printer: &Printer) -> Result<(), CliError> {
    let (global, printer) = (global.clone(), *printer);
    // The lab's calls wait for processes.
    tokio::task::spawn_blocking(move || act(&global, action, &printer))
        .await
        .map_err(|e| CliError::failed(format!("the lab's work broke off: {e}")))?
}

fn act(global: &Global, action: LabAction, printer: &Printer) -> Result<(), CliError> {
    // `check` says itself that this is missing, with everything else.
    if !matches!(action, LabAction::Check) && !rustix::process::geteuid().is_root() {
        let word = match &action {
            LabAction::Up => "up",
            LabAction::Down { .. } => "down",
            LabAction::List => "list",
            LabAction::Check => "check",
            LabAction::Ssh { machine, .. } => &format!("ssh {machine}"),
        };
        return Err(
            CliError::failed("labs belong to root").hint(format!("sudo bramble lab {word}"))
        );
    }
    match action {
        LabAction::Up => up(global, printer),
        LabAction::Down { all: true, .. } => {
            let names: Vec<String> = Lab::list(base()).into_iter().map(|lab| lab.name).collect();
            down(&names, true, printer)
        }
        LabAction::Down { name: None, .. } => {
            down(&[load_file(&global.file, printer)?.name], true, printer)
        }
        LabAction::Down {
            name: Some(name), ..
        } => {
            // A mistyped name would look like a lab that is gone.
            let wished = is_of_file(&global.file, &name);
            down(&[name], wished, printer)
        }
        LabAction::List => list(printer),
        LabAction::Check => check(printer),
        LabAction::Ssh { machine, command } => ssh(global, &machine, &command, printer),
    }
}

fn base() -> &'static Path {
    Path::new(bramble_lab::DEFAULT_BASE)
}

fn up(global: &Global, printer: &Printer) -> Result<(), CliError> {
    let cluster = load_file(&global.file, printer)?;
    let topology = topology::topology(&cluster)?;
    switch_on(&topology, &|event| tell(printer, &event))?;
    done(printer, &topology.name, topology.machines.len());
    Ok(())
}

/// Makes a lab, or what is missing of one.
fn switch_on(topology: &Topology, on: &dyn Fn(Event)) -> Result<(), CliError> {
    let mut labs = Lab::list(base()).into_iter();
    match labs.find(|l| l.name == topology.name) {
        Some(there) => resume(&there, topology, on),
        None => Lab::up(topology, &Options::default(), on)
            .map(drop)
            .map_err(explain),
    }
}

/// A lab of that name is there: machines that are off are switched on, new ones are added.
fn resume(there: &LabStatus, topology: &Topology, on: &dyn Fn(Event)) -> Result<(), CliError> {
    let lab = Lab::open(&there.name).map_err(explain)?;
    if there.damaged.is_none() && there.networks != topology.networks {
        return Err(CliError::failed(format!(
            "the lab `{}` has other networks than the file",
            there.name
        ))
        .hint(format!(
            "make it anew: bramble lab down {}, then bramble lab up",
            there.name
        )));
    }
    let options = Options::default();
    for machine in &topology.machines {
        match there.machines.iter().find(|m| m.name == machine.name) {
            None => lab
                .add_machine(machine.clone(), options.ready_limit, on)
                .map_err(explain)?,
            Some(m) if m.state == bramble_lab::MachineState::Stopped => lab
                .start(&machine.name, options.ready_limit, on)
                .map_err(explain)?,
            Some(_) => {}
        }
    }
    Ok(())
}

fn done(printer: &Printer, name: &str, machines: usize) {
    if printer.json() {
        printer.value(&Lab::list(base()).into_iter().find(|l| l.name == name));
    } else {
        let s = if machines == 1 { "" } else { "s" };
        printer.out(format!("the lab `{name}` is up: {machines} machine{s}"));
    }
}

/// Takes labs away. Where there is none of a name, it is an error unless that is as `wished`.
fn down(names: &[String], wished: bool, printer: &Printer) -> Result<(), CliError> {
    let mut gone = Vec::new();
    for name in names {
        let there =
            Lab::down_by_name(base(), name, |event| tell(printer, &event)).map_err(explain)?;
        if there {
            gone.push(name);
        } else if !wished {
            return Err(unknown(name));
        }
        if !printer.json() {
            printer.out(if there {
                format!("the lab `{name}` is gone")
            } else {
                format!("there is no lab `{name}`: nothing to do")
            });
        }
    }
    if printer.json() {
        printer.value(&json!({ "gone": gone }));
    }
    Ok(())
}

/// Whether the cluster file has this name. A file that can't be read names nothing.
fn is_of_file(file: &Path, name: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    bramble_spec::load("", &text).is_ok_and(|cluster| cluster.name == name)
}

/// The error of a name that no lab has.
fn unknown(name: &str) -> CliError {
    let all: Vec<String> = Lab::list(base()).into_iter().map(|lab| lab.name).collect();
    let error = CliError::usage(format!("there is no lab `{name}` on this computer"));
    match closest(name, all.iter().map(String::as_str)) {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None if all.is_empty() => error.hint("there are no labs at all: nothing is left to remove"),
        None => error.hint(format!("labs are: {}", all.join(", "))),
    }
}

fn list(printer: &Printer) -> Result<(), CliError> {
    let labs = Lab::list(base());
    if printer.json() {
        printer.value(&labs);
        return Ok(());
    }
    if labs.is_empty() {
        printer.out("there are no labs on this computer");
    }
    for lab in labs {
        let ranges: Vec<String> = lab.networks.iter().map(|n| n.range.to_string()).collect();
        let head = printer.paint(Style::Bold, &lab.name);
        printer.out(format!("{head}  {}", ranges.join(", ")));
        if let Some(damage) = &lab.damaged {
            printer.out(format!(
                "  damaged: {damage} (remedy: bramble lab down {})",
                lab.name
            ));
        }
        for machine in &lab.machines {
            let mut addresses: Vec<String> =
                machine.addresses.iter().map(Ipv4Addr::to_string).collect();
            if !machine.expected.is_empty() {
                addresses.push(format!("(asks for {})", texts(&machine.expected)));
            }
            let uptime = machine
                .uptime
                .map_or(String::new(), |u| format!("{} s", u.as_secs()));
            printer.out(format!(
                "  {:<16} {:<9} {:<16} {uptime}",
                machine.name,
                machine.state.as_str(),
                addresses.join(" ")
            ));
        }
    }
    Ok(())
}

fn check(printer: &Printer) -> Result<(), CliError> {
    let missing = bramble_lab::preflight();
    if printer.json() {
        printer.value(&missing);
    } else if missing.is_empty() {
        printer.out("this computer can run labs");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if printer.json() {
        return Err(CliError::silent(Kind::Failed));
    }
    Err(explain(bramble_lab::Error::Unable(missing)))
}

fn ssh(
    global: &Global,
    machine: &str,
    command: &[String],
    printer: &Printer,
) -> Result<(), CliError> {
    let name = load_file(&global.file, printer)?.name;
    let lab = Lab::open(&name).map_err(explain)?;
    let mut shell = lab.ssh_command(machine).map_err(explain)?;
    shell.args(command);
    if !lab.hears_ssh(machine, SSHD_LIMIT).map_err(explain)? {
        printer.note(format!(
            "{machine}'s sshd does not answer: entering it from this computer"
        ));
        shell = lab
            .enter_command(machine, &command.join(" "))
            .map_err(explain)?;
    }
    let status = shell.status().explain("the shell")?;
    match status.code() {
        Some(0) => Ok(()),
        code => {
            let code = code.and_then(|c| u8::try_from(c).ok()).unwrap_or(1);
            Err(CliError::silent(Kind::Code(code)))
        }
    }
}

fn tell(printer: &Printer, event: &Event) {
    match event {
        Event::ImageProgress { line } if printer.live => printer.note(format!("  image: {line}")),
        Event::ImageReady {
            cached: false,
            took,
            ..
        } => {
            printer.note(format!(
                "✓ image of Debian made, {:.1} s",
                took.as_secs_f64()
            ));
        }
        Event::MachineReady {
            machine,
            addresses,
            took,
        } => {
            let addresses = match addresses.as_slice() {
                [] => "without an address".to_owned(),
                some => texts(some),
            };
            printer.note(format!(
                "✓ {machine:<12} {addresses} answers, {:.1} s",
                took.as_secs_f64()
            ));
        }
        _ => {}
    }
}

fn texts(addresses: &[Ipv4Addr]) -> String {
    let texts: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
    texts.join(" ")
}

fn explain(error: bramble_lab::Error) -> CliError {
    let text = crate::error::chain(&error);
    match &error {
        bramble_lab::Error::NoMachine { machine, known, .. } => {
            let error = CliError::usage(text);
            match closest(machine, known.iter().map(String::as_str)) {
                Some(meant) => error.hint(format!("did you mean {meant}?")),
                None => error,
            }
        }
        _ => CliError::failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::explain;
    use crate::error::Kind;

    #[test]
    fn a_machine_that_the_lab_lacks_is_wrong_use_as_it_is_elsewhere() {
        let error = |machine: &str| {
            explain(bramble_lab::Error::NoMachine {
                lab: "home".into(),
                machine: machine.into(),
                known: vec!["gate".into(), "one".into()],
            })
        };
        let unknown = error("nobody");
        assert_eq!(unknown.kind, Kind::Usage);
        assert!(unknown.message.contains("the lab `home`"), "{unknown:?}");
        assert!(unknown.message.ends_with("gate, one"), "{unknown:?}");
        assert_eq!(error("gat").hints, ["did you mean gate?"]);
    }
}
