//! `bramble certs status`: every certificate of the nodes, those that end first at the beginning.

use super::places::{self, Places};
use crate::args::Global;
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::{Printer, Style};
use crate::table::{Cell, cell, lines};
use bramble_blueprint::certs::{Certificate, Look, Standing, worst};
use serde_json::{Value, json};

/// Names that a line shows.
const SHOWN: usize = 3;

/// Shows them. Fails if one is over.
pub async fn run(global: &Global, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let found = places::look(&context, global, &[]).await?;
    if printer.json() {
        printer.value(&as_json(&found));
    } else {
        text(&found, printer);
    }
    verdict(&found, printer)
}

/// All certificates with the clock of their machine.
fn sorted(found: &Places) -> Vec<(&Look, &Certificate)> {
    let looks = found.seen.iter().map(|p| &p.look);
    let mut all: Vec<_> = looks
        .flat_map(|look| look.certificates.iter().map(move |c| (look, c)))
        .collect();
    all.sort_by_key(|(_, c)| c.not_after);
    all
}

fn text(found: &Places, printer: &Printer) {
    let heads = [
        "days",
        "ends",
        "machine",
        "certificate",
        "signed by",
        "names",
    ];
    let mut rows: Vec<Vec<Cell>> = vec![heads.map(|h| cell(Style::Bold, h)).into()];
    for (look, certificate) in sorted(found) {
        let days = certificate.days(look.now).to_string();
        let days = match certificate.standing(look.now) {
            Standing::Fine => Cell::from(days),
            Standing::Soon => cell(Style::Yellow, format!("{days} soon")),
            Standing::Over => cell(Style::Red, format!("{days} over")),
        };
        rows.push(vec![
            days,
            date(certificate.not_after).into(),
            certificate.machine.clone().into(),
            certificate.what.into(),
            signer(certificate).into(),
            names(certificate).into(),
        ]);
    }
    if rows.len() > 1 {
        for line in lines(printer, &rows) {
            printer.out(line);
        }
    }
    for place in &found.seen {
        let look = &place.look;
        if look.certificates.is_empty() {
            printer.note(format!(
                "{}: no certificates: it is no node yet",
                look.machine
            ));
        }
        if look.begun && look.stage.is_none() {
            printer.note(format!(
                "{}: a renewal was begun and not finished: bramble certs renew",
                look.machine
            ));
        }
        if let Some(stage) = look.stage {
            printer.note(format!(
                "{}: a rotation of the CAs has come to \"{}\": bramble certs rotate-ca goes on",
                look.machine,
                stage.name()
            ));
        }
    }
}

fn signer(certificate: &Certificate) -> String {
    if certificate.self_signed {
        "itself".into()
    } else {
        certificate.issuer.clone()
    }
}

fn names(certificate: &Certificate) -> String {
    let shown: Vec<&str> = certificate
        .names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect();
    match certificate.names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn as_json(found: &Places) -> Value {
    let certificates: Vec<Value> = sorted(found)
        .into_iter()
        .map(|(look, c)| {
            let standing = match c.standing(look.now) {
                Standing::Fine => "fine",
                Standing::Soon => "soon",
                Standing::Over => "over",
            };
            json!({
                "machine": c.machine, "what": c.what, "path": c.path, "names": c.names,
                "issuer": c.issuer, "authority": c.authority, "notBefore": date(c.not_before),
                "notAfter": date(c.not_after), "days": c.days(look.now), "standing": standing,
                "renewsItself": c.renews_itself(),
            })
        })
        .collect();
    let machines: Vec<Value> = found
        .seen
        .iter()
        .map(|place| {
            let look = &place.look;
            json!({
                "machine": look.machine, "controlPlane": look.plane, "renewalBegun": look.begun,
                "rotation": look.stage.map(|s| s.name()),
            })
        })
        .collect();
    let unreachable: Vec<Value> = found
        .unseen
        .iter()
        .map(|(name, why)| json!({ "machine": name, "error": why.message }))
        .collect();
    json!({ "certificates": certificates, "machines": machines, "unreachable": unreachable })
}

fn verdict(found: &Places, printer: &Printer) -> Result<(), CliError> {
    let silent = |error: CliError| {
        if printer.json() {
            CliError::silent(error.kind)
        } else {
            error
        }
    };
    found.all_seen().map_err(silent)?;
    let mut worst = found.seen.iter().filter_map(|p| {
        let (first, standing) = worst(&p.look.certificates, p.look.now)?;
        (standing == Standing::Over).then_some(first)
    });
    let Some(over) = worst.next() else {
        return Ok(());
    };
    let error = CliError::new(
        Kind::Failed,
        format!(
            "{} on {} is over since {}",
            over.what,
            over.machine,
            date(over.not_after)
        ),
    );
    Err(silent(error.hint("bramble certs renew makes new ones")))
}

/// A moment as `2026-11-26T01:39:43Z`.
pub fn date(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days of the proleptic Gregorian calendar, counted from March of the year 0.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn a_moment_is_written_as_a_date() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_795_657_183), "2026-11-26T01:39:43Z");
        assert_eq!(date(-1), "1969-12-31T23:59:59Z");
        assert_eq!(date(4_102_444_799), "2099-12-31T23:59:59Z");
    }
}
