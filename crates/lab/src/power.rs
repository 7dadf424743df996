//! Switching machines on and off.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cgroup::{Groups, Layout, unit_name};
use crate::command::run;
use crate::error::{At, Error, Result};
use crate::state::{MachinePlaces, write_file};
use crate::topology::{LabMachine, bridge_name, digest, mac_address, veth_name};

/// How long killed processes and empty groups may take to go.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(30);

/// Devices that a machine gets where this computer has them, beside systemd-nspawn's own: for
/// tunnels, file systems in user space, and the kubelet.
const DEVICES: [&str; 3] = ["/dev/net/tun", "/dev/fuse", "/dev/kmsg"];

/// One machine and where it lives.
pub(crate) struct Power<'a> {
    pub(crate) lab: &'a str,
    pub(crate) machine: &'a LabMachine,
    pub(crate) places: MachinePlaces,
    pub(crate) image: &'a Path,
    pub(crate) layout: &'a Layout,
}

impl Power<'_> {
    pub(crate) fn groups(&self) -> Groups {
        self.layout.machine(self.lab, &self.machine.name)
    }

    /// Switches the machine on; returns at once.
    pub(crate) fn on(&self) -> Result<()> {
        let groups = self.groups();
        if !matches!(self.layout, Layout::Systemd(_)) {
            groups.create()?;
        }
        let _ = std::fs::remove_file(self.places.ended());
        write_file(&self.places.script(), &self.script(), 0o700)?;
        let script = self.places.script();
        let console = self.places.console();
        let own_mounts = ["unshare", "--mount", "--propagation=private", "sh"];
        if let Layout::Systemd(_) = self.layout {
            let unit = unit_name(self.lab, &self.machine.name);
            let append = format!("append:{}", console.display());
            let mut args: Vec<String> = ["--quiet", "--collect", "--unit", &unit]
                .map(str::to_owned)
                .to_vec();
            for property in [
                "Type=exec".to_owned(),
                "Slice=system.slice".to_owned(),
                "Delegate=yes".to_owned(),
                "TasksMax=infinity".to_owned(),
                format!("StandardOutput={append}"),
                format!("StandardError={append}"),
            ] {
                args.extend(["--property".to_owned(), property]);
            }
            args.extend(own_mounts.map(str::to_owned));
            args.push(script.to_string_lossy().into_owned());
            run("switch a machine on", "systemd-run", &args)?;
            return Ok(());
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(&console)
            .at("open", &console)?;
        let log2 = log.try_clone().at("open", &console)?;
        // Its own session and no parent: it outlives this program.
        let status = Command::new("setsid")
            .arg("--fork")
            .args(own_mounts)
            .arg(&script)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log2)
            .status()
            .at("start setsid for", &script)?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Command {
                what: "switch a machine on".to_owned(),
                program: "setsid".to_owned(),
                outcome: format!("failed ({status})"),
                stderr: self.places.console_tail(10),
            })
        }
    }

    fn script(&self) -> String {
        let groups: Vec<String> = self
            .groups()
            .0
            .iter()
            .map(|g| g.to_string_lossy().into_owned())
            .collect();
        let layout = match self.layout {
            Layout::V1(_) => "v1",
            Layout::V2(_) | Layout::Systemd(_) => "v2",
        };
        let devices: Vec<String> = DEVICES
            .iter()
            .filter(|d| Path::new(d).exists())
            .map(|d| format!("--bind={d}"))
            .collect();
        let name = &self.machine.name;
        let mut text = String::from("#!/bin/sh\n");
        for (key, value) in [
            ("dir", self.places.0.to_string_lossy().into_owned()),
            ("image", self.image.to_string_lossy().into_owned()),
            ("layout", layout.to_owned()),
            ("groups", groups.join(" ")),
            ("name", name.clone()),
            ("machine", nspawn_name(self.lab, name)),
            ("devices", devices.join(" ")),
        ] {
            let _ = writeln!(text, "{key}={}", quote(&value));
        }
        text.push_str("cables() {\n    :\n");
        for (position, link) in self.machine.links.iter().enumerate() {
            let veth = veth_name(self.lab, name, position);
            let mac = mac_address(self.lab, name, position, link);
            let inside = link.interface_name(position);
            let bridge = bridge_name(self.lab, &link.net);
            let _ = write!(
                text,
                "    ip link delete {veth} 2> /dev/null || :\n    \
                 ip link add {veth} type veth peer name {inside} address {mac} netns \"$dir/netns\"\n    \
                 ip link set {veth} master {bridge} up\n"
            );
        }
        text.push_str("}\n");
        text.push_str(include_str!("assets/run.sh"));
        text
    }

    /// Waits until the SSH server answers, inside and, given `address`, from this computer; not the
    /// server of the boot whose first process was `before`.
    pub(crate) fn wait_ready(
        &self,
        before: Option<u32>,
        address: Option<Ipv4Addr>,
        limit: Duration,
    ) -> Result<()> {
        let before = before.and_then(|pid| i32::try_from(pid).ok());
        let begin = Instant::now();
        let groups = self.groups();
        let mut leader: Option<i32> = None;
        let mut inside = false;
        loop {
            if leader.is_none_or(|pid| !Path::new(&format!("/proc/{pid}/ns/net")).exists()) {
                leader = groups.leader().filter(|pid| Some(*pid) != before);
                inside = false;
            }
            if let Some(pid) = leader {
                inside = inside || (answers_inside(pid, HEARD_LIMIT) && logins_allowed(pid));
                if inside && address.is_none_or(|a| answers(a, HEARD_LIMIT)) {
                    return Ok(());
                }
            }
            let failed = |what: String| Error::NotReady {
                machine: self.machine.name.clone(),
                what,
                awaited: match (inside, address) {
                    (true, Some(address)) => format!("its SSH server to answer on {address}"),
                    _ => "its SSH server".to_owned(),
                },
                waited: begin.elapsed(),
                console: self.places.console_tail(20),
            };
            if let Ok(status) = std::fs::read_to_string(self.places.ended()) {
                let text = format!("it switched itself off (systemd-nspawn: {})", status.trim());
                return Err(failed(text));
            }
            if begin.elapsed() > Duration::from_secs(2) && groups.processes().is_empty() {
                return Err(failed("it could not be switched on".to_owned()));
            }
            if begin.elapsed() > limit {
                return Err(failed("it did not come up".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks for a clean shutdown; `false` where the machine did not end within the limit.
    pub(crate) fn shut_down(&self, limit: Duration) -> bool {
        let groups = self.groups();
        // nspawn passes SIGTERM on as the wish for a shutdown.
        for pid in groups.processes() {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            if comm.trim() == "systemd-nspawn"
                && let Some(pid) = Pid::from_raw(pid)
            {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let begin = Instant::now();
        while !groups.processes().is_empty() {
            if begin.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }

    /// Cuts the power and removes what only a running machine has.
    pub(crate) fn off(&self) -> Result<()> {
        cut(self.layout, self.lab, &self.machine.name)?;
        let veths: Vec<String> = (0..self.machine.links.len())
            .map(|position| veth_name(self.lab, &self.machine.name, position))
            .collect();
        crate::network::unplug(&veths)
    }
}

/// Kills everything of a machine and removes its groups, knowing only its name.
pub(crate) fn cut(layout: &Layout, lab: &str, machine: &str) -> Result<()> {
    let groups = layout.machine(lab, machine);
    groups.kill(lab, KILL_LIMIT)?;
    if let Layout::Systemd(_) = layout {
        // systemd removes the groups; a unit that is gone already is as wished.
        let unit = unit_name(lab, machine);
        let _ = run("stop a machine's unit", "systemctl", ["stop", &unit]);
        let _ = run(
            "forget a machine's unit",
            "systemctl",
            ["reset-failed", &unit],
        );
    }
    groups.remove(lab, KILL_LIMIT)
}

/// systemd-nspawn wants a host name of at most 64 characters, unique on this computer.
fn nspawn_name(lab: &str, machine: &str) -> String {
    let name = format!("{machine}.{lab}");
    if name.len() <= 64 {
        name
    } else {
        format!("brl-{}", digest(&[lab, machine], 16))
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// How long an SSH server that is there may take to be heard.
const HEARD_LIMIT: Duration = Duration::from_millis(500);

/// Whether an SSH server answers at an address, seen from the caller's network.
pub(crate) fn answers(address: Ipv4Addr, limit: Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&SocketAddr::from((address, 22)), limit) else {
        return false;
    };
    let mut banner = [0; 4];
    stream.set_read_timeout(Some(limit)).is_ok()
        && stream.read_exact(&mut banner).is_ok()
        && &banner == b"SSH-"
}

/// The same on the loopback of a process's network. A thread of its own enters that network, for a
/// thread that did can't be sure to come back.
pub(crate) fn answers_inside(pid: i32, limit: Duration) -> bool {
    let Ok(network) = File::open(format!("/proc/{pid}/ns/net")) else {
        return false;
    };
    std::thread::spawn(move || {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).is_ok()
            && answers(Ipv4Addr::LOCALHOST, limit)
    })
    .join()
    .unwrap_or(false)
}

/// systemd keeps users other than root out by this file until the machine is (nearly) up.
fn logins_allowed(pid: i32) -> bool {
    !Path::new(&format!("/proc/{pid}/root/run/nologin")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Run, have};
    use crate::topology::{AddressMode, Boot, Link};

    #[test]
    fn the_program_that_boots_a_machine_is_sound_shell() {
        let link = Link {
            net: "lan".into(),
            interface: None,
            mac: None,
            address: AddressMode::None,
        };
        let machine = LabMachine {
            name: "one".into(),
            links: vec![link.clone(), link],
            boot: Boot::On,
        };
        let layout = Layout::V1(vec!["/sys/fs/cgroup/cpu".into()]);
        let power = Power {
            lab: "ceil",
            machine: &machine,
            places: MachinePlaces("/var/lib/it's/one".into()),
            image: Path::new("/image"),
            layout: &layout,
        };
        let text = power.script();
        assert!(text.contains("dir='/var/lib/it'\\''s/one'\n"), "{text}");
        let check = |program: &str, args: &[&str]| {
            Run::new("check", program, args)
                .input(text.clone())
                .output()
                .unwrap()
        };
        check("sh", &["-n"]);
        if have("shellcheck") {
            check("shellcheck", &["-"]);
        }
    }
}
