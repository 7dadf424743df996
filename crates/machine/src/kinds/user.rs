//! A user of the machine.

use crate::shell::{word, words};
use crate::{Change, Observation, PlanError, Query, Resource, ResourceId, Script, Verb};
use serde::{Deserialize, Serialize};

/// A user with a home, a login shell and membership in groups. Other groups that the user is in
/// are left alone; the groups must exist when the change is made.
#[derive(Debug, Clone)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Login shell.
    pub shell: String,
    /// Groups to be in, besides the user's own.
    pub groups: Vec<String>,
    /// Home of a user that is made; `None` for the machine's default (`/home/<name>`).
    pub home: Option<String>,
    /// No person but a service: a number of the system's range, and nothing of worth in the home.
    pub service: bool,
    /// A wrong shell can lock the operator out.
    pub disruptive: bool,
}

impl User {
    /// A user with `/bin/bash` in no further group.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            shell: "/bin/bash".into(),
            groups: Vec::new(),
            home: None,
            service: false,
            disruptive: false,
        }
    }

    /// In further groups.
    #[must_use]
    pub fn groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Of a service.
    #[must_use]
    pub fn service(mut self) -> Self {
        self.service = true;
        self
    }

    /// With a login shell.
    #[must_use]
    pub fn shell(mut self, shell: impl Into<String>) -> Self {
        self.shell = shell.into();
        self
    }
}

impl Resource for User {
    fn id(&self) -> ResourceId {
        format!("user:{}", self.name)
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        let groups = self.groups.iter().cloned().map(Query::Group);
        [
            Query::User(self.name.clone()),
            Query::Group(self.name.clone()),
        ]
        .into_iter()
        .chain(groups)
        .collect()
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let line = seen.user(&self.name);
        let shell = line.and_then(|l| l.rsplit(':').next());
        let member = |group: &str| {
            seen.group(group)
                .and_then(|l| l.rsplit(':').next())
                .is_some_and(|m| m.split(',').any(|m| m == self.name))
        };
        let missing: Vec<&String> = self.groups.iter().filter(|g| !member(g)).collect();
        let mut said = Vec::new();
        match shell {
            None => said.push("new user".to_owned()),
            Some(shell) if shell != self.shell => {
                said.push(format!("shell {shell} → {}", self.shell));
            }
            Some(_) => {}
        }
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter().map(|g| g.as_str()).collect();
            said.push(format!("into {}", names.join(", ")));
        }
        if said.is_empty() && !seen.journal.pending(&self.id()) {
            return Ok(None);
        }
        if said.is_empty() {
            said.push(super::UNFINISHED.into());
        }
        let (name, login) = (word(&self.name), word(&self.shell));
        let home = self
            .home
            .as_ref()
            .map_or(String::new(), |home| format!(" -d {}", word(home)));
        let options = if self.service {
            "-r -m -k /nonexistent"
        } else {
            "-m"
        };
        let mut apply = Script::of(format!(
            "if l=$(getent passwd {name}); then\n\t[ \"${{l##*:}}\" = {login} ] || usermod -s {login} {name}\nelse\n\
             \t# A group of that name may be there already (Debian has one called operator).\n\
             \tset -- {options}\n\
             \t! getent group {name} >/dev/null || set -- \"$@\" -g {name}\n\
             \tuseradd \"$@\"{home} -s {login} {name}\nfi"
        ));
        for group in &missing {
            apply.line(format!("usermod -aG {} {name}", word(group)));
        }
        let undo = Undo {
            name: self.name.clone(),
            absent: line.is_none(),
            shell: shell.map(str::to_owned),
            joined: missing.iter().map(|g| (*g).clone()).collect(),
            member: self.groups.iter().filter(|g| member(g)).cloned().collect(),
            own_group: line.is_none() && seen.group(&self.name).is_some(),
            service: self.service,
        };
        let verb = if line.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        let before = Undo {
            member: Vec::new(),
            ..undo.clone()
        };
        let change = Change::new(verb, said.join(", "), apply, super::Undo::User(undo));
        Ok(Some(change.guarded(
            self.disruptive,
            seen,
            &self.id(),
            &[],
            before.script(),
        )))
    }
}

/// How a user is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Login name.
    pub name: String,
    /// There was no such user.
    pub absent: bool,
    /// The login shell before.
    pub shell: Option<String>,
    /// Groups that the user was put into.
    pub joined: Vec<String>,
    /// Groups that the user should be in and was in already.
    pub member: Vec<String>,
    /// There was a group of the user's name before there was the user.
    #[serde(default)]
    pub own_group: bool,
    /// Nothing of worth is in its home.
    #[serde(default)]
    pub service: bool,
}

impl Undo {
    pub(super) fn merge(mut self, later: &Self) -> Self {
        super::add_missing(&mut self.joined, &later.joined, |a, b| a == b);
        let member = &self.member;
        self.joined.retain(|g| !member.contains(g));
        self
    }

    pub(super) fn script(&self) -> Script {
        let name = word(&self.name);
        let mut script = Script::of(format!("l=$(getent passwd {name}) || return 0"));
        if self.absent {
            // Processes of the user would keep it; a machine without systemd has no loginctl.
            script.line(format!(
                "[ ! -d /run/systemd/system ] || loginctl terminate-user {name} 2>/dev/null || :"
            ));
            // userdel takes the group of the user's name along, unless it has another member.
            let (keep, leave) = ("gpasswd -a root", "gpasswd -d root");
            if self.own_group {
                script.line(format!("{keep} {name}"));
            }
            script.line(format!("userdel -r {name} || userdel -rf {name}"));
            if self.own_group {
                script.line(format!("{leave} {name}"));
            }
            return script;
        }
        if let Some(shell) = &self.shell {
            let shell = word(shell);
            script.line(format!(
                "[ \"${{l##*:}}\" = {shell} ] || usermod -s {shell} {name}"
            ));
        }
        if !self.joined.is_empty() {
            script.line(format!(
                "for g in {}; do\n\tif getent group \"$g\" >/dev/null; then gpasswd -d {name} \"$g\" || :; fi\ndone",
                words(&self.joined)
            ));
        }
        script
    }

    pub(super) fn destroys(&self) -> Option<String> {
        (self.absent && !self.service)
            .then(|| format!("the home of {} with everything in it", self.name))
    }

    pub(super) fn summary(&self) -> String {
        if self.absent {
            format!("remove the user {} with its home", self.name)
        } else {
            format!("give the user {} its old shell and groups", self.name)
        }
    }
}
