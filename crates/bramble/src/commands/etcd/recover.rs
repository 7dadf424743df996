//! `bramble etcd recover`: the quorum is lost, and one member that is left becomes the whole of etcd.

use super::{Looks, Planes, at_the_address, locks, names, on_all, told};
use crate::ask;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use bramble_etcd::{Seen, program as programs};
use bramble_fleet::Session;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long each part may take.
const PART: Duration = Duration::from_secs(600);
/// A leader that was lost just now is replaced within so much, where that is still possible.
const ELECTION: Duration = Duration::from_secs(6);
/// That many looks, while members don't say how much they know.
const LOOKS: u32 = 4;

/// Recovers.
pub async fn run(
    planes: &Planes<'_>,
    machine: Option<&str>,
    yes: bool,
    printer: &Printer,
) -> Result<(), CliError> {
    if let Some(name) = machine {
        planes.named(name)?;
    }
    let looks = quorumless(planes, printer).await?;
    let name = chosen(&looks, machine)?;
    let going_on = looks.view.has_quorum();
    let session = looks
        .sessions
        .get(&name)
        .ok_or_else(|| CliError::new(Kind::Unreachable, format!("{name} is not reached")))?;
    let others: BTreeMap<String, Session> = looks
        .sessions
        .iter()
        .filter(|(n, _)| **n != name && may_run(&looks, n))
        .filter(|(n, _)| !going_on || !looks.lists(&name, n))
        .map(|(n, s)| (n.clone(), s.clone()))
        .collect();
    let lost: Vec<&String> = looks
        .seen
        .iter()
        .filter(|(name, seen)| seen.is_err() && !looks.sessions.contains_key(*name))
        .map(|(name, _)| name)
        .collect();
    if going_on && !looks.answers(&name) {
        return Err(CliError::failed(format!(
            "etcd has its quorum without {name}, where a recovery began and did not end"
        ))
        .hint(format!(
            "make it anew: bramble down --machine {name}, then bramble up"
        )));
    }
    if !going_on || !others.is_empty() {
        ask::confirm(printer, yes, &warning(&name, &looks, &others, &lost), &name)?;
    }
    let mut all = others.clone();
    all.insert(name.clone(), session.clone());
    let held = locks(&all, "etcd recover").await?;
    // Somebody may have found the switch while this was read; or a run that was cut off has come to its end on the
    // machine, which is this one's aim.
    if !going_on {
        let again = planes.look().await;
        let now = &again.view;
        if now.has_quorum() && !again.is_alone(&name) {
            return Err(CliError::failed(format!(
                "etcd has its quorum again: {} of {} members are healthy; nothing was changed",
                now.healthy,
                now.members.len()
            ))
            .hint("bramble etcd members shows all of them"));
        }
    }
    if !others.is_empty() {
        printer.note(format!(
            "  the control planes on {} stop",
            names(others.keys())
        ));
        on_all(
            &others,
            |_| programs::retire(),
            PART,
            "stop the control plane",
        )
        .await?;
    }
    printer.note(format!("  the member on {name} becomes the whole of etcd"));
    let said = |line: &str| printer.note(format!("  {line}"));
    told(session, &programs::recover(), PART, "recover etcd", said)
        .await
        .map_err(|error| error.hint("run the same command again: it goes on"))?;
    at_the_address(session, printer).await;
    for lock in held {
        lock.release().await;
    }
    let lost = lost.into_iter().filter(|_| !going_on);
    done(&name, others.keys().chain(lost), printer);
    Ok(())
}

fn done<'n>(name: &str, away: impl Iterator<Item = &'n String>, printer: &Printer) {
    let away: Vec<&String> = away.collect();
    if printer.json() {
        printer.value(&json!({ "recovered": name, "away": away }));
        return;
    }
    let alone = if away.is_empty() { "" } else { " alone" };
    printer.out(format!(
        "etcd is whole again, with the member on {name}{alone}"
    ));
    for other in &away {
        printer.out(format!(
            "{other}: make it anew before it comes back (bramble down --machine {other}, then bramble up), or take it out of the file"
        ));
    }
    if away.len() > 1 {
        printer.out("Those that are off: switch on one, bramble down --machine it, then the next. Several of them together could be the old cluster.");
    }
}

/// What all say, if there is no quorum; asked twice, since one may be on its way, and again while not all whose
/// data could go on tell how much they know.
async fn quorumless(planes: &Planes<'_>, printer: &Printer) -> Result<Looks, CliError> {
    let mut tries = 0;
    loop {
        let looks = planes.look().await;
        // Under way already: its member may be whole, and others may have joined it since.
        let under_way = looks.seen.values().flatten().any(|s| s.recovering);
        if looks.view.has_quorum() && !under_way {
            return Err(CliError::usage(format!(
                "etcd has its quorum: {} of {} members are healthy",
                looks.view.healthy,
                looks.view.members.len()
            ))
            .hint("a lost control plane is replaced by bramble up, or taken out; bramble etcd members shows all"));
        }
        tries += 1;
        let silent = tries < LOOKS && furthest(&reached(&looks)).is_err();
        if under_way || (tries > 1 && !silent) {
            return Ok(looks);
        }
        printer.note(format!(
            "  no quorum; waiting {} s whether members agree after all",
            ELECTION.as_secs()
        ));
        tokio::time::sleep(ELECTION).await;
    }
}

