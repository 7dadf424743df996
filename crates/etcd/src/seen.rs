//! What one machine says of its member, and the JSON of etcdctl from 3.4 to 3.6.

use serde::Deserialize;

/// An answer that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the answer about {what} makes no sense: {text:?}")]
pub struct Unreadable {
    /// What was asked.
    pub what: &'static str,
    /// The answer, shortened.
    pub text: String,
    /// What is wrong with it.
    #[source]
    pub source: serde_json::Error,
}

/// A member as the list of members has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Id.
    #[serde(rename = "ID")]
    pub id: u64,
    /// Name; empty as long as it never started.
    #[serde(default)]
    pub name: String,
    /// Where other members find it.
    #[serde(rename = "peerURLs", default)]
    pub peers: Vec<String>,
    /// Where clients find it.
    #[serde(rename = "clientURLs", default)]
    pub clients: Vec<String>,
    /// Whether it has no vote yet.
    #[serde(rename = "isLearner", default)]
    pub learner: bool,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Who it is and of which cluster.
    pub header: Header,
    /// Its release.
    #[serde(default)]
    pub version: String,
    /// Bytes of its database on the disk.
    #[serde(default)]
    pub db_size: u64,
    /// Bytes of it that are in use.
    #[serde(default)]
    pub db_size_in_use: u64,
    /// The leader's id; 0 = it knows of none.
    #[serde(default)]
    pub leader: u64,
    /// Newest entry that it has.
    #[serde(default)]
    pub raft_index: u64,
    /// Its term.
    #[serde(default)]
    pub raft_term: u64,
    /// Alarms and the like.
    #[serde(default)]
    pub errors: Vec<String>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// Cluster.
    pub cluster_id: u64,
    /// Member.
    pub member_id: u64,
    /// Revision of the data.
    #[serde(default)]
    pub revision: u64,
}

/// What one machine says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The manifest of its member is where the kubelet reads it.
    pub manifest: bool,
    /// It is set aside by a restore.
    pub manifest_aside: bool,
    /// A restore began here and did not end.
    pub restoring: bool,
    /// Data from before a restore lies beside the member's.
    pub before: bool,
    /// A recovery began here and did not end.
    pub recovering: bool,
    /// It was taken out of service by a recovery elsewhere.
    pub retired: bool,
    /// There is data of a member.
    pub data: bool,
    /// A member runs.
    pub running: bool,
    /// The member's name and peer URL in its manifest.
    pub place: Option<(String, String)>,
    /// All members, as its own lists them.
    pub members: Option<Vec<Listed>>,
    /// What its own says of itself.
    pub status: Option<Status>,
    /// Its own has read from the whole cluster.
    pub healthy: bool,
    /// Why it has not.
    pub why: Option<String>,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Listed>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Status")]
    status: Status,
}

#[derive(Deserialize)]
struct Healthy {
    health: bool,
    #[serde(default)]
    error: String,
}

impl Seen {
    /// Reads what [`crate::program::look`] prints.
    ///
    /// # Errors
    /// [`Unreadable`] for JSON that etcdctl never writes.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let mut seen = Self::default();
        let (mut name, mut failed) = (None, None);
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let value = value.trim();
            match key {
                "manifest" if value == "there" => seen.manifest = true,
                "manifest" => seen.manifest_aside = true,
                "restore" => seen.restoring = true,
                "before" => seen.before = true,
                "recover" => seen.recovering = true,
                "out" => seen.retired = true,
                "data" => seen.data = true,
                "running" => seen.running = true,
                "name" if !value.is_empty() => name = Some(value.to_owned()),
                "peer" if !value.is_empty() => {
                    seen.place = name.take().map(|name| (name, value.to_owned()));
                }
                "members" => {
                    seen.members = Some(json::<Members>("the members", value)?.members);
                }
                "status" => seen.status = status(value)?,
                "health" => {
                    let first = first::<Healthy>("the member's health", value)?;
                    seen.healthy = first.as_ref().is_some_and(|h| h.health);
                    failed = first.map(|h| h.error).filter(|e| !e.is_empty()).or(failed);
                }
                "status-failed" | "health-failed" if !value.is_empty() => {
                    failed.get_or_insert(shortened(value));
                }
                _ => {}
            }
        }
        if !seen.healthy {
            seen.why = Some(seen.reason(failed));
        }
        Ok(seen)
    }

    fn reason(&self, failed: Option<String>) -> String {
        let leaderless = self.status.as_ref().is_some_and(|s| s.leader == 0);
        match failed {
            _ if self.restoring => "a restore began here and did not end".into(),
            _ if self.retired => {
                "it is out of service: the cluster was recovered without it".into()
            }
            _ if leaderless => "it knows of no leader: too few members answer".into(),
            Some(why) => why,
            None if self.running => "it does not answer".into(),
            None if self.manifest => "it does not run".into(),
            None => "the machine has no member".into(),
        }
    }
}

