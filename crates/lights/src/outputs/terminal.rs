//! The lights as a line of text.

use crate::frame::Head;
use crate::lights::{Lights, Reason};

/// Colors of the lamps (ECMA-48, SGR).
const COLORS: [&str; 3] = ["31", "33", "32"];

/// Reasons that are said in a line.
const SAID: usize = 3;

/// Three lamps for a terminal that has colors, as they shine at one moment.
pub fn lamps(head: Head) -> String {
    let on = [head.red, head.yellow, head.green];
    let lamp = |(on, color): (bool, &str)| match on {
        true => format!("\x1b[{color}m●\x1b[0m"),
        false => "\x1b[2m○\x1b[0m".to_owned(),
    };
    let lamps: Vec<String> = on.into_iter().zip(COLORS).map(lamp).collect();
    lamps.join(" ")
}

/// What is shown and why, without colors: `red    Node worker-3 NotReady`.
pub fn line(lights: &Lights) -> String {
    let mut parts = Vec::new();
    if !lights.unknown.is_empty() {
        parts.push(format!("silent: {}", lights.unknown.join(", ")));
    }
    let said = lights.reasons.iter().take(SAID).map(reason);
    parts.extend(said);
    let rest = lights.reasons.len().saturating_sub(SAID) + lights.more;
    if rest > 0 {
        parts.push(format!("and {rest} more"));
    }
    if let Some(playing) = lights.playing {
        parts.push(format!("playing the {}", playing.what.name()));
    }
    format!("{:<7} {}", lights.word(), parts.join("; "))
        .trim_end()
        .to_owned()
}

fn reason(reason: &Reason) -> String {
    let signal = &reason.signal;
    let object = match (&*signal.namespace, &*signal.name) {
        ("", name) => name.to_owned(),
        (namespace, "") => namespace.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    let cluster = reason.cluster.as_ref().map(|name| format!("{name}:"));
    let words = [
        cluster.as_deref().unwrap_or(""),
        &*signal.kind,
        &*object,
        &*signal.reason,
    ];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}
