//! The lab of the preparation bench, and what happens to machines of the other labs.

use anyhow::{Context, Result, bail};
use bramble_lab::{
    AddressMode, Boot, DEFAULT_BASE, ImageOptions, Lab, LabMachine, Link, Net, Options, Topology,
};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

/// Name of the lab.
pub const NAME: &str = "bench";

const NET: [u8; 4] = [10, 215, 0, 0];

/// What the peers need on a machine. The tasks' own packages come along, so that the first run, which
/// nobody measures, does not install them sixteen times.
const PEERS: [&str; 2] = ["python3", "python3-apt"];

/// Makes the lab and waits until every machine answers.
pub fn up(count: u8) -> Result<()> {
    let packages = PEERS.iter().chain(&super::tasks::PACKAGES);
    let options = Options {
        image: ImageOptions {
            packages: packages.map(|p| (*p).to_owned()).collect(),
        },
        ..Options::default()
    };
    Lab::up(&topology(count)?, &options, |_| {})?;
    Ok(())
}

/// How long a machine that is added may take until its SSH server answers.
const READY: Duration = Duration::from_secs(120);

/// Adds a machine to a lab with a router, in the network outside: `address` with the length of its
/// network's prefix, and its way on.
pub fn outsider(lab: &str, name: &str, address: &str, gateway: &str) -> Result<()> {
    let machine = LabMachine {
        name: name.to_owned(),
        boot: Boot::On,
        links: vec![Link {
            net: "wan".to_owned(),
            interface: None,
            mac: None,
            address: AddressMode::Static {
                address: address.parse().context("the machine's address")?,
                gateway: Some(gateway.parse().context("the gateway's address")?),
                dns: Vec::new(),
            },
        }],
    };
    Lab::open(lab)?.add_machine(machine, READY, |_| {})?;
    Ok(())
}

/// Lets a machine of a lab fail, or mends it.
pub fn machine(lab: &str, name: &str, what: &str) -> Result<()> {
    let lab = Lab::open(lab)?;
    match what {
        "freeze" => lab.freeze(name)?,
        "thaw" => lab.thaw(name)?,
        "kill" => lab.kill(name)?,
        "start" => lab.start(name, READY, |_| {})?,
        other => bail!("{other}: freeze, thaw, kill or start"),
    }
    Ok(())
}

/// Removes the lab, whatever condition it is in.
pub fn down() -> Result<()> {
    Lab::down_by_name(Path::new(DEFAULT_BASE), NAME, |_| {})?;
    Ok(())
}

/// The address by which a machine of the lab is reached.
pub fn address(machine: &LabMachine) -> Option<Ipv4Addr> {
    machine.links.iter().find_map(|link| match &link.address {
        AddressMode::Static { address, .. } => Some(address.addr()),
        _ => None,
    })
}

fn topology(count: u8) -> Result<Topology> {
    let at = |last: u8| Ipv4Addr::new(NET[0], NET[1], NET[2], last);
    let machines = (1..=count).map(|n| {
        let last = n.checked_add(10).context("too many machines")?;
        Ok(LabMachine {
            name: format!("m{n:02}"),
            links: vec![Link {
                net: "lan".to_owned(),
                interface: None,
                mac: None,
                address: AddressMode::Static {
                    address: ipnet::Ipv4Net::new(at(last), 24)?,
                    gateway: Some(at(1)),
                    dns: Vec::new(),
                },
            }],
            boot: Boot::On,
        })
    });
    Ok(Topology {
        name: NAME.to_owned(),
        networks: vec![Net {
            name: "lan".to_owned(),
            range: ipnet::Ipv4Net::new(NET.into(), 24)?,
            gateway: Some(at(1)),
            nat: true,
        }],
        machines: machines.collect::<Result<_>>()?,
    })
}
