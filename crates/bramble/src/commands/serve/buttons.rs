//! How the daemon hears buttons, from the arguments.

use crate::args::ButtonArgs;
use crate::broker::{Way, login};
use crate::error::CliError;
use bramble_server::buttons::OldLogin;
use bramble_server::{Broker, Buttons};

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
    Way {
        url,
        authority: args.broker_ca.as_deref(),
        login: args.broker_login.as_deref(),
        proxy: args.broker_proxy.as_deref(),
    }
    .settings(&args.handler)
}
