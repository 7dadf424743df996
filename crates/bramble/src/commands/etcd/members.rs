//! `bramble etcd members`.

use super::{Planes, size};
use crate::error::{CliError, Kind};
use crate::printer::{Printer, Style};
use crate::table::{Cell, cell, lines};
use bramble_etcd::{Health, Member};

/// Shows the members; the exit code says whether all is well.
pub async fn run(planes: &Planes<'_>, printer: &Printer) -> Result<(), CliError> {
    let view = planes.look().await.view;
    if printer.json() {
        let mut value = serde_json::json!(view);
        value["hasQuorum"] = view.has_quorum().into();
        value["isHealthy"] = view.is_healthy().into();
        printer.value(&value);
    } else {
        let head = [
            "MEMBER", "ID", "VERSION", "DATA", "IN USE", "INDEX", "TERM", "STATE",
        ];
        let mut rows = vec![head.map(Cell::from).into()];
        rows.extend(view.members.iter().map(row));
        for line in lines(printer, &rows) {
            printer.out(line);
        }
        for problem in &view.problems {
            printer.out(problem);
        }
        if !view.has_quorum() && !view.members.is_empty() {
            // Without a quorum members of some releases tell of nobody but themselves.
            let all = view.members.len().max(planes.machines.len());
            printer.out(format!(
                "no quorum: {} of {} members would be needed. Bring them back, or, if they are lost for good: bramble etcd recover",
                bramble_etcd::quorum(all),
                all
            ));
        }
    }
    if view.is_healthy() {
        return Ok(());
    }
    Err(CliError::silent(Kind::Failed))
}

fn row(member: &Member) -> Vec<Cell> {
    let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    let bytes = |n: Option<u64>| n.map_or("-".to_owned(), size);
    let name = match member.name.as_str() {
        "" => member.peers.join(" "),
        name => name.to_owned(),
    };
    let state = match &member.health {
        Health::Healthy if member.leader => cell(Style::Green, "healthy, leads"),
        Health::Healthy if member.learner => cell(Style::Yellow, "healthy, has no vote yet"),
        Health::Healthy => cell(Style::Green, "healthy"),
        Health::Unhealthy(why) | Health::Unknown(why) => cell(Style::Red, why.clone()),
    };
    vec![
        name.into(),
        member.id.clone().into(),
        member.version.clone().unwrap_or_else(|| "-".into()).into(),
        bytes(member.db_size).into(),
        bytes(member.db_in_use).into(),
        number(member.raft_index).into(),
        number(member.raft_term).into(),
        state,
    ]
}
