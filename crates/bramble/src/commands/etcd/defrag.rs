//! `bramble etcd defrag`: one member at a time, the leader last, only while all are healthy.

use super::{Looks, Planes, locks, program, size};
use crate::error::{CliError, chain};
use crate::printer::Printer;
use serde_json::json;
use std::time::Duration;

/// How long one member may take.
const LIMIT: Duration = Duration::from_secs(240);

/// Defragments the members of these control planes, or of all.
pub async fn run(
    planes: &Planes<'_>,
    machines: &[String],
    printer: &Printer,
) -> Result<(), CliError> {
    for name in machines {
        planes.named(name)?;
    }
    let looks = healthy(planes).await?;
    let held = locks(&looks.sessions, "etcd defrag").await?;
    let mut members: Vec<_> = looks.view.members.iter().collect();
    members.sort_by_key(|m| m.leader);
    let mut done = Vec::new();
    for member in members {
        let name = member.machine.clone().unwrap_or_default();
        let Some(session) = looks.sessions.get(&name) else {
            continue;
        };
        if !machines.is_empty() && !machines.contains(&name) {
            continue;
        }
        // One more may have gone since.
        healthy(planes).await?;
        let text = bramble_etcd::program::defrag();
        let said = program(session, &text, LIMIT, "defragment etcd").await?;
        let after = bramble_etcd::status(said.trim())
            .map_err(|e| CliError::failed(chain(&e)))?
            .map_or(0, |s| s.db_size);
        let before = member.db_size.unwrap_or_default();
        if !printer.json() {
            printer.out(format!("{name}: {} → {}", size(before), size(after)));
        }
        done.push(json!({ "machine": name, "before": before, "after": after }));
    }
    for lock in held {
        lock.release().await;
    }
    if printer.json() {
        printer.value(&json!({ "members": done }));
    }
    Ok(())
}

/// A look at members that are all healthy: one more that doesn't answer could cost the quorum.
async fn healthy(planes: &Planes<'_>) -> Result<Looks, CliError> {
    let looks = planes.look().await;
    if looks.view.is_healthy() {
        return Ok(looks);
    }
    Err(CliError::failed(format!(
        "not all members of etcd are healthy: {}",
        looks.why()
    ))
    .hint("mend them first; bramble etcd members shows all of them"))
}
