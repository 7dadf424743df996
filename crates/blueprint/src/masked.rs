//! Services that come with a package and are not wanted, because Bramble runs the package's program with
//! a unit of its own.

use bramble_machine::kinds::Link;
use bramble_machine::query::Answer;
use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId};

/// A unit that can't be started, so that it isn't at the next boot either. One that is at work was
/// there before and belongs to somebody: it stays. Unless Bramble brought the package: then a run was
/// cut off in between, and the machine has started since with what the package enables.
#[derive(Debug, Clone)]
pub struct Masked {
    unit: &'static str,
    /// Ends with 0 if Bramble brought the package.
    brought: Query,
    link: Link,
}

impl Masked {
    /// The unit of this name; the question ends with 0 if Bramble brought its package.
    pub fn new(unit: &'static str, brought: Query) -> Self {
        Self {
            unit,
            brought,
            link: Link::new(format!("/etc/systemd/system/{unit}"), "/dev/null"),
        }
    }

    fn at_work(&self, seen: &Observation) -> bool {
        seen.unit(self.unit).active == "active"
    }

    fn brought(&self, seen: &Observation) -> bool {
        matches!(seen.answers.get(&self.brought), Some(Answer::Printed(p)) if p.exit == 0)
    }
}

impl Resource for Masked {
    fn id(&self) -> ResourceId {
        self.link.id()
    }

    fn wants(&self, seen: &Observation) -> Vec<Query> {
        let mut wants = self.link.wants(seen);
        // Asked whether it is at work or not, so that no second look is needed.
        wants.extend([Query::Unit(self.unit.to_owned()), self.brought.clone()]);
        wants
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let at_work = self.at_work(seen);
        if at_work && !self.brought(seen) {
            return Ok(None);
        }
        let change = self.link.plan(seen)?;
        Ok(change.map(|mut change| {
            change.summary = format!("{} is not started", self.unit);
            change.apply.line("systemctl daemon-reload");
            if at_work {
                change.summary = format!("{} is stopped and not started", self.unit);
                change.apply.line(format!("systemctl stop {}", self.unit));
            }
            change
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bramble_machine::query::{Printed, Unit};

    const STOP: &str = "systemctl stop nginx.service";

    fn masked() -> Masked {
        Masked::new("nginx.service", Query::Command("brought".into()))
    }

    /// A machine on which the service runs.
    fn running() -> Observation {
        let mut seen = Observation::default();
        let unit = Unit {
            load: "loaded".into(),
            active: "active".into(),
            file: "enabled".into(),
        };
        let query = Query::Unit("nginx.service".into());
        seen.answers.insert(query, Answer::Unit(unit));
        seen
    }

    fn answer(seen: &mut Observation, exit: i32) {
        let text = String::new();
        let printed = Answer::Printed(Printed { text, exit });
        seen.answers.insert(masked().brought, printed);
    }

    #[test]
    fn a_service_that_is_at_work_is_left_alone() {
        let mut seen = Observation::default();
        assert!(masked().wants(&seen).contains(&masked().brought));
        let change = masked().plan(&seen).expect("a plan").expect("a change");
        assert_eq!(change.summary, "nginx.service is not started");
        assert!(!change.apply.as_str().contains(STOP));
        seen = running();
        answer(&mut seen, 1);
        assert!(masked().plan(&seen).expect("a plan").is_none());
    }

    #[test]
    fn a_service_that_came_with_brambles_package_is_stopped() {
        let mut seen = running();
        answer(&mut seen, 0);
        let change = masked().plan(&seen).expect("a plan").expect("a change");
        assert_eq!(change.summary, "nginx.service is stopped and not started");
        let program = change.apply.as_str();
        let at = |text| program.find(text);
        assert!(
            at("/dev/null") < at(STOP) && at(STOP).is_some(),
            "{program}"
        );
    }
}
