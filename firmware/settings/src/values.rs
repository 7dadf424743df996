//! Names and values, before it is known what they mean.

use crate::board::Authority;
use crate::fault::{Fault, Wrong};
use crate::pem;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Id,
    Handler,
    Key,
    Average,
    Topic,
    Wifi,
    WifiPassword,
    Broker,
    Port,
    User,
    Password,
    Tls,
    TimeServer,
}

/// All of them, in their order, as they are written.
const NAMES: [(Name, &str); 13] = [
    (Name::Id, "id"),
    (Name::Handler, "handler"),
    (Name::Key, "key"),
    (Name::Average, "average"),
    (Name::Topic, "topic"),
    (Name::Wifi, "wifi"),
    (Name::WifiPassword, "wifi-password"),
    (Name::Broker, "broker"),
    (Name::Port, "port"),
    (Name::User, "user"),
    (Name::Password, "password"),
    (Name::Tls, "tls"),
    (Name::TimeServer, "time-server"),
];

impl Name {
    fn written(self) -> &'static str {
        NAMES[self as usize].1
    }
}

/// What a text says.
pub struct Values<'a> {
    given: [Option<(&'a str, u16)>; NAMES.len()],
    /// The certificate, if there is one.
    pub authority: Option<Authority>,
}

impl<'a> Values<'a> {
    /// Reads a text.
    pub fn read(text: &'a str) -> Result<Self, Fault> {
        let mut values = Self {
            given: [None; NAMES.len()],
            authority: None,
        };
        let mut certificate: Option<pem::Reading> = None;
        let mut last = 0;
        for (line, number) in text.lines().zip(1..) {
            last = number;
            let read = values.line(line.trim(), number, &mut certificate);
            read.map_err(|wrong| Fault {
                line: number,
                wrong,
            })?;
        }
        match certificate {
            None => Ok(values),
            Some(_) => Err(Fault {
                line: last,
                wrong: Wrong::Certificate,
            }),
        }
    }

    fn line(
        &mut self,
        line: &'a str,
        number: u16,
        certificate: &mut Option<pem::Reading>,
    ) -> Result<(), Wrong> {
        if let Some(reading) = certificate {
            if let Some(whole) = reading.line(line).map_err(|()| Wrong::Certificate)? {
                *certificate = None;
                return twice(self.authority.replace(whole).is_some(), "the certificate");
            }
            return Ok(());
        }
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if pem::begins(line) {
            *certificate = Some(pem::Reading::default());
            return Ok(());
        }
        let (name, value) = line.split_once('=').ok_or(Wrong::Line)?;
        let known = NAMES.iter().find(|(_, written)| *written == name.trim());
        let (name, written) = known.ok_or(Wrong::Name)?;
        let given = (unquoted(value.trim()), number);
        twice(self.given[*name as usize].replace(given).is_some(), written)
    }

    /// What is given for a name, as `read` understands it; `must` says what it must be.
    pub fn get<T>(
        &self,
        name: Name,
        must: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some((text, line)) = self.given[name as usize] else {
            return Ok(None);
        };
        let wrong = Wrong::Value(name.written(), must);
        read(text).map(Some).ok_or(Fault { line, wrong })
    }

    /// The same for what must be given.
    pub fn need<T>(
        &self,
        name: Name,
        must: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, Fault> {
        let wrong = Wrong::Missing(name.written());
        self.get(name, must, read)?.ok_or(Fault { line: 0, wrong })
    }

    /// Something that is wrong about what is given for a name.
    pub fn contradiction(&self, name: Name, why: &'static str) -> Fault {
        Fault {
            line: self.given[name as usize].map_or(0, |(_, line)| line),
            wrong: Wrong::Contradiction(why),
        }
    }
}

fn twice(is: bool, what: &'static str) -> Result<(), Wrong> {
    match is {
        true => Err(Wrong::Twice(what)),
        false => Ok(()),
    }
}

/// Quotation marks keep spaces at the ends.
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.unwrap_or(value)
}
