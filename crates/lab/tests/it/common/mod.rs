//! Labs for tests, removed whatever happens, and what this computer looks like beside them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bramble_lab::{
    AddressMode, Boot, DEFAULT_BASE, Event, Lab, LabMachine, Link, Net, Options, Topology,
};

/// Labs of this program run one after the other: before and after are compared, and two processors
/// are soon busy.
static TURN: Mutex<()> = Mutex::new(());

pub const LIMIT: Duration = Duration::from_secs(120);

/// A test's turn, with the names of its labs, which are removed at its end.
pub struct Turn {
    _turn: MutexGuard<'static, ()>,
    labs: Vec<String>,
    pub events: RefCell<Vec<Event>>,
}

impl Turn {
    pub fn take(labs: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        let missing = bramble_lab::preflight();
        assert!(missing.is_empty(), "this computer lacks: {missing:?}");
        let labs: Vec<String> = labs.iter().map(|l| (*l).to_owned()).collect();
        // What an earlier, killed run of the tests left.
        for lab in &labs {
            Lab::down_by_name(Path::new(DEFAULT_BASE), lab, |_| {}).unwrap();
        }
        Self {
            _turn: turn,
            labs,
            events: RefCell::default(),
        }
    }

    pub fn up(&self, topology: &Topology) -> Lab {
        assert!(self.labs.contains(&topology.name));
        Lab::up(topology, &Options::default(), |e| {
            self.events.borrow_mut().push(e);
        })
        .unwrap()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        for lab in &self.labs {
            if let Err(error) = Lab::down_by_name(Path::new(DEFAULT_BASE), lab, |_| {}) {
                eprintln!("lab {lab} could not be removed: {error}");
            }
        }
    }
}

/// A network 10.213.`third`.0/24 with this computer at .1 as the way outside.
pub fn nat_net(third: u8) -> Net {
    Net {
        name: "lan".into(),
        range: format!("10.213.{third}.0/24").parse().unwrap(),
        gateway: Some(format!("10.213.{third}.1").parse().unwrap()),
        nat: true,
    }
}

pub fn machine(name: &str, third: u8, last: u8) -> LabMachine {
    LabMachine {
        name: name.into(),
        links: vec![Link {
            net: "lan".into(),
            interface: None,
            mac: None,
            address: AddressMode::Static {
                address: format!("10.213.{third}.{last}/24").parse().unwrap(),
                gateway: Some(format!("10.213.{third}.1").parse().unwrap()),
                dns: vec![],
            },
        }],
        boot: Boot::On,
    }
}

pub fn topology(name: &str, third: u8, machines: &[&str]) -> Topology {
    Topology {
        name: name.into(),
        networks: vec![nat_net(third)],
        machines: machines
            .iter()
            .zip(11..)
            .map(|(name, last)| machine(name, third, last))
            .collect(),
    }
}

/// Runs a program on a machine by OpenSSH's client; its standard output.
pub fn ssh(lab: &Lab, machine: &str, program: &str) -> String {
    let output = lab
        .ssh_command(machine)
        .unwrap()
        .arg(program)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "on {machine}: {program}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Polls until the condition holds.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asserts that the computer is as before. Briefly patient, since killed processes of others may
/// still be on their way out.
pub fn assert_as_before(before: &BTreeSet<String>, when: &str) {
    let begin = Instant::now();
    loop {
        let now = traces();
        if now == *before {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{when}: this computer is not as before: {:#?}",
            now.symmetric_difference(before).collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What labs might leave on this computer, one line each. Others may use the computer meanwhile:
/// what belongs to labs that are none of these tests' is left out.
pub fn traces() -> BTreeSet<String> {
    let mut others: Vec<String> = vec![];
    let mut foreign = false;
    for lab in Lab::list(Path::new(DEFAULT_BASE)) {
        let name = lab.name;
        if !name.starts_with("t-") {
            foreign = true;
            others.extend([
                format!("/{name}/"),
                format!("/{name} "),
                format!("/{name}.lab "),
                format!("/{name}.lock "),
                format!("inet bramble-lab-{name} "),
            ]);
            for net in lab.networks {
                others.extend(bridge_of(&name, &net.name));
            }
        }
    }
    let mut found = BTreeSet::new();
    let mut add = |kind: &str, text: &str| {
        for line in text.lines() {
            let line = format!("{kind}: {} ", line.trim());
            if !others.iter().any(|o| line.contains(o.as_str())) {
                found.insert(line);
            }
        }
    };
    // Without numbers, states and veths' other ends, which change by themselves.
    let links: Vec<String> = text("ip", &["-o", "link"])
        .lines()
        .filter_map(|line| {
            let name = line.split(": ").nth(1)?.split('@').next()?.to_owned();
            let master = line.split(" master ").nth(1);
            let master = master.and_then(|m| m.split(' ').next()).unwrap_or_default();
            Some(format!("{name} {master}"))
        })
        .collect();
    add("link", &links.join("\n"));
    add(
        "route",
        &text("ip", &["-4", "route", "show", "table", "all"]),
    );
    add("table", &text("nft", &["list", "tables"]));
    add("mount", &read("/proc/mounts"));
    add(
        "groups",
        &text(
            "find",
            &["/sys/fs/cgroup", "-type", "d", "-path", "*/bramble-lab/?*"],
        ),
    );
    add("process", &processes());
    add(
        "file",
        &text(
            "find",
            &[
                "/run/bramble-lab",
                "/run/systemd/nspawn",
                "/var/lib/bramble-lab",
                "-mindepth",
                "1",
            ],
        ),
    );
    if !foreign {
        add("forward", &read("/proc/sys/net/ipv4/ip_forward"));
        add(
            "instances",
            &read("/proc/sys/fs/inotify/max_user_instances"),
        );
        add("watches", &read("/proc/sys/fs/inotify/max_user_watches"));
    }
    // Another's work in this moment.
    found.retain(|line| !line.contains(".all.lock"));
    if foreign {
        found.retain(|line| !line.contains("settings.json"));
    }
    found
}

fn text(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The bridge of another's network, by the alias that it bears.
fn bridge_of(lab: &str, net: &str) -> Option<String> {
    let all = text("ip", &["-d", "-o", "link"]);
    let line = all
        .lines()
        .find(|l| l.contains(&format!("alias bramble-lab:{lab}:{net}")))?;
    Some(line.split(": ").nth(1)?.to_owned())
}

/// Processes that name a lab's directory or are in a lab's group.
fn processes() -> String {
    let mut found = String::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let group = std::fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // Dead, and only waiting for its parent to take note.
        let zombie = stat
            .rsplit_once(") ")
            .is_some_and(|(_, s)| s.starts_with('Z'));
        if zombie {
            continue;
        }
        if group.contains("/bramble-lab") || line.contains(DEFAULT_BASE) {
            let group = group.lines().find(|l| l.contains("/bramble-lab"));
            let group = group.unwrap_or_default();
            found.push_str(&format!("{line} {group}\n"));
        }
    }
    found
}
