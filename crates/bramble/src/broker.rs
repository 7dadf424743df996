//! The way to an MQTT broker, from arguments.

use crate::error::{CliError, chain};
use crate::files;
use crate::printer::Printer;
use crate::secrets::tell_if_open;
use bramble_bus::{Address, Proxy, Settings};
use bramble_secret::Secret;
use std::path::Path;

/// How a broker is reached.
pub struct Way<'a> {
    /// Its address.
    pub url: &'a str,
    /// File with the authority that its certificate is from.
    pub authority: Option<&'a Path>,
    /// File with user and password.
    pub login: Option<&'a Path>,
    /// Address of a SOCKS5 proxy on the way.
    pub proxy: Option<&'a str>,
}

impl Way<'_> {
    /// For a client of this name, without a last will. Says so where others can read the password.
    ///
    /// # Errors
    /// What can't be read, as wrong use.
    pub fn settings(&self, client: &str, printer: &Printer) -> Result<Settings, CliError> {
        let wrong = |error: bramble_bus::Error| {
            let hint = error.hint();
            let error = CliError::usage(chain(&error));
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        };
        let broker: Address = self.url.parse().map_err(wrong)?;
        if let Some(path) = self.authority {
            std::fs::File::open(path)
                .map_err(|e| CliError::usage(format!("{}: {e}", path.display())))?;
        }
        let proxy = self.proxy.map(str::parse::<Proxy>);
        Ok(Settings {
            broker,
            client: client.into(),
            login: self.login.map(|path| login(path, printer)).transpose()?,
            authority: self.authority.map(Into::into),
            proxy: proxy.transpose().map_err(wrong)?,
            will: None,
        })
    }
}

/// User and password, a line each. Says so where others can read them.
///
/// # Errors
/// A file that is missing, or has another form.
pub fn login(path: &Path, printer: &Printer) -> Result<(String, Secret), CliError> {
    let wrong = |why: &str| {
        CliError::usage(format!("{}: {why}", path.display()))
            .hint("it has the user in its first line and the password in its second")
    };
    let text = files::read_secret(path)?.ok_or_else(|| wrong("there is no such file"))?;
    let mut lines = text.expose().lines();
    match (lines.next(), lines.next(), lines.next()) {
        (Some(user), Some(password), None) if !user.is_empty() && !password.is_empty() => {
            tell_if_open(path, "login at the broker", printer);
            Ok((user.to_owned(), Secret::new(password)))
        }
        _ => Err(wrong("it does not have two lines")),
    }
}
