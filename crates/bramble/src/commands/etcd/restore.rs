//! `bramble etcd restore`: all control planes stop, begin together with a snapshot's data, and go on.
//!
//! Every part can run again: a run that was cut off is taken up by the next one, which begins all members
//! anew as one cluster, or taken back by `--back` as long as it is under way.

use super::{Looks, Planes, at_the_address, locks, names, on_all, program};
use crate::args::EtcdRestoreArgs;
use crate::ask;
use crate::error::{CliError, Explain, Kind, chain};
use crate::printer::Printer;
use bramble_etcd::{BEFORE, Inside, RESTORE, inside, program as programs};
use bramble_fleet::Session;
use bramble_spec::cluster::Machine;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long each part may take.
const PART: Duration = Duration::from_secs(600);
/// How long a copy may take.
const COPY: Duration = Duration::from_secs(3600);

/// A control plane that takes part: the name and peer URL of its member.
type Places = BTreeMap<String, (String, String)>;

/// Restores, or takes a restore that is under way back.
pub async fn run(
    planes: &Planes<'_>,
    args: &EtcdRestoreArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let looks = planes.look().await;
    let Some(file) = &args.snapshot else {
        return back(planes, &looks, args, printer).await;
    };
    let (bytes, sum) = digest(file)?;
    let (sessions, places) = taking_part(planes, &looks, &args.without)?;
    let held = locks(&sessions, "etcd restore").await?;
    let under_way = looks.seen.values().flatten().any(|s| s.restoring);
    printer.note(format!(
        "  {} goes to {}",
        file.display(),
        names(sessions.keys())
    ));
    bring(&sessions, file, bytes, &sum).await?;
    let agreed = match check(&sessions).await {
        Ok(inside) => confirm(planes, args, &sessions, &inside, printer).map(|()| inside),
        Err(error) => Err(error),
    };
    let inside = match agreed {
        Ok(inside) => inside,
        Err(error) => {
            on_all(
                &sessions,
                |_| programs::restore_forget(),
                PART,
                "forget the snapshot",
            )
            .await?;
            return Err(if under_way {
                error.hint("a restore is under way: bramble etcd restore --back takes it back")
            } else {
                error
            });
        }
    };
    begin_anew(planes, &sessions, &places, printer)
        .await
        .map_err(|error| {
            error.hint("run the same command again: it goes on. bramble etcd restore --back puts the data from before in its place")
        })?;
    relearn(planes, printer).await;
    for lock in held {
        lock.release().await;
    }
    done(&sessions, &inside, printer);
    Ok(())
}

fn done(sessions: &BTreeMap<String, Session>, inside: &Inside, printer: &Printer) {
    if printer.json() {
        let machines: Vec<&String> = sessions.keys().collect();
        printer.value(&json!({ "restored": machines, "snapshot": inside, "before": BEFORE }));
        return;
    }
    printer.out(format!(
        "restored on {}: revision {}, {} keys",
        names(sessions.keys()),
        inside.revision,
        inside.keys
    ));
    printer.note(format!(
        "The data from before lies in {BEFORE} on each of them, until the next restore."
    ));
}

/// All control planes but those that are gone; others that are away could come back with the old data and be
/// a second cluster.
fn taking_part(
    planes: &Planes<'_>,
    looks: &Looks,
    without: &[String],
) -> Result<(BTreeMap<String, Session>, Places), CliError> {
    for name in without {
        planes.named(name)?;
        if let Some(Ok(seen)) = looks.seen.get(name)
            && (seen.manifest || seen.manifest_aside)
        {
            return Err(CliError::usage(format!(
                "{name} is reached and has a member of etcd, which would go on with the old data beside the restored cluster"
            ))
            .hint(format!(
                "let it take part; or take it out first: bramble down --machine {name}"
            )));
        }
    }
    let (mut sessions, mut places) = (BTreeMap::new(), BTreeMap::new());
    let mut away = Vec::new();
    for machine in planes
        .machines
        .iter()
        .filter(|m| !without.contains(&m.name))
    {
        let name = &machine.name;
        match (looks.sessions.get(name), looks.seen.get(name)) {
            (Some(session), Some(Ok(seen))) => match &seen.place {
                Some(place) => {
                    sessions.insert(name.clone(), session.clone());
                    places.insert(name.clone(), place.clone());
                }
                None => away.push(format!("{name}: it has no member of etcd")),
            },
            (_, Some(Err(why))) => away.push(format!("{name}: {why}")),
            _ => away.push(format!("{name}: it was not asked")),
        }
    }
    if !away.is_empty() {
        let what = format!("not all control planes can take part: {}", away.join("; "));
        return Err(CliError::new(Kind::Unreachable, what).hint(
            "make them reachable, or leave out those that are gone for good and never come back as they are: --without NAME",
        ));
    }
    if sessions.is_empty() {
        return Err(CliError::usage("no control plane is left to restore on"));
    }
    Ok((sessions, places))
}

