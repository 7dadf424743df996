//! `bramble button`: a dash button without hardware.

mod settings;
mod terminal;

use crate::args::{ButtonAction, PressLength, SimulateArgs};
use crate::error::CliError;
use crate::printer::Printer;
use bramble_button::{Press, Screen};
use bramble_simulator::{Dialled, Frame, Simulator};
use serde_json::json;
use std::io::IsTerminal;
use std::sync::Arc;

/// Runs it.
pub async fn run(action: ButtonAction, printer: &Printer) -> Result<(), CliError> {
    match action {
        ButtonAction::Simulate(args) => simulate(&args, printer).await,
    }
}

async fn simulate(args: &SimulateArgs, printer: &Printer) -> Result<(), CliError> {
    let read = settings::read(&args.settings)?;
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !args.once && !terminal {
        let error = CliError::usage("the display needs a terminal");
        return Err(error.hint("without one: --press short --once"));
    }
    let simulator = Simulator::new(read.button, Arc::new(Dialled(read.network)));
    if !args.once {
        return terminal::run(&simulator, args.press.map(Press::from)).await;
    }
    let press = args.press.map_or(Press::Short, Press::from);
    once(&simulator, press, args.yes, printer).await
}

/// Presses it and prints its screens until it sleeps.
async fn once(
    simulator: &Simulator,
    press: Press,
    confirm: bool,
    printer: &Printer,
) -> Result<(), CliError> {
    let mut frames = simulator.frames();
    simulator.press(press);
    let mut last: Option<Frame> = None;
    loop {
        if frames.changed().await.is_err() {
            return Err(CliError::failed("the button has ended"));
        }
        let frame = frames.borrow_and_update().clone();
        let Some(screen) = &frame.screen else {
            break;
        };
        let lines = frame.lines();
        let told = last.as_ref().map(Frame::lines).unwrap_or_default();
        if !lines.is_empty() && lines != told {
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
    Err(CliError::failed(format!("the button sleeps: {said}")))
}

impl From<PressLength> for Press {
    fn from(length: PressLength) -> Self {
        match length {
            PressLength::Short => Self::Short,
            PressLength::Long => Self::Long,
        }
    }
}
