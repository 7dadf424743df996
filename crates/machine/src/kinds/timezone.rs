//! The machine's time zone.

use super::file::File;
use super::link::{self, Link};
use crate::program::original_name;
use crate::shell::word;
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

const LINK: &str = "/etc/localtime";
/// Debian's older record of the zone; written only where it exists.
const NAME: &str = "/etc/timezone";
const ZONES: &str = "/usr/share/zoneinfo";

/// The machine's time zone.
#[derive(Debug, Clone)]
pub struct TimeZone {
    /// Name such as `Europe/Berlin`.
    pub zone: String,
}

impl TimeZone {
    /// A zone by its name.
    pub fn new(zone: impl Into<String>) -> Self {
        Self { zone: zone.into() }
    }

    fn target(&self) -> String {
        format!("{ZONES}/{}", self.zone)
    }

    fn unfit(&self, what: String, hint: &str) -> PlanError {
        PlanError::Unfit {
            id: self.id(),
            what,
            hint: hint.into(),
        }
    }
}

impl Resource for TimeZone {
    fn id(&self) -> ResourceId {
        "timezone:bramble".into()
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![
            Query::Stat(LINK.into()),
            Query::Content(NAME.into()),
            Query::Stat(self.target()),
            Query::Stat(format!("{ZONES}/UTC")),
        ]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-+/".contains(c);
        let named = !self.zone.is_empty() && !self.zone.starts_with('/');
        if !named || !self.zone.chars().all(plain) {
            return Err(self.unfit(
                format!("{:?} is no name of a time zone", self.zone),
                "use a name such as Europe/Berlin",
            ));
        }
        // Without any zone the package may come with an earlier change of this run.
        if seen.stat(&format!("{ZONES}/UTC")).is_some() && seen.stat(&self.target()).is_none() {
            return Err(self.unfit(
                format!("the machine knows no time zone {:?}", self.zone),
                "correct the name; `timedatectl list-timezones` shows all",
            ));
        }
        let stat = seen.stat(LINK);
        let old = stat
            .filter(|s| s.kind == 'l')
            .and_then(|s| s.target.rsplit_once("zoneinfo/"))
            .map(|(_, zone)| zone);
        let name = seen.content(NAME);
        let name_differs = name.is_some_and(|n| n.trim() != self.zone);
        let mut said = Vec::new();
        if old != Some(self.zone.as_str()) {
            said.push(format!("{} → {}", old.unwrap_or("(none)"), self.zone));
        } else if name_differs {
            said.push(format!("{NAME} says {:?}", name.unwrap_or_default().trim()));
        }
        if said.is_empty() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let absent = match super::recorded(seen, &self.id()) {
            Some(super::Undo::TimeZone(undo)) => undo.link.absent,
            _ => stat.is_none(),
        };
        let target = self.target();
        let mut apply = Script::of(format!(
            "[ -e {0} ] || {{ echo 'there is no time zone' {0}': install the package tzdata'; exit 1; }}",
            word(&target)
        ));
        if old != Some(self.zone.as_str()) {
            apply.extend(&Link::new(LINK, target).write(absent));
        }
        if name_differs {
            apply.extend(&File::text(NAME, format!("{}\n", self.zone)).write(false));
        }
        let undo = Undo {
            link: link::Undo {
                path: LINK.into(),
                absent,
            },
        };
        Ok(Some(Change::new(
            Verb::Update,
            said.join(", "),
            apply,
            super::Undo::TimeZone(undo),
        )))
    }
}

/// How the time zone is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The link.
    pub link: link::Undo,
}

impl Undo {
    pub(super) fn script(&self) -> Script {
        let mut script = self.link.script();
        script.line(format!(
            "rm -f {NAME}.bramble-new\nrestore {NAME} {}",
            original_name(NAME)
        ));
        script
    }

    pub(super) fn summary(&self) -> String {
        "restore the time zone".into()
    }
}