fn digest(file: &Path) -> Result<(u64, String), CliError> {
    let what = || format!("can't read {}", file.display());
    let mut from =
        std::fs::File::open(file).map_err(|e| CliError::usage(format!("{}: {e}", what())))?;
    let (mut sum, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut piece).explain(what())?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        sum.update(&piece[..read]);
    }
    let hex = sum.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok((bytes, hex))
}

async fn bring(
    sessions: &BTreeMap<String, Session>,
    file: &Path,
    bytes: u64,
    sum: &str,
) -> Result<(), CliError> {
    on_all(
        sessions,
        |_| programs::restore_folder(),
        PART,
        "make a folder",
    )
    .await?;
    let remote = format!("{RESTORE}/snapshot.db");
    let copies = sessions
        .values()
        .map(|session| session.put(file, &remote, bytes, sum, 0o600, COPY, |_| {}));
    for copied in futures::future::join_all(copies).await {
        copied?;
    }
    Ok(())
}

/// On all: each has a disk of its own.
async fn check(sessions: &BTreeMap<String, Session>) -> Result<Inside, CliError> {
    let said = on_all(
        sessions,
        |_| programs::restore_check(),
        PART,
        "check the snapshot",
    )
    .await?;
    let mut found = None;
    for text in said.values() {
        found = Some(inside(text).map_err(|e| CliError::failed(chain(&e)))?);
    }
    found.ok_or_else(|| CliError::failed("no machine looked into the snapshot"))
}

fn confirm(
    planes: &Planes<'_>,
    args: &EtcdRestoreArgs,
    sessions: &BTreeMap<String, Session>,
    inside: &Inside,
    printer: &Printer,
) -> Result<(), CliError> {
    let gone = match args.without.as_slice() {
        [] => String::new(),
        gone => format!(
            " {} must not be switched on again as they are: with the old data they would be a second cluster.",
            names(gone)
        ),
    };
    let what = format!(
        "The cluster {} becomes what it was at revision {} ({} keys): everything newer is lost. The API is away meanwhile; workloads go on. On {}.{gone}",
        planes.context.cluster.name,
        inside.revision,
        inside.keys,
        names(sessions.keys())
    );
    ask::confirm(
        printer,
        args.yes,
        what.trim_end_matches('.'),
        &planes.context.cluster.name,
    )
}

/// The parts in their order; each on all machines before the next begins: no member of the old cluster runs
/// when one of the new one does.
async fn begin_anew(
    planes: &Planes<'_>,
    sessions: &BTreeMap<String, Session>,
    places: &Places,
    printer: &Printer,
) -> Result<(), CliError> {
    let cluster: Vec<String> = places
        .values()
        .map(|(n, peer)| format!("{n}={peer}"))
        .collect();
    let cluster = cluster.join(",");
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // Members of another token are strangers: neither the old ones nor those of a run that was cut off mix in.
    let token = format!(
        "{}-{}-{}",
        planes.context.cluster.name,
        now.map_or(0, |d| d.as_nanos()),
        std::process::id()
    );
    printer.note("  the control planes stop");
    on_all(
        sessions,
        |_| programs::restore_stop(),
        PART,
        "stop the control plane",
    )
    .await?;
    printer.note("  their data becomes the snapshot's");
    let data = |name: &str| {
        let (own, peer) = places.get(name).cloned().unwrap_or_default();
        programs::restore_data(&own, &peer, &cluster, &token)
    };
    on_all(sessions, data, PART, "restore the data").await?;
    printer.note("  etcd starts");
    on_all(sessions, |_| programs::restore_start(), PART, "start etcd").await?;
    printer.note("  the API servers start");
    finish(sessions, printer).await
}

