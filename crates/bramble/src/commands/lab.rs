//! `bramble lab`: real Debian machines on this computer.

use crate::args::{Global, LabAction};
use crate::context::load_file;
use crate::error::{CliError, Explain, Kind};
use crate::printer::{Printer, Style};
use bramble_lab::{AddressMode, Event, Lab, LabMachine, LabStatus, Link, Net, Options, Topology};
use bramble_spec::Cluster;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// The network's name inside a lab.
const LAN: &str = "lan";

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
    match action {
        LabAction::Up => up(global, printer),
        LabAction::Down { all: true, .. } => {
            let names: Vec<String> = Lab::list(base()).into_iter().map(|lab| lab.name).collect();
            down(&names, printer)
        }
        LabAction::Down { name, .. } => {
            let name = name.map_or_else(|| load_file(&global.file, printer).map(|c| c.name), Ok)?;
            down(&[name], printer)
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
    let topology = topology(&cluster)?;
    if let Some(there) = Lab::list(base())
        .into_iter()
        .find(|l| l.name == cluster.name)
    {
        return resume(&there, &topology, printer);
    }
    let lab = Lab::up(&topology, &Options::default(), |event| {
        tell(printer, &event)
    })
    .map_err(explain)?;
    done(printer, lab.name(), topology.machines.len());
    Ok(())
}

/// A lab of that name is there: machines that are off are switched on, new ones are added.
fn resume(there: &LabStatus, topology: &Topology, printer: &Printer) -> Result<(), CliError> {
    let lab = Lab::open(&there.name).map_err(explain)?;
    let options = Options::default();
    for machine in &topology.machines {
        match there.machines.iter().find(|m| m.name == machine.name) {
            None => lab
                .add_machine(machine.clone(), options.ready_limit, |event| {
                    tell(printer, &event)
                })
                .map_err(explain)?,
            Some(m) if m.state == bramble_lab::MachineState::Stopped => lab
                .start(&machine.name, options.ready_limit, |event| {
                    tell(printer, &event)
                })
                .map_err(explain)?,
            Some(_) => {}
        }
    }
    done(printer, &there.name, topology.machines.len());
    Ok(())
}

fn done(printer: &Printer, name: &str, machines: usize) {
    if printer.json() {
        printer.value(&Lab::list(base()).into_iter().find(|l| l.name == name));
    } else {
        printer.out(format!("lab {name} is up: {machines} machines"));
    }
}

fn down(names: &[String], printer: &Printer) -> Result<(), CliError> {
    let mut gone = Vec::new();
    for name in names {
        let there =
            Lab::down_by_name(base(), name, |event| tell(printer, &event)).map_err(explain)?;
        if there {
            gone.push(name);
        }
        if !printer.json() {
            printer.out(if there {
                format!("lab {name} is gone")
            } else {
                format!("there is no lab {name}: nothing to do")
            });
        }
    }
    if printer.json() {
        printer.value(&json!({ "gone": gone }));
    }
    Ok(())
}

fn list(printer: &Printer) -> Result<(), CliError> {
    if !rustix::process::geteuid().is_root() {
        return Err(CliError::failed("labs belong to root").hint("sudo bramble lab list"));
    }
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
            let addresses: Vec<String> =
                machine.addresses.iter().map(Ipv4Addr::to_string).collect();
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
    if !has_sshd(&lab, machine) {
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

/// Whether something listens where a machine's sshd should.
fn has_sshd(lab: &Lab, machine: &str) -> bool {
    let all = lab.status().machines;
    let found = all.iter().find(|m| m.name == machine);
    let addresses = found.map(|m| m.addresses.as_slice()).unwrap_or_default();
    addresses
        .iter()
        .any(|a| TcpStream::connect_timeout(&(*a, 22).into(), SSHD_LIMIT).is_ok())
}

/// The machines of a cluster file as a lab: one network, the addresses of the file.
fn topology(cluster: &Cluster) -> Result<Topology, CliError> {
    let Some(ipnet::IpNet::V4(range)) = cluster.network.lan else {
        return Err(
            CliError::usage("a lab needs one IPv4 network for all its machines")
                .hint("set network.lan, such as 10.77.0.0/24"),
        );
    };
    let taken = |a: Ipv4Addr| cluster.machines.iter().any(|m| m.address == IpAddr::V4(a));
    let gateway = range
        .hosts()
        .find(|a| !taken(*a))
        .ok_or_else(|| CliError::usage(format!("{range} has no address left for this computer")))?;
    let machines = cluster
        .machines
        .iter()
        .map(|machine| match machine.address {
            IpAddr::V4(address) => Ok(LabMachine {
                name: machine.name.clone(),
                boot: bramble_lab::Boot::On,
                links: vec![Link {
                    net: LAN.into(),
                    interface: None,
                    mac: machine.mac.clone(),
                    address: AddressMode::Static {
                        address: ipnet::Ipv4Net::new(address, range.prefix_len())
                            .explain(format!("the address of {}", machine.name))?,
                        gateway: Some(gateway),
                        dns: Vec::new(),
                    },
                }],
            }),
            IpAddr::V6(_) => Err(CliError::usage(format!(
                "{} has an IPv6 address; lab machines have IPv4 ones",
                machine.name
            ))),
        });
    Ok(Topology {
        name: cluster.name.clone(),
        networks: vec![Net {
            name: LAN.into(),
            range,
            gateway: Some(gateway),
            nat: true,
        }],
        machines: machines.collect::<Result<_, _>>()?,
    })
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
            let addresses: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
            printer.note(format!(
                "✓ {machine:<12} {} answers, {:.1} s",
                addresses.join(" "),
                took.as_secs_f64()
            ));
        }
        _ => {}
    }
}

fn explain(error: bramble_lab::Error) -> CliError {
    CliError::failed(crate::error::chain(&error))
}
