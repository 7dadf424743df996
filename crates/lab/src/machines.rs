//! What can be done to the machines of a lab while it is there.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::event::{Event, WaitFor};
use crate::host::Lock;
use crate::lab::{Lab, layout, lock};
use crate::parallel::{Tell, each};
use crate::power::{Power, answers, answers_inside};
use crate::state::{Record, write_json};
use crate::status::{self, MachineState};
use crate::topology::{Boot, LabMachine};
use crate::{disk, network, ssh};

impl Lab {
    /// Adds a machine to the lab.
    ///
    /// # Errors
    /// When it doesn't fit the others, or does not come up; then it stays, as `down` removes it.
    pub fn add_machine(
        &self,
        machine: LabMachine,
        ready_limit: Duration,
        events: impl Fn(Event),
    ) -> Result<()> {
        let _lock = lock(&self.name, &events)?;
        let mut record = self.record()?;
        record.topology.machines.push(machine.clone());
        record.topology.validate()?;
        write_json(&self.places.record(), &record)?;
        let authorized = ssh::lab_key(&self.places, &self.name)?;
        let places = self.places.machine(&machine.name);
        disk::create(
            &places,
            &record.image,
            &record.topology,
            &machine,
            &authorized,
        )?;
        ssh::write_client_files(&self.places, &record.topology)?;
        if machine.boot == Boot::Off {
            return Ok(());
        }
        self.power_on(&record, &[machine.name.as_str()], 1, ready_limit, &events)
    }

    /// Switches a machine on that is off, with the disk it has, and waits until it is ready.
    ///
    /// # Errors
    /// When it is not off, or does not come up.
    pub fn start(&self, machine: &str, limit: Duration, events: impl Fn(Event)) -> Result<()> {
        let _lock = lock(&self.name, &events)?;
        let record = self.record()?;
        self.in_state(
            &record,
            machine,
            &[MachineState::Stopped],
            "it needs no start; `stop` or `kill` it before",
        )?;
        self.power_on(&record, &[machine], 1, limit, &events)
    }

    /// Shuts a machine down cleanly; after the limit its power is cut.
    ///
    /// # Errors
    /// When there is no such machine, it is frozen, or its processes would not go.
    pub fn stop(&self, machine: &str, limit: Duration, events: impl Fn(Event)) -> Result<()> {
        let _lock = lock(&self.name, &events)?;
        let record = self.record()?;
        self.in_state(
            &record,
            machine,
            &[
                MachineState::Stopped,
                MachineState::Starting,
                MachineState::Running,
            ],
            "`thaw` it before",
        )?;
        events(Event::Waiting {
            machine: Some(machine.to_owned()),
            what: WaitFor::Shutdown,
            limit,
        });
        self.with_power(&record, machine, |power| {
            power.shut_down(limit);
            power.off()
        })?;
        events(Event::MachineStopped {
            machine: machine.to_owned(),
        });
        Ok(())
    }

    /// Cuts a machine's power.
    ///
    /// # Errors
    /// When there is no such machine, or its processes would not go.
    pub fn kill(&self, machine: &str) -> Result<()> {
        let _lock = lock(&self.name, &|_| {})?;
        self.with_power(&self.record()?, machine, |power| power.off())
    }