/// The rest of the control planes; only once all of them serve is nothing under way any more.
async fn finish(sessions: &BTreeMap<String, Session>, printer: &Printer) -> Result<(), CliError> {
    for (program, what) in [
        (programs::restore_finish(), "start the control plane"),
        (programs::restore_tidy(), "end the restore"),
    ] {
        on_all(sessions, |_| program.clone(), PART, what).await?;
    }
    if let Some(session) = sessions.values().next() {
        at_the_address(session, printer).await;
    }
    Ok(())
}

/// Nodes remember a newer state than the cluster: they look at it anew. One that can't be reached finds out
/// by itself, later.
async fn relearn(planes: &Planes<'_>, printer: &Printer) {
    let nodes: Vec<&Machine> = planes
        .context
        .cluster
        .machines
        .iter()
        .filter(|m| m.is_node())
        .collect();
    for (name, session) in planes.sessions(&nodes).await {
        let result = match session {
            Ok(session) => program(&session, &programs::relearn(), PART, "look anew").await,
            Err(why) => Err(CliError::failed(why)),
        };
        if let Err(error) = result {
            printer.warn(format!(
                "{name} was not told to look anew: {}",
                error.message
            ));
        }
    }
}

/// Data was replaced once all had stopped, and nothing is under way on a machine once all serve again: where data
/// was replaced anywhere, all go back or none.
fn all_go_back(
    looks: &Looks,
    sessions: &BTreeMap<String, Session>,
    without: &[String],
) -> Result<(), CliError> {
    let seen = |name: &String| looks.seen.get(name).and_then(|s| s.as_ref().ok());
    if !sessions.keys().any(|n| seen(n).is_some_and(|s| s.before)) {
        return Ok(());
    }
    let elsewhere = looks
        .seen
        .iter()
        .filter(|(name, _)| !sessions.contains_key(*name) && !without.contains(name));
    let why = elsewhere.filter_map(|(name, seen)| match seen {
        Err(why) => Some(format!("{name}: {why}")),
        Ok(seen) if seen.place.is_some() => {
            Some(format!("{name}: it serves the snapshot's data already"))
        }
        Ok(_) => None,
    });
    let why: Vec<String> = why.collect();
    if why.is_empty() {
        return Ok(());
    }
    let what = format!("not all control planes can go back: {}", why.join("; "));
    Err(CliError::new(Kind::Unreachable, what).hint(
        "go on with the restore (bramble etcd restore FILE); or make them reachable, or leave out those that are gone for good: --without NAME",
    ))
}

/// The data from before, on every machine where the restore is under way.
async fn back(
    planes: &Planes<'_>,
    looks: &Looks,
    args: &EtcdRestoreArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let under_way = |name: &String| matches!(looks.seen.get(name), Some(Ok(s)) if s.restoring);
    let sessions: BTreeMap<String, Session> = looks
        .sessions
        .iter()
        .filter(|(name, _)| under_way(name))
        .map(|(name, session)| (name.clone(), session.clone()))
        .collect();
    if sessions.is_empty() {
        return Err(CliError::usage("no restore is under way").hint(format!(
            "the data from before one that is done lies in {BEFORE} on the control planes; to go back to a state, restore its snapshot"
        )));
    }
    all_go_back(looks, &sessions, &args.without)?;
    let what = format!(
        "The data from before the restore comes back on {}: what the cluster {} did since is lost",
        names(sessions.keys()),
        planes.context.cluster.name
    );
    ask::confirm(printer, args.yes, &what, &planes.context.cluster.name)?;
    let held = locks(&sessions, "etcd restore --back").await?;
    let again = |error: CliError| error.hint("run the same command again: it goes on");
    on_all(
        &sessions,
        |_| programs::restore_back(),
        PART,
        "put the old data back",
    )
    .await
    .map_err(again)?;
    on_all(&sessions, |_| programs::restore_start(), PART, "start etcd")
        .await
        .map_err(again)?;
    finish(&sessions, printer).await.map_err(again)?;
    for lock in held {
        lock.release().await;
    }
    printer.out(format!(
        "the data from before is back on {}",
        names(sessions.keys())
    ));
    Ok(())
}
