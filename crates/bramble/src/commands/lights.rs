//! `bramble lights`: what happens in clusters on a traffic light.

mod broker;
mod follow;
mod listen;
mod play;
mod rules;
mod started;
mod watch;

use crate::args::{Global, LightsAction, LightsPlaceArgs};
use crate::error::{CliError, Explain, chain};
use crate::printer::Printer;
use crate::secrets::tell_if_open;
use bramble_lights::outputs::gpio::{Chip, drive};
use bramble_lights::sequence::Play;
use bramble_lights::{Panel, Rules, file};
use bramble_secret::Secret;
use std::path::Path;

/// Runs one of the actions.
pub async fn run(
    global: &Global,
    action: &LightsAction,
    printer: &Printer,
) -> Result<(), CliError> {
    match action {
        LightsAction::Watch(args) => watch::run(global, args, printer).await,
        LightsAction::SelfTest(args) => play::run(&args.place, Play::SelfTest, printer).await,
        LightsAction::Show(args) => play::run(&args.place, Play::Show, printer).await,
        LightsAction::Rules { check, schema } => rules::run(check.as_deref(), *schema, printer),
    }
}

/// The rules that are meant.
fn read(place: &LightsPlaceArgs, printer: &Printer) -> Result<Rules, CliError> {
    match &place.rules {
        Some(path) => load(path, printer),
        None => Ok(Rules::default()),
    }
}

fn load(path: &Path, printer: &Printer) -> Result<Rules, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("can't read the lights file {}: {error}", path.display());
        CliError::usage(message).hint("`bramble lights rules` prints one to begin with")
    })?;
    let rules = file::load(&path.display().to_string(), &text);
    rules.map_err(|problems| crate::context::refuse(&problems, printer))
}

/// Takes the lamps of a board, if they are wanted.
fn chip(place: &LightsPlaceArgs, rules: &Rules) -> Result<Option<Chip>, CliError> {
    let open = || Chip::open(&rules.board).map_err(failed);
    place.gpio.then(open).transpose()
}

/// Shows the panel on the lamps; never returns as long as that works, or where there are none.
async fn lamps(panel: &Panel, chip: Option<Chip>) -> Result<(), CliError> {
    match chip {
        Some(chip) => drive(panel, &panel.rules().board, chip)
            .await
            .map_err(failed),
        None => std::future::pending().await,
    }
}

fn failed(error: bramble_lights::Error) -> CliError {
    let hint = error.hint();
    let failed = CliError::failed(chain(&error));
    match hint {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

/// A secret in a file of its own. Says so where others can read it.
fn secret(path: &Path, what: &str, printer: &Printer) -> Result<Secret, CliError> {
    let text = std::fs::read_to_string(path);
    let text = text.explain(format!("can't read {}", path.display()))?;
    tell_if_open(path, what, printer);
    Ok(Secret::new(text.trim()))
}