/// The status that etcdctl prints for one endpoint; none if there was no answer.
///
/// # Errors
/// [`Unreadable`] for JSON that etcdctl never writes.
pub fn status(text: &str) -> Result<Option<Status>, Unreadable> {
    Ok(first::<Answer>("the member's status", text)?.map(|a| a.status))
}

fn first<T: for<'a> Deserialize<'a>>(
    what: &'static str,
    text: &str,
) -> Result<Option<T>, Unreadable> {
    let all: Option<Vec<T>> = json(what, text)?;
    Ok(all.into_iter().flatten().next())
}

fn json<T: for<'a> Deserialize<'a>>(what: &'static str, text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|source| Unreadable {
        what,
        text: shortened(text),
        source,
    })
}

/// The message of a line of etcd's log, or the line, and not without end.
fn shortened(text: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let inner = value.and_then(|v| Some(v.get("error")?.as_str()?.to_owned()));
    inner
        .unwrap_or_else(|| text.to_owned())
        .chars()
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK_34: &str = r#"manifest there
data yes
name one
peer https://10.0.0.11:2380
running yes
members {"header":{"cluster_id":9700840907647456249,"member_id":15158651622693299623,"raft_term":3},"members":[{"ID":725006408610534354,"name":"three","peerURLs":["https://10.0.0.13:2380"],"clientURLs":["https://10.0.0.13:2379"]},{"ID":15158651622693299623,"name":"one","peerURLs":["https://10.0.0.11:2380"],"clientURLs":["https://10.0.0.11:2379"]}]}
status [{"Endpoint":"https://127.0.0.1:2379","Status":{"header":{"cluster_id":9700840907647456249,"member_id":15158651622693299623,"revision":654,"raft_term":3},"version":"3.4.23","dbSize":1310720,"leader":15158651622693299623,"raftIndex":722,"raftTerm":3,"raftAppliedIndex":722,"dbSizeInUse":1298432}}]
health [{"endpoint":"https://127.0.0.1:2379","health":true,"took":"5.380976ms"}]
"#;

    #[test]
    fn a_healthy_member_of_3_4_is_read() {
        let seen = Seen::read(LOOK_34).expect("readable");
        assert!(seen.healthy && seen.manifest && seen.data && seen.running);
        assert_eq!(seen.why, None);
        let place = seen.place.expect("a place");
        assert_eq!(place, ("one".into(), "https://10.0.0.11:2380".into()));
        let status = seen.status.expect("a status");
        assert_eq!(status.header.member_id, 15_158_651_622_693_299_623);
        assert_eq!(
            (status.db_size, status.db_size_in_use),
            (1_310_720, 1_298_432)
        );
        assert_eq!(seen.members.expect("members").len(), 2);
    }

    #[test]
    fn further_fields_of_3_6_do_no_harm() {
        let text = r#"[{"Endpoint":"https://127.0.0.1:2379","Status":{"header":{"cluster_id":1,"member_id":2,"revision":3,"raft_term":4},"version":"3.6.5","dbSize":20480,"leader":2,"raftIndex":10,"raftTerm":4,"raftAppliedIndex":10,"errors":["etcdserver: no leader"],"dbSizeInUse":16384,"storageVersion":"3.6.0","dbSizeQuota":2147483648,"downgradeInfo":{}}}]"#;
        let found = status(text).expect("readable").expect("a status");
        assert_eq!((found.version.as_str(), found.raft_index), ("3.6.5", 10));
        assert_eq!(found.errors, ["etcdserver: no leader"]);
        let text = "running yes\nmembers {\"header\":{\"cluster_id\":1},\"members\":[{\"ID\":2,\"peerURLs\":[\"https://10.0.0.2:2380\"],\"isLearner\":true}]}\n";
        let members = Seen::read(text)
            .expect("readable")
            .members
            .expect("members");
        assert!(members[0].learner && members[0].name.is_empty());
    }

    #[test]
    fn why_a_member_is_not_healthy_is_told() {
        let why = |text: &str| Seen::read(text).expect("readable").why.expect("a reason");
        assert_eq!(why(""), "the machine has no member");
        assert_eq!(why("manifest there\n"), "it does not run");
        let text = "manifest there\nrunning yes\nstatus null\nhealth [{\"endpoint\":\"x\",\"health\":false,\"took\":\"6s\",\"error\":\"context deadline exceeded\"}]\nhealth-failed Error: unhealthy cluster\n";
        assert_eq!(why(text), "context deadline exceeded");
        let text = "running yes\nstatus [{\"Endpoint\":\"x\",\"Status\":{\"header\":{\"cluster_id\":1,\"member_id\":2},\"raftIndex\":7}}]\n";
        assert_eq!(why(text), "it knows of no leader: too few members answer");
        assert_eq!(
            why("restore begun\n"),
            "a restore began here and did not end"
        );
        assert!(Seen::read("status {}\n").is_err());
    }
}
