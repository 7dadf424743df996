//! Reads the text.

use crate::board::{Authority, Board, Broker, Hidden, Host, Wifi};
use crate::fault::{Fault, Wrong};
use crate::{BLOCK, pem};
use bramble_button::signed::Key;
use bramble_button::{ButtonId, Protocol, Settings, Topic, Word};
use heapless::String;

/// The port of MQTT over TLS (IANA: secure-mqtt).
const PORT_TLS: u16 = 8883;
/// The port of MQTT that isn't encrypted (IANA: mqtt).
const PORT_PLAIN: u16 = 1883;
const TIME_SERVER: &str = "pool.ntp.org";

/// Names, in the order of [`Values`].
const NAMES: [&str; 13] = [
    "id",
    "handler",
    "key",
    "average",
    "topic",
    "wifi",
    "wifi-password",
    "broker",
    "port",
    "user",
    "password",
    "tls",
    "time-server",
];

/// A value and its line.
type Given<'a> = Option<(&'a str, u16)>;

/// Reads settings.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Board, Fault> {
    if text.len() > BLOCK {
        return Err(missing(Wrong::Long));
    }
    let Read { values, authority } = read(text)?;
    let [
        id,
        handler,
        key,
        average,
        topic,
        wifi,
        wifi_password,
        broker,
        port,
        user,
        password,
        tls,
        time,
    ] = values;

    let id: ButtonId = value(
        need(id, 0)?,
        0,
        "1 to 40 lower-case letters, digits and hyphens",
        |t| t.parse().ok(),
    )?;
    let handler: Word = value(need(handler, 1)?, 1, "one word", |t| t.parse().ok())?;
    let protocol = match (key, topic) {
        (Some(key), None) => Protocol::Signed {
            key: value(key, 2, "64 hexadecimal digits", |t| hex(t).map(Key::new))?,
        },
        (None, Some(topic)) => Protocol::Seed {
            topic: value(
                topic,
                4,
                "a topic of at most 64 characters without + and #",
                plain_topic,
            )?,
        },
        (None, None) => {
            return Err(missing(Wrong::Missing(
                "key (or topic, for version 1 of the protocol)",
            )));
        }
        (Some(_), Some((_, line))) => {
            let wrong = Wrong::Contradiction(
                "topic is for version 1 of the protocol, key for version 2: take one away",
            );
            return Err(Fault { line, wrong });
        }
    };
    let average_s = match average {
        None => Settings::AVERAGE_S,
        Some(given) => value(given, 3, "seconds from 1 to 3600", |t| {
            t.parse().ok().filter(|s| (1..=3600).contains(s))
        })?,
    };
    let wifi = Wifi {
        name: value(
            need(wifi, 5)?,
            5,
            "the name of a network, 1 to 32 bytes",
            |t| filled(t).and_then(|t| String::try_from(t).ok()),
        )?,
        password: optional(wifi_password, 6, "8 to 63 characters", |t| {
            (8..=63)
                .contains(&t.len())
                .then(|| Hidden::new(t))
                .flatten()
        })?,
    };
    let encrypted = match tls {
        None => true,
        Some(given) => value(given, 11, "on or off", |t| match t {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        })?,
    };
    let authority = match (encrypted, authority) {
        (true, None) => {
            return Err(missing(Wrong::Missing(
                "the certificate of the broker's authority (or tls = off)",
            )));
        }
        (true, authority) => authority,
        (false, _) => None,
    };
    let host: Host = value(
        need(broker, 7)?,
        7,
        "a host's name of at most 64 characters",
        host,
    )?;
    if encrypted && host.parse::<core::net::IpAddr>().is_ok() {
        let line = broker.map_or(0, |(_, line)| line);
        let wrong = Wrong::Contradiction(
            "with TLS, broker must be the name in its certificate, not an address",
        );
        return Err(Fault { line, wrong });
    }
    let port = match port {
        None if encrypted => PORT_TLS,
        None => PORT_PLAIN,
        Some(given) => value(given, 8, "a port from 1 to 65535", |t| {
            t.parse().ok().filter(|p| *p != 0)
        })?,
    };
    let user = match user {
        None => String::try_from(id.as_str()).unwrap_or_default(),
        Some(given) => value(given, 9, "a user of at most 64 characters", |t| {
            filled(t).and_then(|t| String::try_from(t).ok())
        })?,
    };
    Ok(Board {
        button: Settings {
            id,
            handler,
            average_s,
            protocol,
        },
        wifi,
        broker: Broker {
            host,
            port,
            user,
            password: optional(password, 10, "1 to 128 characters", |t| {
                filled(t).and_then(Hidden::new)
            })?,
            authority,
        },
        time_server: match time {
            None => Host::try_from(TIME_SERVER).unwrap_or_default(),
            Some(given) => value(
                given,
                12,
                "a host's name of at most 64 characters",
                self::host,
            )?,
        },
    })
}

struct Read<'a> {
    values: [Given<'a>; NAMES.len()],
    authority: Option<Authority>,
}

fn read(text: &str) -> Result<Read<'_>, Fault> {
    let mut values = [None; NAMES.len()];
    let mut authority = None;
    let mut reading: Option<pem::Reading> = None;
    let mut last = 0;
    for (line, number) in text.lines().zip(1..) {
        let fault = |wrong| Fault {
            line: number,
            wrong,
        };
        let line = line.trim();
        last = number;
        if let Some(certificate) = &mut reading {
            if let Some(whole) = certificate
                .line(line)
                .map_err(|()| fault(Wrong::Certificate))?
            {
                reading = None;
                if authority.replace(whole).is_some() {
                    return Err(fault(Wrong::Twice("the certificate")));
                }
            }
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if pem::begins(line) {
            reading = Some(pem::Reading::default());
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(fault(Wrong::Line))?;
        let place = NAMES
            .iter()
            .position(|known| *known == name.trim())
            .ok_or(fault(Wrong::Name))?;
        if values[place]
            .replace((unquoted(value.trim()), number))
            .is_some()
        {
            return Err(fault(Wrong::Twice(NAMES[place])));
        }
    }
    match reading {
        Some(_) => Err(Fault {
            line: last,
            wrong: Wrong::Certificate,
        }),
        None => Ok(Read { values, authority }),
    }
}

/// Quotation marks keep spaces at the ends.
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.unwrap_or(value)
}

fn need(given: Given<'_>, place: usize) -> Result<(&str, u16), Fault> {
    given.ok_or(missing(Wrong::Missing(NAMES[place])))
}

fn value<'a, T>(
    (text, line): (&'a str, u16),
    place: usize,
    must: &'static str,
    read: impl FnOnce(&'a str) -> Option<T>,
) -> Result<T, Fault> {
    let wrong = Wrong::Value(NAMES[place], must);
    read(text).ok_or(Fault { line, wrong })
}

fn optional<'a, T>(
    given: Given<'a>,
    place: usize,
    must: &'static str,
    read: impl FnOnce(&'a str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    given
        .map(|given| value(given, place, must, read))
        .transpose()
}

fn missing(wrong: Wrong) -> Fault {
    Fault { line: 0, wrong }
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
}

fn host(text: &str) -> Option<Host> {
    let sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    let right = !text.is_empty() && text.bytes().all(sign);
    right.then(|| Host::try_from(text).ok()).flatten()
}

fn plain_topic(text: &str) -> Option<Topic> {
    let text = filled(text).filter(|text| !text.contains(['+', '#']))?;
    Topic::try_from(text).ok()
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16);
        let value = digit(pair[0])? << 4 | digit(pair[1])?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(bytes)
}
