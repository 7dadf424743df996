//! The settings of a simulated button.

use crate::error::CliError;
use crate::printer::Printer;
use crate::secrets::tell_if_open;
use bramble_button::signed::Key;
use bramble_button::{ButtonId, Protocol, Settings, seed};
use bramble_secret::Secret;
use serde::Deserialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What they come to.
pub struct Read {
    /// For the state machine.
    pub button: Settings,
    /// The way to the broker.
    pub network: bramble_bus::Settings,
}

/// The file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    id: String,
    #[serde(default = "usual_handler")]
    handler: String,
    key_file: Option<PathBuf>,
    #[serde(default = "usual_topic")]
    topic: String,
    broker: String,
    authority: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    proxy: Option<String>,
    #[serde(default = "usual_average")]
    average_seconds: u16,
}

fn usual_handler() -> String {
    "bramble".into()
}

fn usual_topic() -> String {
    seed::DEFAULT_TOPIC.into()
}

fn usual_average() -> u16 {
    Settings::AVERAGE_S
}

/// Reads them. Says so where others can read a secret that they name.
pub fn read(path: &Path, printer: &Printer) -> Result<Read, CliError> {
    let wrong = |field: &str, why: &dyn Display| {
        let place = if field.is_empty() {
            String::new()
        } else {
            format!(": {field}")
        };
        CliError::usage(format!("{}{place}: {why}", path.display()))
    };
    let file = parse(path).map_err(|why| wrong("", &why))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let id: ButtonId = file.id.parse().map_err(|e| wrong("id", &e))?;
    let (protocol, login) = match &file.key_file {
        Some(key) => {
            let place = folder.join(key);
            let key = self::key(&place).map_err(|why| wrong("keyFile", &why))?;
            tell_if_open(&place, "key of the button", printer);
            let password = Secret::new(key.password().expose());
            (Protocol::Signed { key }, Some((file.id.clone(), password)))
        }
        None => {
            let topic = file.topic.as_str().try_into();
            let topic = topic.map_err(|_| wrong("topic", &"it is too long"))?;
            let login = login(&file, folder).map_err(|why| wrong("passwordFile", &why))?;
            if let Some(place) = &file.password_file {
                tell_if_open(&folder.join(place), "password of the button", printer);
            }
            (Protocol::Seed { topic }, login)
        }
    };
    let proxy = file.proxy.as_deref().map(str::parse).transpose();
    Ok(Read {
        button: Settings {
            id,
            handler: file.handler.parse().map_err(|e| wrong("handler", &e))?,
            average_s: file.average_seconds,
            protocol,
        },
        network: bramble_bus::Settings {
            broker: file.broker.parse().map_err(|e| wrong("broker", &e))?,
            client: file.id,
            login,
            authority: file.authority.map(|file| folder.join(file)),
            proxy: proxy.map_err(|e| wrong("proxy", &e))?,
            will: None,
        },
    })
}

fn parse(path: &Path) -> Result<File, String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    match path.extension().and_then(|end| end.to_str()) {
        Some("toml") => toml::from_str(&text).map_err(|e| e.to_string()),
        _ => serde_saphyr::from_str(&text).map_err(|e| e.to_string()),
    }
}

/// A key in hexadecimal digits.
fn key(path: &Path) -> Result<Key, String> {
    let text = secret(path)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.expose(), &mut bytes).map_err(|_| {
        format!(
            "{} has not the 64 hexadecimal digits of a key",
            path.display()
        )
    })?;
    Ok(Key::new(bytes))
}

fn login(file: &File, folder: &Path) -> Result<Option<(String, Secret)>, String> {
    match (&file.user, &file.password_file) {
        (Some(user), Some(password)) => Ok(Some((user.clone(), secret(&folder.join(password))?))),
        (None, None) => Ok(None),
        _ => Err("user and passwordFile belong together".into()),
    }
}

fn secret(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path);
    let text = text
        .map(Secret::new)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Secret::new(text.expose().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Output;

    const PRINTER: Printer = Printer {
        output: Output::Text,
        quiet: true,
        color: false,
        color_err: false,
        live: false,
    };

    const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

    fn read_as(name: &str, text: &str) -> Result<Read, CliError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("k"), format!("{KEY}\n")).expect("written");
        std::fs::write(folder.path().join("bad"), "abc").expect("written");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        read(&path, &PRINTER)
    }

    #[test]
    fn both_forms_say_the_same() {
        let yaml = read_as("b.yaml", "id: dash01\nkeyFile: k\nbroker: mqtts://pi\n");
        let toml = read_as(
            "b.toml",
            "id = 'dash01'\nkeyFile = 'k'\nbroker = 'mqtts://pi'\n",
        );
        for read in [yaml, toml] {
            let read = read.unwrap_or_else(|e| panic!("{}", e.message));
            assert_eq!(read.button.handler.as_str(), "bramble");
            assert_eq!(read.network.broker.to_string(), "mqtts://pi:8883");
            let (user, password) = read.network.login.expect("a login");
            assert_eq!(user, "dash01");
            assert_eq!(password.expose(), Key::new([7; 32]).password().expose());
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, said) in [
            ("id: Dash 01\nbroker: mqtt://b", "b.yaml: id: "),
            ("id: a\nbroker: http://b", "broker: "),
            ("id: a\nbroker: mqtt://b\nkeyFile: bad", "keyFile: "),
            ("id: a\nbroker: mqtt://b\nkeyFile: missing", "missing"),
            ("id: a\nbroker: mqtt://b\nuser: x", "passwordFile"),
            ("id: a\nbroker: mqtt://b\nhandler: a b", "handler"),
            ("id: a\nbroker: mqtt://b\nnonsense: 1", "nonsense"),
        ] {
            let error = read_as("b.yaml", text).err().expect(text);
            assert!(error.message.contains(said), "{}", error.message);
        }
    }
}
