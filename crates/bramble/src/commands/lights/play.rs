//! `bramble lights self-test` and `bramble lights show`.

use super::{chip, lamps, read};
use crate::args::LightsPlaceArgs;
use crate::error::CliError;
use crate::printer::Printer;
use crate::stop;
use bramble_lights::outputs::terminal;
use bramble_lights::sequence::Play;
use bramble_lights::{Frame, Head, Input, Panel, frame};
use serde_json::json;

/// Plays a sequence on the board and in the terminal.
pub async fn run(place: &LightsPlaceArgs, what: Play, printer: &Printer) -> Result<(), CliError> {
    let rules = read(place, printer)?;
    let chip = chip(place, &rules)?;
    let panel = Panel::new(rules);
    let mut stop = stop::when_told();
    panel.hear(Input::Play(what));
    tokio::select! {
        () = pictures(&panel, printer) => {}
        () = panel.run() => {}
        failed = lamps(&panel, chip) => return failed,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    if printer.json() {
        printer.value(&json!({ "played": what, "milliseconds": what.lasts().as_millis() as i64 }));
    } else if printer.color {
        printer.raw("\n");
    }
    Ok(())
}

/// Shows what is played until it is over.
async fn pictures(panel: &Panel, printer: &Printer) {
    loop {
        let lights = panel.lights();
        let (frame, lasts) = frame(&lights, panel.now());
        let (Some(_), Some(lasts)) = (lights.playing, lasts) else {
            return;
        };
        show(&frame, printer);
        tokio::time::sleep(lasts).await;
    }
}

fn show(frame: &Frame, printer: &Printer) {
    if printer.json() || printer.quiet {
        return;
    }
    let beep = if frame.buzzer { "  beep" } else { "" };
    if printer.color {
        let heads: Vec<String> = frame.heads.iter().map(|h| terminal::lamps(*h)).collect();
        // What stood here before is gone behind it.
        printer.raw(&format!("\r{}{beep}\x1b[K", heads.join("    ")));
        return;
    }
    let heads: Vec<String> = frame.heads.iter().map(letters).collect();
    printer.out(format!("{}{beep}", heads.join(" ")));
}

/// Red, yellow, green by their letters: `R..`.
fn letters(head: &Head) -> String {
    let lamps = [(head.red, 'R'), (head.yellow, 'Y'), (head.green, 'G')];
    let letter = |(on, letter)| if on { letter } else { '.' };
    lamps.into_iter().map(letter).collect()
}
