//! Swap.

use crate::program::original_name;
use crate::shell::{word, words};
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

const FSTAB: &str = "/etc/fstab";
/// What stands before a line of fstab that Bramble took out.
const MARK: &str = "#bramble# ";
/// Services that make swap at boot.
const SERVICES: [&str; 2] = ["dphys-swapfile.service", "zramswap.service"];

/// No swap, now and after a reboot. The swap that a container sees is its host's and stays.
#[derive(Debug, Clone, Default)]
pub struct SwapOff;

impl SwapOff {
    fn in_fstab(seen: &Observation) -> bool {
        seen.content(FSTAB).unwrap_or_default().lines().any(|line| {
            let line = line.trim_start();
            !line.starts_with('#') && line.split_whitespace().nth(2) == Some("swap")
        })
    }
}

impl Resource for SwapOff {
    fn id(&self) -> ResourceId {
        "swap:off".into()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = vec![Query::Content(FSTAB.into())];
        wants.extend(SERVICES.iter().map(|s| Query::Unit((*s).into())));
        if seen.facts.swap {
            wants.push(Query::Content("/proc/swaps".into()));
        }
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let pending = seen.journal.pending(&self.id());
        if seen.facts.container && !pending {
            return Ok(None);
        }
        let devices: Vec<String> = seen
            .content("/proc/swaps")
            .unwrap_or_default()
            .lines()
            .skip(1)
            .filter_map(|l| l.split_whitespace().next())
            .map(str::to_owned)
            .collect();
        let services: Vec<(String, bool)> = SERVICES
            .iter()
            .map(|s| (*s, seen.unit(s)))
            .filter(|(_, u)| u.file == "enabled" || u.active == "active")
            .map(|(s, u)| (s.to_owned(), u.active == "active"))
            .collect();
        let mut said = Vec::new();
        let mut apply = Script::new();
        if !services.is_empty() {
            let names: Vec<&str> = services.iter().map(|(s, _)| s.as_str()).collect();
            said.push(format!("disable {}", names.join(", ")));
            apply.line(format!("systemctl -q disable --now {}", words(&names)));
        }
        if !devices.is_empty() {
            said.push(format!("turn off {}", devices.join(", ")));
            apply.line("swapoff -a");
        }
        if Self::in_fstab(seen) {
            said.push(format!("take swap out of {FSTAB}"));
            apply.extend(&edit(
                &format!(r"s/^[[:blank:]]*[^#[:blank:]][^[:blank:]]*[[:blank:]]\{{1,\}}[^[:blank:]]\{{1,\}}[[:blank:]]\{{1,\}}swap\([[:blank:]]\|$\)/{MARK}&/"),
                true,
            ));
        }
        if said.is_empty() && !pending {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let undo = Undo { devices, services };
        Ok(Some(Change::new(
            Verb::Update,
            said.join(", "),
            apply,
            super::Undo::Swap(undo),
        )))
    }
}

fn edit(command: &str, keep: bool) -> Script {
    let name = original_name(FSTAB);
    let mut script = Script::new();
    if keep {
        script.line(format!("keep {FSTAB} {name}"));
    }
    script.line(format!(
        "if [ -f {FSTAB} ]; then\n\tcp -a {FSTAB} {FSTAB}.bramble-new\n\tsed -e {} <{FSTAB} >{FSTAB}.bramble-new\n\tsettle {FSTAB}.bramble-new {FSTAB} {name}\nfi",
        word(command)
    ));
    script
}

/// How swap comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Files and devices that were in use.
    pub devices: Vec<String>,
    /// Services that were disabled, and whether they ran.
    pub services: Vec<(String, bool)>,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.devices, &later.devices, |a, b| a == b);
        super::add_missing(&mut self.services, &later.services, |a, b| a.0 == b.0);
        self
    }

    pub(super) fn script(&self) -> Script {
        let mut script = edit(&format!("s/^{MARK}//"), false);
        for (service, active) in &self.services {
            let now = if *active { " --now" } else { "" };
            script.line(format!("systemctl -q enable{now} {} || :", word(service)));
        }
        for device in &self.devices {
            let device = word(device);
            script.line(format!(
                "if [ -e {device} ] && ! grep -q ^{device}' ' /proc/swaps; then swapon {device} || :; fi"
            ));
        }
        script
    }

    pub(super) fn summary(&self) -> String {
        "turn swap on again".into()
    }
}
