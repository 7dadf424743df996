//! The lights of a daemon, followed.

use crate::error::{CliError, Kind};
use crate::printer::Printer;
use crate::remote::Remote;
use bramble_lights::rules::Alive;
use bramble_lights::sources::daemon;
use bramble_lights::{Input, Panel, Rules, Source};
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// A daemon says every 5 s that it is there; one that is silent for so long is connected to anew.
const QUIET: Duration = Duration::from_secs(12);

/// Pauses before it is asked again: the first, and the longest.
const PAUSE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// How long a daemon may be silent where the rules don't say.
const WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// How long acknowledging may take.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);

/// A daemon that is to be followed is missed from the start, whatever the rules say.
pub fn expect(rules: &mut Rules) {
    let named = |alive: &&mut Alive| alive.source == Source::Daemon;
    if let Some(alive) = rules.alive.iter_mut().find(named) {
        alive.always = true;
        return;
    }
    rules.alive.push(Alive {
        source: Source::Daemon,
        reason: None,
        within: WITHIN,
        always: true,
    });
}

/// Shows what a daemon's lights show. Returns only if it refuses before it has ever said anything.
pub async fn follow(remote: &Remote, panel: &Panel, printer: &Printer) -> Result<(), CliError> {
    let mut pause = PAUSE[0];
    let mut last = String::new();
    let mut ever = false;
    loop {
        // Signs of life count as long as what it said last was understood.
        let mut understood = false;
        let why = remote.stream("/lights/events", QUIET, |said| match said {
            Some(said) => match daemon::input(said, panel.now()) {
                Ok(input) => {
                    panel.hear(input);
                    understood = true;
                }
                Err(error) => {
                    understood = false;
                    printer.warn(format!("{}: {error}", remote.url()));
                }
            },
            None if understood => panel.hear(Input::Alive(Source::Daemon)),
            None => {}
        });
        let why = why.await;
        if !understood && !ever && why.kind != Kind::Unreachable {
            return Err(why);
        }
        if understood {
            ever = true;
            pause = PAUSE[0];
            last.clear();
        }
        if why.message != last {
            printer.note(why.message.clone());
            last = why.message;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE[1]);
    }
}

/// Silences the beeper of the daemon, and of all that follow it.
pub async fn acknowledge(remote: &Remote, printer: &Printer) {
    let asked = remote.send(Method::POST, "/lights/acknowledge", &Value::Null);
    match tokio::time::timeout(ACKNOWLEDGE, asked).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => printer.note(error.message),
        Err(_) => printer.note(format!("{} does not answer", remote.url())),
    }
}
