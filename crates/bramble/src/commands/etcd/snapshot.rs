//! `bramble etcd snapshot` and `snapshots`.

use super::{Planes, on_all, program, size};
use crate::args::EtcdSnapshotArgs;
use crate::error::{CliError, Explain, Kind, chain};
use crate::files::folder_for;
use crate::printer::Printer;
use crate::table::{Cell, lines};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bramble_etcd::{HOME, Stored, program as programs, stored};
use bramble_fleet::Session;
use bramble_machine::shell::word;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::NamedTempFile;

/// How long taking or listing may take.
const TAKE: Duration = Duration::from_secs(600);
/// How long a copy may take.
const COPY: Duration = Duration::from_secs(3600);

/// Takes one, copies it here.
pub async fn take(
    planes: &Planes<'_>,
    args: &EtcdSnapshotArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let stamp = stamp(SystemTime::now());
    let target = args
        .to
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}-{stamp}.db", planes.context.cluster.name)));
    if target.exists() && !args.force {
        let what = format!("{} is there already", target.display());
        return Err(CliError::new(Kind::Usage, what).hint("--force replaces it"));
    }
    let folder = folder_for(&target)?;
    if let Some(name) = &args.machine {
        planes.named(name)?;
    }
    let looks = planes.look().await;
    let (machine, session) = match &args.machine {
        None => looks.healthiest()?,
        Some(name) => match (looks.sessions.get(name), looks.seen.get(name)) {
            (Some(session), Some(Ok(seen))) if seen.healthy => (name.as_str(), session),
            _ => {
                let what = format!("the member on {name} is not healthy: {}", looks.why());
                return Err(CliError::failed(what));
            }
        },
    };
    let file = format!("{HOME}/manual-{stamp}.db");
    let said = program(session, &programs::take(&file), TAKE, "take a snapshot").await?;
    let taken = one(&said)?;
    printer.note(format!("  {machine} took {}", size(taken.about.size)));
    let copied = fetch(session, &taken, &folder, &target, args.force).await;
    if !args.keep_on_machine || copied.is_err() {
        // What lies around without anybody knowing would never be taken away.
        let drop = programs::drop_snapshot(&file);
        program(session, &drop, TAKE, "take the copy away").await?;
    }
    copied?;
    tell(&taken, machine, &target, args.keep_on_machine, printer);
    Ok(())
}

fn tell(taken: &Stored, machine: &str, target: &Path, kept: bool, printer: &Printer) {
    let about = &taken.about;
    if printer.json() {
        printer.value(&json!({
            "file": target, "machine": machine, "snapshot": about,
            "onMachine": kept.then_some(&taken.file),
        }));
        return;
    }
    let inside = about.inside.as_ref().map_or(String::new(), |i| {
        format!(
            ", revision {}, {} keys, hash {:08x}",
            i.revision, i.keys, i.hash
        )
    });
    printer.out(format!(
        "{}: {}{inside}",
        target.display(),
        size(about.size)
    ));
    if kept {
        printer.out(format!("also on {machine}: {}", taken.file));
    }
    printer
        .note("It holds every secret of the cluster: only you can read it, and so it should stay.");
}

fn one(said: &str) -> Result<Stored, CliError> {
    let all = stored(said).map_err(|e| CliError::failed(chain(&e)))?;
    let first = all.into_iter().next();
    first.ok_or_else(|| CliError::failed(format!("the machine did not say what it took: {said:?}")))
}

