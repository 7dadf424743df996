//! All members, as their machines and they themselves tell of them.

use crate::{Listed, Seen};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many of so many members must agree.
pub fn quorum(members: usize) -> usize {
    members / 2 + 1
}

/// Whether a member serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state", content = "why")]
pub enum Health {
    /// It has read from the whole cluster.
    Healthy,
    /// It has not, and why.
    Unhealthy(String),
    /// Nobody could ask it.
    Unknown(String),
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Id, as etcd's tools write it.
    pub id: String,
    /// Name; empty as long as it never started.
    pub name: String,
    /// The machine of the cluster file that it is on.
    pub machine: Option<String>,
    /// Where other members find it.
    pub peers: Vec<String>,
    /// Where clients find it.
    pub clients: Vec<String>,
    /// Whether it ever started.
    pub started: bool,
    /// Whether it leads.
    pub leader: bool,
    /// Whether it has no vote yet.
    pub learner: bool,
    /// Its release.
    pub version: Option<String>,
    /// Bytes of its database on the disk.
    pub db_size: Option<u64>,
    /// Bytes of it that are in use.
    pub db_in_use: Option<u64>,
    /// Newest entry that it has.
    pub raft_index: Option<u64>,
    /// Its term.
    pub raft_term: Option<u64>,
    /// Revision of its data.
    pub revision: Option<u64>,
    /// Whether it serves.
    pub health: Health,
}

impl Member {
    /// Whether it serves.
    pub fn is_healthy(&self) -> bool {
        self.health == Health::Healthy
    }
}

/// The cluster of members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Members, by name.
    pub members: Vec<Member>,
    /// How many are healthy.
    pub healthy: usize,
    /// How many must be.
    pub quorum: usize,
    /// What else is not as it should be.
    pub problems: Vec<String>,
}

impl View {
    /// Puts together what machines say. `machines` are the control planes of the file with their addresses,
    /// `looks` has what each said, or why it said nothing.
    pub fn of(
        machines: &[(String, String)],
        looks: &BTreeMap<String, Result<Seen, String>>,
    ) -> Self {
        let listed = list(looks);
        let mut members: Vec<Member> = listed.iter().map(|l| member(l, machines, looks)).collect();
        members.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let voters = members.iter().filter(|m| !m.learner).count();
        let healthy = members
            .iter()
            .filter(|m| !m.learner && m.is_healthy())
            .count();
        let problems = problems(machines, looks, &members);
        Self {
            healthy,
            quorum: quorum(voters),
            problems,
            members,
        }
    }

    /// Whether writes go through: somebody has read from the whole cluster.
    pub fn has_quorum(&self) -> bool {
        self.healthy > 0
    }

    /// Whether all is well.
    pub fn is_healthy(&self) -> bool {
        !self.members.is_empty()
            && self.problems.is_empty()
            && self.members.iter().all(Member::is_healthy)
    }

    /// Whether a member may be taken out: those that remain must keep their quorum.
    ///
    /// # Errors
    /// Why not, as a sentence without its end.
    pub fn may_remove(&self, name: &str) -> Result<(), String> {
        let Some(going) = self.members.iter().find(|m| m.name == name) else {
            return Ok(());
        };
        let rest = self
            .members
            .iter()
            .filter(|m| m.id != going.id && !m.learner);
        let left = rest.clone().filter(|m| m.is_healthy()).count();
        let all = rest.count();
        if going.learner || left >= quorum(all) {
            return Ok(());
        }
        Err(format!(
            "without {name} only {left} of {all} members would be healthy, and {} are needed",
            quorum(all)
        ))
    }
}

