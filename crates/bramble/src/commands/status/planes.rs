//! Control planes: what runs on them, their members of etcd, who has the shared address, how long their
//! certificates last. Read on the machines, so that it can be told while the API is away.

use crate::error::chain;
use bramble_blueprint::certs::{self, Standing};
use bramble_engine::Sessions;
use bramble_fleet::Session;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Endpoint, Machine, Role};
use futures::future::join_all;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// How long reading one may take.
const LIMIT: Duration = Duration::from_secs(75);

/// One control plane at this moment.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plane {
    /// Its machine.
    pub name: String,
    /// Why it could not be read, if it could not.
    pub unread: Option<String>,
    /// Whether it has the address that control planes share; `None` where there is none.
    pub holds_address: Option<bool>,
    /// What should run here and does not.
    pub stopped: Vec<String>,
    /// What runs here.
    pub running: Vec<String>,
    /// Its member of etcd, if that answers.
    pub member: Option<Member>,
    /// Whom its member of etcd knows.
    pub members: Vec<String>,
    /// Why the last snapshot that it took by itself failed, if it did.
    pub snapshot_failed: Option<String>,
    /// Its certificates, those that end first at the beginning.
    pub certificates: Vec<Certificate>,
}

/// A member of etcd.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Whether it leads.
    pub leads: bool,
    /// Whether it knows a leader.
    pub led: bool,
    /// Size of its data in bytes.
    pub size: u64,
    /// Identity of the cluster of etcd that it is of.
    #[serde(skip)]
    pub cluster: u64,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// Where it is.
    pub path: String,
    /// Whole days until it ends; less than 0 once it has.
    pub days: i64,
    /// Whether it is over, or ends soon.
    #[serde(skip)]
    pub standing: Standing,
}

/// Reads all that can be reached, at once.
pub async fn read(cluster: &Cluster, sessions: &Sessions) -> Vec<Plane> {
    let shared = cluster.kubernetes.endpoint.shared();
    let managed = matches!(cluster.kubernetes.endpoint, Endpoint::Vip { .. });
    let address = shared.map_or(String::new(), |a| a.to_string());
    let program = format!(
        "address='{address}'\n{}{}",
        include_str!("planes.sh"),
        certs::LOOK
    );
    let planes = cluster.with_role(Role::ControlPlane).filter_map(|machine| {
        let session = sessions.get(&machine.name)?;
        let program = &program;
        Some(async move {
            let text = match ask(session, program).await {
                Ok(text) => text,
                Err(why) => {
                    return Some(Plane {
                        name: machine.name.clone(),
                        unread: Some(why),
                        ..Plane::default()
                    });
                }
            };
            let mut plane = Plane::parse(&machine.name, &text)?;
            // kube-vip is a pod of its own.
            if !managed {
                plane.stopped.retain(|part| !part.ends_with(".service"));
            }
            Some(plane)
        })
    });
    join_all(planes).await.into_iter().flatten().collect()
}

async fn ask(session: &Session, program: &str) -> Result<String, String> {
    let done = session
        .run(program.as_bytes(), LIMIT, "read the control plane", |_| {})
        .await
        .map_err(|e| chain(&e))?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

impl Plane {
    /// Reads the lines of `planes.sh`; `None` for a machine that is no control plane yet.
    fn parse(name: &str, text: &str) -> Option<Self> {
        let mut out = Plane {
            name: name.to_owned(),
            ..Plane::default()
        };
        for line in text.lines() {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "holder" => out.holds_address = Some(rest == "yes"),
                "keepalived" => out.part("keepalived.service", rest),
                "balancer" => out.part("bramble-api.service", rest),
                "part" => {
                    let (part, state) = rest.split_once(' ').unwrap_or((rest, "no"));
                    out.part(part, state);
                }
                "snapshot-failed" => out.snapshot_failed = Some(rest.to_owned()),
                "etcd" => out.member = Member::parse(rest),
                "members" => out.members = members(rest),
                _ => {}
            }
        }
        let look = certs::Look::parse(name, text);
        let certificates = look.certificates.iter();
        out.certificates = certificates
            .map(|c| Certificate {
                path: c.path.clone(),
                days: c.days(look.now),
                standing: c.standing(look.now),
            })
            .collect();
        (!out.running.is_empty() || !out.stopped.is_empty()).then_some(out)
    }

    fn part(&mut self, name: &str, state: &str) {
        let list = if state == "yes" {
            &mut self.running
        } else {
            &mut self.stopped
        };
        list.push(name.to_owned());
    }
}

