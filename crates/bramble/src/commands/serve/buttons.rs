//! How the daemon hears buttons, from the arguments.

use crate::args::ButtonArgs;
use crate::broker::login;
use crate::error::CliError;
use crate::printer::Printer;
use bramble_button::Topic;
use bramble_server::buttons::OldLogin;
use bramble_server::{Broker, Buttons};

/// The word for no broker.
const OFF: &str = "off";

/// As the arguments say; `None`: no buttons.
///
/// # Errors
/// What can't be read, as wrong use.
pub(super) fn settings(args: &ButtonArgs, printer: &Printer) -> Result<Option<Buttons>, CliError> {
    let old = args.old_topic.as_deref().map(topic).transpose()?;
    let Some(broker) = broker(args, printer)? else {
        return match old {
            None => Ok(None),
            Some(_) => {
                let what = "--old-topic is for old buttons, but with --mqtt off none are heard";
                Err(CliError::usage(what).hint("leave out one of the two"))
            }
        };
    };
    let handler = args
        .handler
        .parse()
        .map_err(|e| CliError::usage(format!("--handler {:?}: {e}", args.handler)))?;
    Ok(Some(Buttons {
        handler,
        broker,
        old,
    }))
}

/// A topic that buttons can publish at.
fn topic(text: &str) -> Result<String, CliError> {
    let fine = |c: char| !c.is_control() && !matches!(c, '+' | '#');
    let right = !text.is_empty() && text.chars().all(fine) && !text.starts_with('$');
    if right && Topic::try_from(text).is_ok() {
        return Ok(text.to_owned());
    }
    let what = format!("--old-topic {text:?} is no topic that a button can publish at");
    Err(CliError::usage(what).hint("one name without + and #, usually DashButton"))
}

fn broker(args: &ButtonArgs, printer: &Printer) -> Result<Option<Broker>, CliError> {
    if let Some(way) = args.other.way() {
        let settings = way.settings(&args.handler, printer)?;
        return Ok(Some(Broker::Other(settings)));
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
            let (user, password) = login(file, printer)?;
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