/// Copies a snapshot here: whole, on the disk, and with the sum that the machine says, or not at all.
async fn fetch(
    session: &Session,
    taken: &Stored,
    folder: &Path,
    target: &Path,
    force: bool,
) -> Result<(), CliError> {
    let what = || format!("can't write {}", target.display());
    let mut file = tempfile::Builder::new()
        .prefix(".bramble-")
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .explain(what())?;
    let sum = receive(session, &taken.file, &mut file).await?;
    if taken.about.sha256.as_ref().is_some_and(|s| *s != sum) {
        let wanted = taken.about.sha256.as_deref().unwrap_or_default();
        return Err(CliError::failed(format!(
            "what arrived has the SHA-256 sum {sum}, {} took {wanted}",
            session.machine()
        )));
    }
    file.as_file().sync_all().explain(what())?;
    let kept = if force {
        file.persist(target).map_err(|e| e.error)
    } else {
        file.persist_noclobber(target).map_err(|e| e.error)
    };
    kept.explain(what())?;
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Lines of base64, because lines are what a program's output comes as; they are decoded one by one, so
/// that a large snapshot needs no memory.
async fn receive(
    session: &Session,
    remote: &str,
    file: &mut NamedTempFile,
) -> Result<String, CliError> {
    let text = format!("set -e\nbase64 -w 65536 {}\n", word(remote));
    let mut sum = Sha256::new();
    let mut wrong: Option<String> = None;
    let done = session
        .run(text.as_bytes(), COPY, "copy the snapshot", |line| {
            if wrong.is_some() || line.is_empty() {
                return;
            }
            match STANDARD.decode(line) {
                Ok(bytes) => {
                    sum.update(&bytes);
                    wrong = file.write_all(&bytes).err().map(|e| e.to_string());
                }
                Err(error) => wrong = Some(error.to_string()),
            }
        })
        .await?;
    if let Some(why) = wrong {
        return Err(CliError::failed(format!("the copy of the snapshot: {why}")));
    }
    if !done.success() {
        let (machine, said) = (session.machine(), done.stderr_tail(3));
        return Err(CliError::failed(format!(
            "{machine}: {remote} can't be read: {said}"
        )));
    }
    Ok(sum.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Lists what is on the control planes.
pub async fn list(planes: &Planes<'_>, printer: &Printer) -> Result<(), CliError> {
    let mut sessions = std::collections::BTreeMap::new();
    let mut away = Vec::new();
    for (name, session) in planes.sessions(&planes.machines).await {
        match session {
            Ok(session) => drop(sessions.insert(name, session)),
            Err(why) => away.push(format!("{name}: {why}")),
        }
    }
    let said = on_all(&sessions, |_| programs::list(), TAKE, "list snapshots").await?;
    let mut all = Vec::new();
    for (machine, text) in &said {
        let found = stored(text).map_err(|e| CliError::failed(chain(&e)))?;
        all.extend(found.into_iter().map(|s| (machine, s)));
    }
    all.sort_by_key(|(_, s)| s.about.taken);
    if printer.json() {
        let list: Vec<_> = all
            .iter()
            .map(|(machine, s)| json!({ "machine": machine, "snapshot": s }))
            .collect();
        printer.value(&json!({ "snapshots": list, "unreachable": away }));
    } else {
        let head = ["TAKEN", "MACHINE", "SIZE", "REVISION", "FILE"];
        let mut rows: Vec<Vec<Cell>> = vec![head.map(Cell::from).into()];
        rows.extend(all.iter().map(|(machine, s)| {
            let taken = UNIX_EPOCH + Duration::from_secs(s.about.taken);
            let revision = s.about.inside.as_ref().map(|i| i.revision.to_string());
            vec![
                stamp(taken).into(),
                machine.as_str().into(),
                size(s.about.size).into(),
                revision.unwrap_or_else(|| "-".into()).into(),
                s.file.clone().into(),
            ]
        }));
        for line in lines(printer, &rows) {
            printer.out(line);
        }
    }
    if away.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Kind::Unreachable, away.join("; ")))
}

/// A time as names of files have it: 20261126T010203Z.
fn stamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 to a date: the leap day is the last of such a year.
    let era_days = days + 719_468;
    let era = era_days / 146_097;
    let day = era_days % 146_097;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}{month:02}{date:02}T{:02}{:02}{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_657_819, "20261126T015019Z"),
            (4_107_542_399, "21000228T235959Z"),
        ] {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