impl Member {
    /// `etcdctl endpoint status -w json` of one endpoint.
    fn parse(text: &str) -> Option<Self> {
        let all: Value = serde_json::from_str(text).ok()?;
        let status = all.get(0)?.get("Status")?;
        let number = |key: &str| status.get(key).and_then(Value::as_u64);
        let own = status.pointer("/header/member_id").and_then(Value::as_u64);
        let leader = number("leader").filter(|id| *id != 0);
        Some(Self {
            leads: leader.is_some() && leader == own,
            led: leader.is_some(),
            size: number("dbSize").unwrap_or(0),
            cluster: status
                .pointer("/header/cluster_id")
                .and_then(Value::as_u64)
                .unwrap_or(0),
        })
    }
}

/// Names of `etcdctl member list -w json`; one that never started has its peers' address.
fn members(text: &str) -> Vec<String> {
    let all: Value = serde_json::from_str(text).unwrap_or_default();
    let list = all.get("members").and_then(Value::as_array);
    let name = |member: &Value| {
        let name = member.get("name").and_then(Value::as_str).unwrap_or("");
        let peer = member.pointer("/peerURLs/0").and_then(Value::as_str);
        if name.is_empty() {
            peer.unwrap_or("?").to_owned()
        } else {
            name.to_owned()
        }
    };
    list.into_iter().flatten().map(name).collect()
}

/// Everything that is not as it should be.
pub fn troubles(cluster: &Cluster, planes: &[Plane]) -> Vec<String> {
    let mut out = Vec::new();
    for plane in planes {
        if let Some(why) = &plane.unread {
            out.push(format!(
                "the control plane on {} could not be read: {why}",
                plane.name
            ));
        }
        for part in &plane.stopped {
            out.push(format!("{part} does not run on {}", plane.name));
        }
        match &plane.member {
            Some(member) if !member.led => {
                out.push(without_leader(plane, member, planes));
            }
            None if plane.running.iter().any(|p| p == "etcd") => {
                out.push(format!("etcd on {} runs and does not answer", plane.name));
            }
            _ => {}
        }
        if let Some(why) = &plane.snapshot_failed {
            out.push(format!(
                "the last snapshot of etcd on {} failed: {why} (journalctl -u bramble-etcd-snapshot)",
                plane.name
            ));
        }
        let over = plane
            .certificates
            .iter()
            .filter(|c| c.standing == Standing::Over);
        out.extend(over.map(|c| format!("{} on {} is over", c.path, plane.name)));
    }
    let names = planes.iter().flat_map(|p| &p.members);
    out.extend(names.filter_map(|name| stranger(cluster, name)).next());
    out.extend(address(cluster, planes));
    out
}

/// Why a member knows no leader: where another one has one, the quorum is not what is lost.
fn without_leader(plane: &Plane, member: &Member, planes: &[Plane]) -> String {
    let name = &plane.name;
    let led = |p: &&Plane| p.member.as_ref().is_some_and(|m| m.led);
    let Some(other) = planes.iter().find(led) else {
        return format!("etcd on {name} has no leader: the quorum is lost");
    };
    let same = |m: &Member| m.cluster == member.cluster;
    if other.member.as_ref().is_some_and(same) {
        format!(
            "etcd on {name} has no leader while that on {} has: it does not reach the others",
            other.name
        )
    } else {
        format!(
            "etcd on {name} is of another cluster than that on {}: bramble machine replace {name} makes it anew",
            other.name
        )
    }
}

/// What is said of a member that isn't a control plane of the file. One that never started has its peers'
/// address instead of a name.
fn stranger(cluster: &Cluster, name: &str) -> Option<String> {
    let mut planes = cluster.with_role(Role::ControlPlane);
    let host = name
        .strip_prefix("https://")
        .and_then(|n| n.rsplit_once(':'));
    let Some((host, _)) = host else {
        return planes
            .all(|m| m.name != name)
            .then(|| format!("etcd has the member {name}, which is no control plane of the file"));
    };
    let has = |m: &&Machine| m.address.to_string() == host;
    Some(match planes.find(has) {
        Some(machine) => format!(
            "etcd counts {} among its members, but it never came: bramble up lets it join again",
            machine.name
        ),
        None => format!("etcd has the member {name}, which is no control plane of the file"),
    })
}

/// One machine must have the shared address.
fn address(cluster: &Cluster, planes: &[Plane]) -> Option<String> {
    let shared = cluster.kubernetes.endpoint.shared()?;
    let holders: Vec<&str> = planes
        .iter()
        .filter(|p| p.holds_address == Some(true))
        .map(|p| p.name.as_str())
        .collect();
    let all = cluster.with_role(Role::ControlPlane).count();
    match holders.as_slice() {
        [_] => None,
        // Who was not asked may have it.
        [] if planes.len() < all => None,
        [] => Some(format!("nobody has the shared address {shared}")),
        several => Some(format!(
            "the shared address {shared} has several owners: {}",
            several.join(", ")
        )),
    }
}

