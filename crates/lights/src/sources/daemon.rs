//! The lights of a daemon, as it tells them to who follows (`GET /api/v1/lights/events`).

use super::BadBody;
use crate::lights::Lights;
use crate::signal::{Input, Source};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What a daemon says.
#[derive(Deserialize)]
struct Said {
    at: Timestamp,
    #[serde(flatten)]
    lights: Lights,
}

/// What a daemon's lights show. Its clock may be another one: beeps and sequences began as long ago as it says.
///
/// # Errors
/// What isn't understood: no lights, or those of a newer daemon.
pub fn input(said: &str, now: Timestamp) -> Result<Input, BadBody> {
    let said: Said =
        serde_json::from_str(said).map_err(|error| BadBody::Json(error.to_string()))?;
    let ago = |since: Timestamp| {
        let passed = said.at.duration_since(since).max(SignedDuration::ZERO);
        now.checked_sub(passed).unwrap_or(Timestamp::MIN)
    };
    let mut lights = said.lights;
    if let Some(sound) = &mut lights.sound {
        sound.since = ago(sound.since);
    }
    if let Some(playing) = &mut lights.playing {
        playing.since = ago(playing.since);
    }
    Ok(Input::Elsewhere {
        whose: Source::Daemon.as_str().into(),
        lights: Some(Box::new(lights)),
    })
}
