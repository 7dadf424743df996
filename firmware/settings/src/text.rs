//! What the text means.

use crate::BLOCK;
use crate::board::{Board, Broker, Hidden, Host, Wifi};
use crate::fault::{Fault, Wrong};
use crate::values::{Name, Values};
use bramble_button::signed::Key;
use bramble_button::{Protocol, Settings, Topic};
use heapless::String;

/// The port of MQTT over TLS (IANA: secure-mqtt).
const PORT_TLS: u16 = 8883;
/// The port of MQTT that isn't encrypted (IANA: mqtt).
const PORT_PLAIN: u16 = 1883;
const TIME_SERVER: &str = "pool.ntp.org";
const HOST: &str = "a host's name of at most 64 characters";

/// Reads settings.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Board, Fault> {
    if text.len() > BLOCK {
        return Err(missing(Wrong::Long));
    }
    let values = Values::read(text)?;
    let button = button(&values)?;
    let wifi = wifi(&values)?;
    let time_server = values.get(Name::TimeServer, HOST, host)?;
    Ok(Board {
        broker: broker(values, &button)?,
        button,
        wifi,
        time_server: time_server.unwrap_or_else(|| text_of(TIME_SERVER)),
    })
}

fn button(values: &Values<'_>) -> Result<Settings, Fault> {
    let id = values.need(
        Name::Id,
        "1 to 40 lower-case letters, digits and hyphens",
        |t| t.parse().ok(),
    )?;
    let handler = values.need(Name::Handler, "one word", |t| t.parse().ok())?;
    let average = values.get(Name::Average, "seconds from 1 to 3600", |t| {
        t.parse().ok().filter(|s| (1..=3600).contains(s))
    })?;
    Ok(Settings {
        id,
        handler,
        average_s: average.unwrap_or(Settings::AVERAGE_S),
        protocol: protocol(values)?,
    })
}

fn protocol(values: &Values<'_>) -> Result<Protocol, Fault> {
    let key = values.get(Name::Key, "64 hexadecimal digits", |t| hex(t).map(Key::new))?;
    let topic = values.get(
        Name::Topic,
        "a topic of at most 64 characters without + and #",
        topic,
    )?;
    match (key, topic) {
        (Some(key), None) => Ok(Protocol::Signed { key }),
        (None, Some(topic)) => Ok(Protocol::Seed { topic }),
        (None, None) => Err(missing(Wrong::Missing(
            "key (or topic, for version 1 of the protocol)",
        ))),
        (Some(_), Some(_)) => {
            let why = "topic is for version 1 of the protocol, key for version 2: take one away";
            Err(values.contradiction(Name::Topic, why))
        }
    }
}

fn wifi(values: &Values<'_>) -> Result<Wifi, Fault> {
    Ok(Wifi {
        name: values.need(Name::Wifi, "the name of a network, 1 to 32 bytes", filled)?,
        password: values.get(Name::WifiPassword, "8 to 63 characters", |t| {
            (8..=63)
                .contains(&t.len())
                .then(|| Hidden::new(t))
                .flatten()
        })?,
    })
}

fn broker(values: Values<'_>, button: &Settings) -> Result<Broker, Fault> {
    let encrypted = values.get(Name::Tls, "on or off", |t| match t {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    })?;
    let encrypted = encrypted.unwrap_or(true);
    let host = values.need(Name::Broker, HOST, host)?;
    if encrypted && host.parse::<core::net::IpAddr>().is_ok() {
        let why = "with TLS, broker must be the name in its certificate, not an address";
        return Err(values.contradiction(Name::Broker, why));
    }
    if encrypted && values.authority.is_none() {
        let what = "the certificate of the broker's authority (or tls = off)";
        return Err(missing(Wrong::Missing(what)));
    }
    let port = values.get(Name::Port, "a port from 1 to 65535", |t| {
        t.parse().ok().filter(|port| *port != 0)
    })?;
    let user = values.get(Name::User, "a user of at most 64 characters", filled)?;
    let password = values.get(Name::Password, "1 to 128 characters", |t| {
        filled::<128>(t).and_then(|t| Hidden::new(&t))
    })?;
    Ok(Broker {
        host,
        port: port.unwrap_or(if encrypted { PORT_TLS } else { PORT_PLAIN }),
        user: user.unwrap_or_else(|| text_of(button.id.as_str())),
        password: password.or_else(|| derived(&button.protocol)),
        authority: values.authority.filter(|_| encrypted),
    })
}

/// A button of version 2 has one secret: its password at the broker follows from its key.
fn derived(protocol: &Protocol) -> Option<Hidden<128>> {
    match protocol {
        Protocol::Seed { .. } => None,
        Protocol::Signed { key } => Hidden::new(key.password().expose()),
    }
}

fn missing(wrong: Wrong) -> Fault {
    Fault { line: 0, wrong }
}

/// A text that fits.
fn text_of<const N: usize>(text: &str) -> String<N> {
    text.chars().take(N).collect()
}

/// A text that isn't empty and has no control characters.
fn filled<const N: usize>(text: &str) -> Option<String<N>> {
    let right = !text.is_empty() && !text.chars().any(char::is_control);
    right.then(|| String::try_from(text).ok()).flatten()
}

fn host(text: &str) -> Option<Host> {
    let sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    let right = !text.is_empty() && text.bytes().all(sign);
    right.then(|| Host::try_from(text).ok()).flatten()
}

fn topic(text: &str) -> Option<Topic> {
    filled(text).filter(|topic: &Topic| !topic.contains(['+', '#']))
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
