//! How the daemon hears buttons, from the arguments.

use crate::args::ButtonArgs;
use crate::error::{CliError, chain};
use crate::files;
use bramble_bus::{Address, Proxy};
use bramble_secret::Secret;
use bramble_server::buttons::OldLogin;
use bramble_server::{Broker, Buttons};
use std::path::Path;

/// The word for no broker.
const OFF: &str = "off";

/// As the arguments say; `None`: no buttons.
///
/// # Errors
/// What can't be read, as wrong use.
pub(super) fn settings(args: &ButtonArgs) -> Result<Option<Buttons>, CliError> {
    let Some(broker) = broker(args)? else {
        return Ok(None);
    };
    let handler = args
        .handler
        .parse()
        .map_err(|e| CliError::usage(format!("--handler {:?}: {e}", args.handler)))?;
    Ok(Some(Buttons {
        handler,
        broker,
        old: args.old_topic.clone(),
    }))
}

fn broker(args: &ButtonArgs) -> Result<Option<Broker>, CliError> {
    if let Some(url) = &args.broker {
        return Ok(Some(Broker::Other(other(args, url)?)));
    }
    if args.mqtt == OFF {
        return Ok(None);
    }
    let tls = args.mqtt.parse().map_err(|_| {
        CliError::usage(format!("--mqtt {:?} is no address with a port", args.mqtt))
            .hint("such as 0.0.0.0:8883, or off")
    })?;
    let plain = match (args.old_listen, &args.old_topic, &args.old_login) {
        (Some(at), Some(topic), Some(file)) => {
            let (user, password) = login(file)?;
            let topic = topic.clone();
            Some((
                at,
                OldLogin {
                    topic,
                    user,
                    password,
                },
            ))
        }
        _ => None,
    };
    Ok(Some(Broker::Own { tls, plain }))
}

fn other(args: &ButtonArgs, url: &str) -> Result<bramble_bus::Settings, CliError> {
    let wrong = |error: bramble_bus::Error| {
        let hint = error.hint();
        let error = CliError::usage(chain(&error));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    };
    let broker: Address = url.parse().map_err(wrong)?;
    let proxy = args.broker_proxy.as_deref().map(str::parse::<Proxy>);
    Ok(bramble_bus::Settings {
        broker,
        client: args.handler.clone(),
        login: args.broker_login.as_deref().map(login).transpose()?,
        authority: args.broker_ca.clone(),
        proxy: proxy.transpose().map_err(wrong)?,
        will: None,
    })
}

/// User and password, a line each.
fn login(path: &Path) -> Result<(String, Secret), CliError> {
    let wrong = |why: &str| {
        CliError::usage(format!("{}: {why}", path.display()))
            .hint("it has the user in its first line and the password in its second")
    };
    let text = files::read_secret(path)?.ok_or_else(|| wrong("there is no such file"))?;
    let mut lines = text.expose().lines();
    match (lines.next(), lines.next(), lines.next()) {
        (Some(user), Some(password), None) if !user.is_empty() && !password.is_empty() => {
            Ok((user.to_owned(), Secret::new(password)))
        }
        _ => Err(wrong("it does not have two lines")),
    }
}
