//! Services that come with a package and are not wanted, because Bramble runs the package's program with
//! a unit of its own.

use bramble_machine::kinds::Link;
use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId};

/// A unit that can't be started, so that it isn't at the next boot either. One that is at work was
/// there before and belongs to somebody: it stays.
#[derive(Debug, Clone)]
pub struct Masked {
    unit: &'static str,
    link: Link,
}

impl Masked {
    /// The unit of this name.
    pub fn new(unit: &'static str) -> Self {
        Self {
            unit,
            link: Link::new(format!("/etc/systemd/system/{unit}"), "/dev/null"),
        }
    }
}

impl Resource for Masked {
    fn id(&self) -> ResourceId {
        self.link.id()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = self.link.wants(seen);
        wants.push(Query::Unit(self.unit.to_owned()));
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        if seen.unit(self.unit).active == "active" {
            return Ok(None);
        }
        let change = self.link.plan(seen)?;
        Ok(change.map(|mut change| {
            change.summary = format!("{} is not started", self.unit);
            change.apply.line("systemctl daemon-reload");
            change
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bramble_machine::query::{Answer, Unit};

    #[test]
    fn a_service_that_is_at_work_is_left_alone() {
        let masked = Masked::new("nginx.service");
        let mut seen = Observation::default();
        let change = masked.plan(&seen).expect("a plan").expect("a change");
        assert_eq!(change.summary, "nginx.service is not started");
        let unit = Unit {
            load: "loaded".into(),
            active: "active".into(),
            file: "enabled".into(),
        };
        let query = Query::Unit("nginx.service".into());
        seen.answers.insert(query, Answer::Unit(unit));
        assert!(masked.plan(&seen).expect("a plan").is_none());
    }
}
