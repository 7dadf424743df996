//! What labs and machines are, as seen now.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cgroup::Groups;
use crate::command::run;
use crate::topology::{LabMachine, Net};

/// A lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabStatus {
    /// Its name.
    pub name: String,
    /// Its state directory.
    pub dir: PathBuf,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// Its networks.
    pub networks: Vec<Net>,
    /// Its machines, in the topology's order.
    pub machines: Vec<MachineStatus>,
    /// Why its record can't be read, if so; `down` removes it nevertheless.
    pub damaged: Option<String>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineStatus {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub state: MachineState,
    /// Its first process, seen from this computer; `/proc/<pid>/root` is its file system.
    pub pid: Option<u32>,
    /// Its addresses: those it has while it runs, else those on its disk.
    pub addresses: Vec<Ipv4Addr>,
    /// Addresses that it is to be given by a DHCP server, and does not have.
    pub expected: Vec<Ipv4Addr>,
    /// Since its last boot.
    pub uptime: Option<Duration>,
}

/// Whether a machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineState {
    /// Off.
    Stopped,
    /// Switched on, but nothing of the system runs yet (or between two boots).
    Starting,
    /// On.
    Running,
    /// On, with all its processes stopped.
    Frozen,
}

impl MachineState {
    /// The state in a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "off",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Frozen => "frozen",
        }
    }
}

/// Whether the machine of these groups runs.
pub(crate) fn state(groups: &Groups) -> MachineState {
    if groups.processes().is_empty() {
        MachineState::Stopped
    } else if groups.is_frozen() {
        MachineState::Frozen
    } else if groups.leader().is_some() {
        MachineState::Running
    } else {
        MachineState::Starting
    }
}

pub(crate) fn machine(machine: &LabMachine, groups: &Groups) -> MachineStatus {
    let pid = groups.leader();
    let addresses = pid
        .map(addresses_of)
        .filter(|a| !a.is_empty())
        .unwrap_or_else(|| machine.static_addresses());
    let mut expected = machine.reserved_addresses();
    expected.retain(|address| !addresses.contains(address));
    MachineStatus {
        name: machine.name.clone(),
        state: state(groups),
        pid: pid.and_then(|p| u32::try_from(p).ok()),
        addresses,
        expected,
        uptime: pid.and_then(uptime_of),
    }
}

#[derive(Deserialize)]
struct Interface {
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<Ipv4Addr>,
}

fn addresses_of(pid: i32) -> Vec<Ipv4Addr> {
    let net = format!("--net=/proc/{pid}/ns/net");
    let text = run(
        "read a machine's addresses",
        "nsenter",
        [&net, "ip", "-j", "-4", "address", "show", "up"],
    )
    .unwrap_or_default();
    let interfaces: Vec<Interface> = serde_json::from_str(&text).unwrap_or_default();
    interfaces
        .into_iter()
        .filter(|i| i.ifname != "lo")
        .flat_map(|i| i.addr_info)
        .filter_map(|a| a.local)
        .collect()
}

fn uptime_of(pid: i32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 22, counted after the command's closing parenthesis, which is field 2.
    let ticks: u64 = stat
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let now = std::fs::read_to_string("/proc/uptime").ok()?;
    let now: f64 = now.split_whitespace().next()?.parse().ok()?;
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    let started = Duration::from_millis(ticks * 1000) / per_second.max(1);
    Duration::try_from_secs_f64(now).ok()?.checked_sub(started)
}
