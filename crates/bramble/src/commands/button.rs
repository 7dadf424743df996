//! `bramble button`: a dash button without hardware.

mod settings;
mod terminal;
mod trouble;

use crate::args::{ButtonAction, PressLength, SimulateArgs};
use crate::error::CliError;
use crate::printer::Printer;
use bramble_button::{Press, Protocol, Screen};
use bramble_simulator::{Dialled, Frame, Simulator};
use serde_json::json;
use std::io::IsTerminal;
use std::sync::Arc;
use trouble::{Explained, Way};

/// Runs it.
pub async fn run(action: ButtonAction, printer: &Printer) -> Result<(), CliError> {
    match action {
        ButtonAction::Simulate(args) => simulate(&args, printer).await,
    }
}

async fn simulate(args: &SimulateArgs, printer: &Printer) -> Result<(), CliError> {
    let read = settings::read(&args.settings, printer)?;
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !args.once && !terminal {
        let error = CliError::usage("the display needs a terminal");
        return Err(error.hint("without one: --press short --once"));
    }
    let way = Way {
        button: read.button.id.to_string(),
        signs: matches!(read.button.protocol, Protocol::Signed { .. }),
    };
    let simulator = Simulator::new(read.button, Arc::new(Dialled(read.network)));
    if !args.once {
        return terminal::run(&simulator, args.press.map(Press::from), &way).await;
    }
    let press = args.press.map_or(Press::Short, Press::from);
    once(&simulator, press, args.yes, &way, printer).await
}

/// Presses it and prints its screens until it sleeps.
async fn once(
    simulator: &Simulator,
    press: Press,
    confirm: bool,
    way: &Way,
    printer: &Printer,
) -> Result<(), CliError> {
    let mut frames = simulator.frames();
    let mut troubles = simulator.troubles();
    simulator.press(press);
    let mut last: Option<Frame> = None;
    let mut told: Option<Explained> = None;
    loop {
        let changed = tokio::select! {
            // What was in the way comes before the screen that it leads to.
            biased;
            changed = troubles.changed() => changed.map(|()| true),
            changed = frames.changed() => changed.map(|()| false),
        };
        let troubled = changed.map_err(|_| CliError::failed("the button has ended"))?;
        if troubled {
            let trouble = troubles.borrow_and_update().clone();
            let now = trouble.map(|error| way.explain(&error));
            // It tries more than once, and most often the same is in the way.
            if let Some(now) = now.as_ref().filter(|now| told.as_ref() != Some(*now)) {
                tell(now, printer);
            }
            told = now;
            continue;
        }
        let frame = frames.borrow_and_update().clone();
        let Some(screen) = &frame.screen else {
            break;
        };
        let lines = frame.lines();
        let shown = last.as_ref().map(Frame::lines).unwrap_or_default();
        if !lines.is_empty() && lines != shown {
            match printer.json() {
                true => printer.line(&json!({ "text": lines })),
                false => printer.out(lines.join("  ")),
            }
        }
        if confirm && matches!(screen, Screen::ConfirmRemoval { .. }) {
            simulator.press(Press::Short);
        }
        // What is shown at last stays for a while, but nothing follows any more.
        if matches!(screen, Screen::Ready { .. } | Screen::Removed { .. }) {
            return Ok(());
        }
        last = Some(frame);
    }
    let said = last
        .map(|frame| frame.lines().join(" "))
        .unwrap_or_default();
    let error = CliError::failed(format!("the button sleeps: {said}"));
    Err(match told.and_then(|told| told.hint) {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

/// Says what is in the way. The display has no room for it.
fn tell(trouble: &Explained, printer: &Printer) {
    match printer.json() {
        true => printer.line(&json!({ "trouble": trouble.what, "hint": trouble.hint })),
        false => printer.warn(&trouble.what),
    }
}

impl From<PressLength> for Press {
    fn from(length: PressLength) -> Self {
        match length {
            PressLength::Short => Self::Short,
            PressLength::Long => Self::Long,
        }
    }
}