/// The list of the member that is furthest; a healthy one's counts before any other's.
fn list(looks: &BTreeMap<String, Result<Seen, String>>) -> Vec<Listed> {
    let best = looks
        .values()
        .flatten()
        .filter(|s| s.members.is_some())
        .max_by_key(|s| (s.healthy, s.status.as_ref().map(|s| s.raft_index)));
    if let Some(members) = best.and_then(|s| s.members.clone()) {
        return members;
    }
    // Without a quorum, members from 3.5 on tell nobody's names but their own.
    let own = |seen: &Seen| {
        let (name, peer) = seen.place.clone()?;
        let status = seen.status.as_ref()?;
        Some(Listed {
            id: status.header.member_id,
            name,
            peers: vec![peer],
            clients: Vec::new(),
            learner: false,
        })
    };
    looks.values().flatten().filter_map(own).collect()
}

fn member(
    listed: &Listed,
    machines: &[(String, String)],
    looks: &BTreeMap<String, Result<Seen, String>>,
) -> Member {
    let machine = machine_of(listed, machines);
    let look = machine.as_ref().and_then(|m| looks.get(m));
    let seen = look.and_then(|l| l.as_ref().ok());
    let own = seen.filter(|s| {
        s.status
            .as_ref()
            .is_none_or(|status| status.header.member_id == listed.id)
    });
    let status = own.and_then(|s| s.status.as_ref());
    let health = match (look, own) {
        (None, _) => Health::Unknown("it is on no machine of the file".into()),
        (Some(Err(why)), _) => Health::Unknown(why.clone()),
        (Some(Ok(_)), None) => Health::Unhealthy("another member runs on its machine".into()),
        (Some(Ok(_)), Some(s)) if s.healthy => Health::Healthy,
        (Some(Ok(_)), Some(s)) => {
            Health::Unhealthy(s.why.clone().unwrap_or_else(|| "it does not answer".into()))
        }
    };
    Member {
        id: format!("{:x}", listed.id),
        name: listed.name.clone(),
        machine,
        peers: listed.peers.clone(),
        clients: listed.clients.clone(),
        started: !listed.name.is_empty(),
        leader: status.is_some_and(|s| s.leader == listed.id),
        learner: listed.learner,
        version: status.map(|s| s.version.clone()),
        db_size: status.map(|s| s.db_size),
        db_in_use: status.map(|s| s.db_size_in_use),
        raft_index: status.map(|s| s.raft_index),
        raft_term: status.map(|s| s.raft_term),
        revision: status.map(|s| s.header.revision),
        health,
    }
}

/// By the address of its peers; a name may be of an earlier machine.
fn machine_of(listed: &Listed, machines: &[(String, String)]) -> Option<String> {
    let at = |address: &str| {
        let plain = format!("://{address}:");
        let v6 = format!("://[{address}]:");
        listed
            .peers
            .iter()
            .any(|p| p.contains(&plain) || p.contains(&v6))
    };
    let found = machines.iter().find(|(_, address)| at(address));
    found.map(|(name, _)| name.clone())
}

