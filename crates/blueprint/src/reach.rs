//! Whether the package archive answers, asked before anything is changed (U056).

use crate::context::On;
use crate::proxy;
use bramble_machine::kinds::{Undo, action};
use bramble_machine::shell::{word, words};
use bramble_machine::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use std::collections::BTreeSet;
use std::time::Duration;

/// The archive that packages come from. There is nothing to do as long as all packages are
/// installed; otherwise it must answer, or nothing of the machine is changed.
#[derive(Debug, Clone)]
pub struct Reach {
    /// All packages that the machine should have.
    pub packages: BTreeSet<String>,
    /// The resources that install them.
    pub installers: Vec<ResourceId>,
    /// Options for apt that the machine's configuration doesn't have yet: the proxy.
    pub options: Vec<String>,
    /// Archive that takes the place of Debian's.
    pub mirror: Option<String>,
}

impl Reach {
    /// For the packages that these resources ask about; `None` if there are none.
    pub fn of<'a>(on: &On, resources: impl Iterator<Item = &'a dyn Resource>) -> Option<Self> {
        let nothing = Observation::default();
        let mut packages = BTreeSet::new();
        let mut installers = Vec::new();
        for resource in resources {
            let names = |query| match query {
                Query::Package(name) => Some(name),
                _ => None,
            };
            let names: Vec<String> = resource
                .wants(&nothing)
                .into_iter()
                .filter_map(names)
                .collect();
            if !names.is_empty() {
                installers.push(resource.id());
            }
            packages.extend(names);
        }
        if packages.is_empty() {
            return None;
        }
        let settings = proxy::apt_settings(on);
        let options = settings
            .into_iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        Some(Self {
            packages,
            installers,
            options,
            mirror: proxy::mirror(on).map(str::to_owned),
        })
    }
}

impl Resource for Reach {
    fn id(&self) -> ResourceId {
        "reach:packages".into()
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        self.packages.iter().cloned().map(Query::Package).collect()
    }

    fn prepares(&self) -> &[ResourceId] {
        &self.installers
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let missing: Vec<&str> = self
            .packages
            .iter()
            .map(String::as_str)
            .filter(|name| seen.package(name).is_none())
            .collect();
        if missing.is_empty() {
            return Ok(None);
        }
        let mut apply = Script::of(format!(
            "MIRROR={}",
            word(self.mirror.as_deref().unwrap_or_default())
        ));
        apply.line(format!("MISSING={}", word(missing.join(" "))));
        let options = self.options.iter().flat_map(|o| ["-o", o.as_str()]);
        apply.line(format!("set -- {}", words(options)));
        apply.extend(&Script::of(include_str!("reach.sh")));
        let undo = Undo::Action(action::Undo {
            name: self.id(),
            title: "the package archive was asked".into(),
            program: String::new(),
            destroys: None,
        });
        let summary = match &self.mirror {
            Some(mirror) => format!("ask {mirror} whether it answers"),
            None => "ask the package archive whether it answers".into(),
        };
        let mut change = Change::new(Verb::Run, summary, apply, undo);
        change.limit = Duration::from_secs(300);
        Ok(Some(change))
    }
}
