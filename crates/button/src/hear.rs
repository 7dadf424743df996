//! From a message's bytes to what a button makes of it.

use crate::machine::Session;
use crate::seed::Line;
use crate::signed::{self, Availability, Claimed, Key};
use crate::{Protocol, Report, Settings, Status, Unanswered, UnixTime};

/// What a message is worth.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The handler's word.
    Believed {
        status: Status,
        /// When the handler said it (version 2).
        time: Option<UnixTime>,
        /// Which request it answers; `None` where the protocol doesn't tell.
        re: Option<u16>,
    },
    /// Nothing proven: it chooses what a button says whose handler doesn't answer.
    Hint(Unanswered),
}

/// What a message is worth; `None` if it isn't for this button, isn't from its handler, is old, or is no message.
pub(crate) fn hear(
    settings: &Settings,
    session: &Session,
    topic: &str,
    payload: &[u8],
) -> Option<Heard> {
    match &settings.protocol {
        Protocol::Seed { topic: ours } => {
            (topic == ours).then(|| line(settings, payload)).flatten()
        }
        Protocol::Signed { .. } if topic == signed::HANDLER_TOPIC => {
            availability(settings, payload)
        }
        Protocol::Signed { key } => (signed::status_topic(&settings.id) == topic)
            .then(|| report(settings, session, key, payload))
            .flatten(),
    }
}

fn line(settings: &Settings, payload: &[u8]) -> Option<Heard> {
    let line = Line::read(payload).ok()?;
    if line.sender != settings.handler {
        return None;
    }
    Some(Heard::Believed {
        status: line.verb.status()?,
        time: None,
        re: None,
    })
}

fn availability(settings: &Settings, payload: &[u8]) -> Option<Heard> {
    let word = Availability::read(payload)?;
    let offline = word.handler == settings.handler && !word.available;
    offline.then_some(Heard::Hint(Unanswered::Offline))
}

fn report(settings: &Settings, session: &Session, key: &Key, payload: &[u8]) -> Option<Heard> {
    let claimed = Claimed::<Report>::read(payload)?;
    let report = claimed.unproven();
    if report.button != settings.id || report.handler != settings.handler {
        return None;
    }
    let re = report.re.and_then(|re| session.answered(&re));
    let refused = matches!(report.status, Status::Refused { .. });
    match (claimed.proven(key), re) {
        (Ok(report), Some(re)) => session.is_news(report.time).then_some(Heard::Believed {
            status: report.status,
            time: Some(report.time),
            re: Some(re),
        }),
        (Ok(report), None) => last_known(report.status),
        // Whoever answers this very request and can't sign has another key for this button, or none.
        (Err(_), Some(_)) if refused => Some(Heard::Hint(Unanswered::Stranger)),
        (Err(_), _) => None,
    }
}

/// What the handler said to an earlier request, and the broker kept. It may be out of date.
fn last_known(status: Status) -> Option<Heard> {
    match status {
        Status::Provisioned { address, .. } => Some(Heard::Hint(Unanswered::LastKnown { address })),
        _ => None,
    }
}