/// What will be a trouble soon: it doesn't make the cluster unhealthy.
pub fn remarks(planes: &[Plane]) -> Vec<String> {
    let first = |plane: &Plane| {
        let mut all = plane.certificates.iter();
        let certificate = all.find(|c| c.standing == Standing::Soon)?;
        Some(format!(
            "{} on {} ends in {} days",
            certificate.path, plane.name, certificate.days
        ))
    };
    planes.iter().filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const TEXT: &str = r#"holder yes
keepalived yes
balancer no
part etcd yes
part kube-apiserver yes
part kube-scheduler no
snapshot-failed no copy of a.db at https://s3.internal/b: the service refuses it: 403 AccessDenied
etcd [{"Endpoint":"https://127.0.0.1:2379","Status":{"header":{"cluster_id":1,"member_id":7,"revision":9,"raft_term":2},"version":"3.4.23","dbSize":2048,"leader":7,"raftIndex":11,"raftTerm":2}}]
members {"header":{},"members":[{"ID":7,"name":"one","peerURLs":["https://10.0.0.1:2380"]},{"ID":8,"peerURLs":["https://10.0.0.9:2380"]}]}
"#;

    fn cluster() -> Cluster {
        bramble_spec::load("test", "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  kubernetes: { endpoint: { vip: 10.0.0.5 } }\n  network: { lan: 10.0.0.0/24 }\n  machines:\n    - { name: one, roles: [control-plane], address: 10.0.0.1 }\n").unwrap()
    }

    #[test]
    fn what_a_control_plane_is_is_read() {
        let plane = Plane::parse("one", TEXT).unwrap();
        assert_eq!(plane.holds_address, Some(true));
        assert_eq!(plane.stopped, ["bramble-api.service", "kube-scheduler"]);
        let member = plane.member.clone().unwrap();
        assert_eq!((member.leads, member.led, member.size), (true, true, 2048));
        assert_eq!(plane.members, ["one", "https://10.0.0.9:2380"]);
        assert_eq!(Plane::parse("one", ""), None, "it is none yet");
    }

    #[test]
    fn a_member_that_never_came_is_told_from_a_stranger() {
        let said = |name| stranger(&cluster(), name);
        assert_eq!(said("one"), None);
        let half = said("https://10.0.0.1:2380").unwrap();
        assert!(half.contains("counts one among"), "{half}");
        for other in ["two", "https://10.0.0.9:2380"] {
            let said = said(other).unwrap();
            assert!(said.contains("no control plane of the file"), "{said}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let certificate = |path: &str, days, standing| Certificate {
            path: path.to_owned(),
            days,
            standing,
        };
        let plane = Plane {
            certificates: vec![
                certificate("/etc/kubernetes/admin.conf", -1, Standing::Over),
                certificate("/etc/kubernetes/pki/apiserver.crt", 10, Standing::Soon),
            ],
            ..Plane::parse("one", TEXT).unwrap()
        };
        let said = troubles(&cluster(), std::slice::from_ref(&plane));
        assert_eq!(
            said,
            [
                "bramble-api.service does not run on one",
                "kube-scheduler does not run on one",
                "the last snapshot of etcd on one failed: no copy of a.db at https://s3.internal/b: the service refuses it: 403 AccessDenied (journalctl -u bramble-etcd-snapshot)",
                "/etc/kubernetes/admin.conf on one is over",
                "etcd has the member https://10.0.0.9:2380, which is no control plane of the file",
            ]
        );
        let soon = remarks(std::slice::from_ref(&plane));
        assert_eq!(
            soon,
            ["/etc/kubernetes/pki/apiserver.crt on one ends in 10 days"]
        );
        let mut other = plane.clone();
        other.holds_address = Some(false);
        let said = troubles(&cluster(), &[other.clone()]);
        assert!(said.contains(&"nobody has the shared address 10.0.0.5".to_owned()));
        let said = troubles(&cluster(), &[plane.clone(), plane.clone()]);
        assert!(
            said.iter().any(|s| s.contains("several owners: one, one")),
            "{said:?}"
        );
        other.member = Some(Member::default());
        let said = troubles(&cluster(), std::slice::from_ref(&other));
        assert!(
            said.iter().any(|s| s.contains("the quorum is lost")),
            "{said:?}"
        );
        let said = troubles(&cluster(), &[plane.clone(), other.clone()]);
        let wanted = "etcd on one is of another cluster than that on one";
        assert!(said.iter().any(|s| s.contains(wanted)), "{said:?}");
        other.member = Some(Member {
            cluster: 1,
            ..Member::default()
        });
        let said = troubles(&cluster(), &[plane, other]);
        assert!(
            said.iter().any(|s| s.contains("does not reach the others")),
            "{said:?}"
        );
    }
}