/// The one named, the one that a run which was cut off chose, or the one that knows the most.
fn chosen(looks: &Looks, machine: Option<&str>) -> Result<String, CliError> {
    let seen = |name: &str| looks.seen.get(name).and_then(|s| s.as_ref().ok());
    let begun = looks
        .sessions
        .keys()
        .find(|n| seen(n).is_some_and(|s| s.recovering));
    if let (Some(begun), Some(name)) = (begun, machine)
        && begun != name
    {
        return Err(CliError::usage(format!(
            "a recovery on {begun} was begun and did not end: two members would each be the whole"
        ))
        .hint(format!(
            "go on with it: bramble etcd recover --machine {begun}"
        )));
    }
    if let Some(name) = begun {
        return Ok(name.clone());
    }
    if let Some(name) = machine {
        return match looks.seen.get(name) {
            Some(Ok(s)) if s.manifest && s.data => Ok(name.to_owned()),
            Some(Ok(_)) => Err(CliError::usage(format!("{name} has no member with data"))),
            Some(Err(why)) => Err(CliError::new(Kind::Unreachable, format!("{name}: {why}"))),
            None => Err(CliError::usage(format!("{name} is no control plane"))),
        };
    }
    match furthest(&reached(looks)) {
        Ok(Some(name)) => Ok(name.to_owned()),
        Ok(None) => Err(CliError::failed(format!(
            "no control plane that is reached has a member with data: {}",
            looks.why()
        ))
        .hint("restore a snapshot: bramble etcd restore FILE")),
        Err(silent) => Err(CliError::failed(format!(
            "{silent} may know more than the others and does not say how much: {}",
            looks.why()
        ))
        .hint("name the one whose data is to go on (--machine NAME), or restore a snapshot: bramble etcd restore FILE")),
    }
}

/// What the machines that are reached said; `None` for one that said nothing.
fn reached(looks: &Looks) -> Vec<(&str, Option<&Seen>)> {
    let names = looks.sessions.keys();
    names
        .map(|name| {
            let seen = looks.seen.get(name).and_then(|s| s.as_ref().ok());
            (name.as_str(), seen)
        })
        .collect()
}

/// The member with data that knows the most; `Err`: one that may have data and doesn't say how much it knows. One
/// that is the only one need not answer: there is nothing to compare it with, and without its quorum it may
/// be slow to.
fn furthest<'n>(all: &[(&'n str, Option<&Seen>)]) -> Result<Option<&'n str>, &'n str> {
    let candidates = all
        .iter()
        .filter(|(_, s)| s.is_none_or(|s| s.manifest && s.data));
    let candidates: Vec<_> = candidates.collect();
    if let [(name, Some(_))] = candidates[..] {
        return Ok(Some(name));
    }
    let mut best = None;
    for (name, seen) in candidates {
        let status = seen.and_then(|s| s.status.as_ref()).ok_or(*name)?;
        best = best.max(Some(((status.raft_term, status.raft_index), *name)));
    }
    Ok(best.map(|(_, name)| name))
}

/// Whether a member could run on a machine that is reached; also where it did not say.
fn may_run(looks: &Looks, name: &str) -> bool {
    matches!(looks.seen.get(name), Some(Ok(s)) if s.manifest || s.data)
        || matches!(looks.seen.get(name), Some(Err(_)))
}

fn warning(
    name: &str,
    looks: &Looks,
    others: &BTreeMap<String, Session>,
    lost: &[&String],
) -> String {
    let index = looks
        .seen
        .get(name)
        .and_then(|s| s.as_ref().ok()?.status.as_ref())
        .map_or(String::new(), |s| format!(" (index {})", s.raft_index));
    let mut out = format!(
        "The member on {name}{index} becomes the whole of etcd. Writes that only others have are lost"
    );
    if !others.is_empty() {
        out.push_str(&format!(
            ". The control planes on {} stop, until they are made anew",
            names(others.keys())
        ));
    }
    if !lost.is_empty() {
        out.push_str(&format!(
            ". {} can't be reached and must not be switched on again as they are: with the old data they could be a second cluster",
            names(lost.iter().copied())
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bramble_etcd::{Header, Status};

    fn seen(data: bool, index: Option<u64>) -> Seen {
        let status = index.map(|raft_index| Status {
            header: Header {
                cluster_id: 1,
                member_id: 1,
                revision: 1,
            },
            version: "3.4.23".to_owned(),
            db_size: 1,
            db_size_in_use: 1,
            leader: 0,
            raft_index,
            raft_term: 2,
            errors: Vec::new(),
        });
        Seen {
            manifest: true,
            data,
            status,
            ..Seen::default()
        }
    }

    #[test]
    fn the_member_that_knows_the_most_goes_on() {
        let (one, two) = (seen(true, Some(7)), seen(true, Some(9)));
        let all = [("one", Some(&one)), ("two", Some(&two))];
        assert_eq!(furthest(&all), Ok(Some("two")));
    }

    /// Without its quorum a member may not answer in time; whose data goes on is clear all the same.
    #[test]
    fn the_only_member_with_data_need_not_answer() {
        let (one, two) = (seen(true, None), seen(false, None));
        let all = [("one", Some(&one)), ("two", Some(&two))];
        assert_eq!(furthest(&all), Ok(Some("one")));
        assert_eq!(furthest(&all[1..]), Ok(None));
    }

    /// What it has and the others don't would be lost unasked.
    #[test]
    fn beside_one_that_is_silent_none_is_taken() {
        let (one, two) = (seen(true, Some(7)), seen(true, None));
        assert_eq!(
            furthest(&[("one", Some(&one)), ("two", Some(&two))]),
            Err("two")
        );
        assert_eq!(furthest(&[("one", Some(&one)), ("two", None)]), Err("two"));
        assert_eq!(furthest(&[("one", None)]), Err("one"));
    }
}