fn problems(
    machines: &[(String, String)],
    looks: &BTreeMap<String, Result<Seen, String>>,
    members: &[Member],
) -> Vec<String> {
    let mut out = Vec::new();
    for (name, _) in machines {
        let is_one = members.iter().any(|m| m.machine.as_ref() == Some(name));
        match looks.get(name) {
            Some(Ok(seen)) if seen.restoring => out.push(format!(
                "{name}: a restore began and did not end: run it again, or take it back (bramble etcd restore --back)"
            )),
            Some(Ok(seen)) if seen.recovering => out.push(format!(
                "{name}: a recovery began and did not end: run it again (bramble etcd recover --machine {name})"
            )),
            Some(Ok(seen)) if !is_one => {
                let why = seen.why.as_deref().unwrap_or("it is no member");
                out.push(format!("{name} is no member of the cluster: {why}"));
            }
            Some(Err(why)) if !is_one => out.push(format!("{name} could not be asked: {why}")),
            _ => {}
        }
    }
    for (name, look) in looks {
        let alarms = look.iter().flat_map(|s| &s.status).flat_map(|s| &s.errors);
        for alarm in alarms {
            out.push(format!("{name}: {alarm}"));
        }
    }
    let mut ids: Vec<u64> = looks
        .values()
        .flatten()
        .filter_map(|s| Some(s.status.as_ref()?.header.cluster_id))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > 1 {
        let ids: Vec<String> = ids.iter().map(|id| format!("{id:x}")).collect();
        out.push(format!(
            "the members are of different clusters: {}",
            ids.join(", ")
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines() -> Vec<(String, String)> {
        ["one", "two", "three"]
            .iter()
            .zip(11..)
            .map(|(name, last)| ((*name).to_owned(), format!("10.0.0.{last}")))
            .collect()
    }

    /// What machine number `n` of three says, with the first as the leader.
    fn says(n: u64, healthy: bool) -> Result<Seen, String> {
        let member = |i: u64| {
            let name = ["one", "two", "three"][i as usize - 1];
            format!(r#"{{"ID":{i},"name":"{name}","peerURLs":["https://10.0.0.1{i}:2380"]}}"#)
        };
        let text = format!(
            "manifest there\nrunning yes\nmembers {{\"members\":[{},{},{}]}}\nstatus [{{\"Status\":{{\"header\":{{\"cluster_id\":7,\"member_id\":{n}}},\"leader\":{},\"raftIndex\":{}}}}}]\nhealth [{{\"health\":{healthy}}}]\n",
            member(1),
            member(2),
            member(3),
            u64::from(healthy),
            100 + n
        );
        Seen::read(&text).map_err(|e| e.to_string())
    }

    fn view(healthy: [Option<bool>; 3]) -> View {
        let looks = machines().into_iter().zip(healthy).zip(1..);
        let looks = looks.map(|(((name, _), healthy), n)| match healthy {
            Some(healthy) => (name, says(n, healthy)),
            None => (name, Err("not reached".into())),
        });
        View::of(&machines(), &looks.collect())
    }

    #[test]
    fn three_healthy_members() {
        let view = view([Some(true); 3]);
        assert!(view.is_healthy() && view.has_quorum());
        assert_eq!((view.healthy, view.quorum), (3, 2));
        let leaders: Vec<&str> = view
            .members
            .iter()
            .filter(|m| m.leader)
            .map(|m| m.name.as_str())
            .collect();
        assert_eq!(leaders, ["one"]);
    }

    #[test]
    fn a_member_goes_only_while_the_rest_has_its_quorum() {
        let all = view([Some(true); 3]);
        assert!(all.may_remove("two").is_ok());
        let one_down = view([Some(true), Some(true), None]);
        assert!(!one_down.is_healthy() && one_down.has_quorum());
        // The dead one may go, and then a healthy one may not.
        assert!(one_down.may_remove("three").is_ok());
        let refused = one_down.may_remove("two").expect_err("refused");
        assert_eq!(
            refused,
            "without two only 1 of 2 members would be healthy, and 2 are needed"
        );
        assert!(all.may_remove("nobody").is_ok());
    }

    #[test]
    fn quorum_is_lost() {
        let view = view([Some(false), None, None]);
        assert!(!view.has_quorum());
        assert_eq!(view.members.len(), 3);
        assert_eq!(
            view.members[1].health,
            Health::Unknown("not reached".into())
        );
        let why = "it knows of no leader: too few members answer";
        assert_eq!(view.members[0].health, Health::Unhealthy(why.into()));
    }

    #[test]
    fn a_control_plane_without_a_member_is_a_problem() {
        let looks = BTreeMap::from([
            ("one".to_owned(), says(1, true)),
            ("four".to_owned(), Seen::read("").map_err(|e| e.to_string())),
        ]);
        let mut machines = machines();
        machines.push(("four".into(), "10.0.0.14".into()));
        let view = View::of(&machines, &looks);
        assert_eq!(
            view.problems,
            ["four is no member of the cluster: the machine has no member"]
        );
    }
}