    /// Stops all of a machine's processes where they are, as if the machine hung.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, machine: &str) -> Result<()> {
        self.set_frozen(machine, true)
    }

    /// Continues a machine that was frozen.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self, machine: &str) -> Result<()> {
        self.set_frozen(machine, false)
    }

    /// Waits until a machine's SSH server answers.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its console.
    pub fn wait_ready(&self, machine: &str, limit: Duration) -> Result<()> {
        self.wait_boot(machine, None, limit)
    }

    /// Waits until a machine that was told to restart has done so, and its SSH server answers.
    /// `before` is its [`crate::MachineStatus::pid`] of before that.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the end of its console.
    pub fn wait_restarted(&self, machine: &str, before: u32, limit: Duration) -> Result<()> {
        self.wait_boot(machine, Some(before), limit)
    }

    fn wait_boot(&self, machine: &str, before: Option<u32>, limit: Duration) -> Result<()> {
        let record = self.record()?;
        self.with_power(&record, machine, |power| {
            let address = ssh::reachable(&record.topology, power.machine);
            power.wait_ready(before, address, limit)
        })
    }

    /// OpenSSH's client for a machine, to which the caller adds a command; strict about host keys.
    /// A machine that this computer has no way to is reached through its own network namespace.
    ///
    /// # Errors
    /// When there is no such machine, or it can't be reached because it is off.
    pub fn ssh_command(&self, machine: &str) -> Result<Command> {
        let record = self.record()?;
        let described = self.find_machine(&record, machine)?;
        let mut command = if ssh::reachable(&record.topology, described).is_some() {
            Command::new("ssh")
        } else {
            let leader = self.leader(machine)?;
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{leader}/ns/net")).args([
                "ssh",
                "-o",
                "HostName=127.0.0.1",
            ]);
            command
        };
        command.arg("-F").arg(self.ssh_config()).arg(machine);
        Ok(command)
    }

    /// Whether a machine's SSH server is heard within the limit, on the way that
    /// [`Lab::ssh_command`] takes.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn hears_ssh(&self, machine: &str, limit: Duration) -> Result<bool> {
        let record = self.record()?;
        let described = self.find_machine(&record, machine)?;
        Ok(match ssh::reachable(&record.topology, described) {
            Some(address) => answers(address, limit),
            None => self
                .leader(machine)
                .is_ok_and(|leader| answers_inside(leader, limit)),
        })
    }

    /// A program for a machine's shell, run inside it from this computer: for when its sshd is gone. An
    /// empty program is a login shell.
    ///
    /// # Errors
    /// When there is no such machine, or it is off.
    pub fn enter_command(&self, machine: &str, program: &str) -> Result<Command> {
        let record = self.record()?;
        self.find_machine(&record, machine)?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.leader(machine)?))
            .args(["--all", "--", "/bin/bash", "-l"]);
        if !program.is_empty() {
            command.args(["-c", program]);
        }
        Ok(command)
    }

    /// The first process of a machine that is on.
    fn leader(&self, machine: &str) -> Result<i32> {
        let leader = layout()?.machine(&self.name, machine).leader();
        leader.ok_or_else(|| Error::WrongState {
            machine: machine.to_owned(),
            state: MachineState::Stopped.as_str(),
            remedy: "`start` it before",
        })
    }

    pub(crate) fn power_on(
        &self,
        record: &Record,
        machines: &[&str],
        parallel: usize,
        limit: Duration,
        events: &dyn Fn(Event),
    ) -> Result<()> {
        {
            // A restart of the computer takes these and the bridges away, but not the disks.
            let _all = Lock::all()?;
            self.settle(&record.topology)?;
        }
        network::ensure(&record.topology, events)?;
        each(machines, parallel, events, |name, tell: &Tell| {
            // The receiver lives as long as the workers, so this can't fail.
            let say = |event| drop(tell.send(event));
            self.with_power(record, name, |power| {
                let begin = Instant::now();
                power.on()?;
                say(Event::MachineStarted {
                    machine: (*name).to_owned(),
                });
                say(Event::Waiting {
                    machine: Some((*name).to_owned()),
                    what: WaitFor::Ssh,
                    limit,
                });
                let address = ssh::reachable(&record.topology, power.machine);
                power.wait_ready(None, address, limit)?;
                say(Event::MachineReady {
                    machine: (*name).to_owned(),
                    addresses: power.machine.static_addresses(),
                    took: begin.elapsed(),
                });
                Ok(())
            })
        })
    }

    fn set_frozen(&self, machine: &str, frozen: bool) -> Result<()> {
        let _lock = lock(&self.name, &|_| {})?;
        let record = self.record()?;
        self.in_state(
            &record,
            machine,
            &[MachineState::Running, MachineState::Frozen],
            "`start` it before",
        )?;
        layout()?.machine(&self.name, machine).freeze(frozen)
    }

    fn in_state(
        &self,
        record: &Record,
        machine: &str,
        good: &[MachineState],
        remedy: &'static str,
    ) -> Result<()> {
        self.find_machine(record, machine)?;
        let state = status::state(&layout()?.machine(&self.name, machine));
        if good.contains(&state) {
            Ok(())
        } else {
            Err(Error::WrongState {
                machine: machine.to_owned(),
                state: state.as_str(),
                remedy,
            })
        }
    }

    fn find_machine<'a>(&self, record: &'a Record, machine: &str) -> Result<&'a LabMachine> {
        let machines = &record.topology.machines;
        machines
            .iter()
            .find(|m| m.name == machine)
            .ok_or_else(|| Error::NoMachine {
                lab: self.name.clone(),
                machine: machine.to_owned(),
                known: machines.iter().map(|m| m.name.clone()).collect(),
            })
    }

    fn with_power<T>(
        &self,
        record: &Record,
        machine: &str,
        act: impl FnOnce(&Power<'_>) -> Result<T>,
    ) -> Result<T> {
        act(&Power {
            lab: &self.name,
            machine: self.find_machine(record, machine)?,
            places: self.places.machine(machine),
            image: &record.image,
            layout: &layout()?,
        })
    }
}
