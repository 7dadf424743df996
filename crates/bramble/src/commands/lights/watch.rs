//! `bramble lights watch`: sources, outputs and the button together, until it is told to stop.

use super::broker::{Teller, Told};
use super::{chip, failed, follow, lamps, listen, read, secret, started};
use crate::args::{Global, LightsWatchArgs};
use crate::error::{CliError, Explain};
use crate::files;
use crate::printer::Printer;
use crate::remote::Remote;
use crate::stop;
use bramble_lights::button::{Action, Press};
use bramble_lights::contact::{Runs, act, edges, presses};
use bramble_lights::outputs::message::Shown;
use bramble_lights::outputs::terminal;
use bramble_lights::{Lights, Panel, Rules, Source, frame, watch};
use bramble_secret::Secret;
use jiff::Timestamp;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Between two lines at least.
const PACE: Duration = Duration::from_millis(50);

/// Watches, listens and shows until it is told to stop.
pub async fn run(
    global: &Global,
    args: &LightsWatchArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let followed = followed(global, args)?;
    let mut rules = read(&args.place, printer)?;
    if args.kubeconfig.is_some() {
        expect(&mut rules);
    }
    if followed.is_some() {
        follow::expect(&mut rules);
    }
    // Whatever can be refused is refused before anything is shown.
    let told = Told::of(&args.broker, printer)?;
    let taken = taken(args, printer).await?;
    let conf = conf(args.kubeconfig.as_deref())?;
    let lit = chip(&args.place, &rules)?;
    let pressed = pressed(args.place.gpio, &rules)?;
    let panel = Panel::new(rules);
    let runs = started::runs(global, &panel, printer)?;
    let mut stop = stop::when_told();
    let teller = told.map(Told::connect);
    let ended = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        failed = lamps(&panel, lit) => failed,
        failed = hooks(taken, &panel, printer) => failed,
        failed = cluster(conf, &panel, printer) => failed,
        failed = daemon(followed.as_ref(), &panel, printer) => failed,
        () = lines(&panel, printer) => Ok(()),
        () = tell(teller.as_ref(), &panel, printer) => Ok(()),
        () = button(pressed, &panel, &*runs, followed.as_ref(), printer) => Ok(()),
        () = panel.run() => Ok(()),
    };
    if let Some(teller) = teller {
        teller.leave().await;
    }
    ended
}

/// The daemon whose lights are followed: that of `--server`, where there is no other source.
fn followed(global: &Global, args: &LightsWatchArgs) -> Result<Option<Remote>, CliError> {
    if args.kubeconfig.is_some() || args.listen.is_some() {
        return Ok(None);
    }
    match Remote::of(global)? {
        Some(remote) => Ok(Some(remote)),
        None => Err(CliError::usage("there is nothing to watch").hint(
            "a cluster (--kubeconfig FILE), webhooks (--listen ADDRESS:PORT), or a daemon's lights (--server URL)",
        )),
    }
}

/// Shows what a daemon's lights show; returns only if it refuses.
async fn daemon(
    followed: Option<&Remote>,
    panel: &Panel,
    printer: &Printer,
) -> Result<(), CliError> {
    match followed {
        Some(remote) => follow::follow(remote, panel, printer).await,
        None => pending().await,
    }
}

/// Tells what is shown at a broker; never returns.
async fn tell(teller: Option<&Teller>, panel: &Panel, printer: &Printer) {
    match teller {
        Some(teller) => teller.tell(panel, printer).await,
        None => pending().await,
    }
}

/// A cluster that is to be watched is missed from the start.
fn expect(rules: &mut Rules) {
    let all = rules.alive.iter_mut();
    let watched = all.filter(|alive| alive.source == Source::Watch);
    watched.for_each(|alive| alive.always = true);
}

/// Presses of the board's button, if there is one.
fn pressed(gpio: bool, rules: &Rules) -> Result<Option<Receiver<Press>>, CliError> {
    if !gpio || rules.board.button.is_none() {
        return Ok(None);
    }
    let (contact, edges) = edges(&rules.board).map_err(failed)?;
    Ok(Some(presses(contact, edges)))
}

/// A port for webhooks, and the token that they need.
type Taken = Option<(TcpListener, Option<Secret>)>;

/// Listens for webhooks, if that is wanted; nobody is answered yet.
async fn taken(args: &LightsWatchArgs, printer: &Printer) -> Result<Taken, CliError> {
    let Some(address) = args.listen else {
        return Ok(None);
    };
    let read = |path| secret(path, "token of senders", printer);
    let token = args.token_file.as_deref().map(read).transpose()?;
    let listener = listen::bind(address, token.as_ref()).await?;
    Ok(Some((listener, token)))
}

/// Takes webhooks in; returns only where that can't be done.
async fn hooks(taken: Taken, panel: &Arc<Panel>, printer: &Printer) -> Result<(), CliError> {
    let Some((listener, token)) = taken else {
        return pending().await;
    };
    let address = listener.local_addr();
    let address = address.explain("the port for webhooks has no address")?;
    printer.note(format!(
        "webhooks: http://{address}/api/v1/hooks/kubewatch and /alertmanager"
    ));
    listen::serve(listener, panel.clone(), token).await
}

/// The kubeconfig of the cluster that is to be watched.
fn conf(path: Option<&Path>) -> Result<Option<Secret>, CliError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let Some(conf) = files::read_secret(path)? else {
        let what = format!("there is no file {}", path.display());
        return Err(CliError::usage(what).hint("docs/lights.md says how to make one"));
    };
    bramble_kube::kubeconfig::check(&conf)?;
    Ok(Some(conf))
}

/// Watches a cluster; returns only where its kubeconfig can't be used.
async fn cluster(conf: Option<Secret>, panel: &Panel, printer: &Printer) -> Result<(), CliError> {
    let Some(conf) = conf else {
        return pending().await;
    };
    let error = watch::begin(&conf, panel, |text| printer.note(text)).await;
    Err(failed(error))
}

/// A line whenever something else is shown. Who reads slowly gets fewer lines; nothing waits for them.
async fn lines(panel: &Panel, printer: &Printer) {
    let out = written(*printer);
    let mut shown = panel.shown();
    shown.mark_changed();
    let mut last = String::new();
    loop {
        // Room first: what is said then is what is shown then.
        let Ok(room) = out.reserve().await else {
            return;
        };
        if shown.changed().await.is_err() {
            return;
        }
        let lights = shown.borrow_and_update().clone();
        let line = said(&lights, panel.now(), printer);
        if line != last {
            last.clone_from(&line);
            room.send(line);
        }
        tokio::time::sleep(PACE).await;
    }
}

fn said(lights: &Lights, now: Timestamp, printer: &Printer) -> String {
    if printer.json() {
        // It always has a JSON form.
        return serde_json::to_string(&Shown::of(lights, now)).unwrap_or_default();
    }
    let line = terminal::line(lights);
    match printer.color {
        true => format!("{}  {line}", terminal::lamps(frame(lights, now).0.heads[0])),
        false => line,
    }
}

/// Writes lines in a thread of its own: a pipe that nobody reads blocks it, and nothing else. It ends with the
/// process.
fn written(printer: Printer) -> Sender<String> {
    let (sender, mut lines) = channel::<String>(1);
    std::thread::spawn(move || {
        while let Some(line) = lines.blocking_recv() {
            printer.out(line);
        }
    });
    sender
}

/// Does what presses do.
async fn button(
    pressed: Option<Receiver<Press>>,
    panel: &Arc<Panel>,
    runs: &dyn Runs,
    followed: Option<&Remote>,
    printer: &Printer,
) {
    let Some(mut pressed) = pressed else {
        return pending().await;
    };
    while let Some(press) = pressed.recv().await {
        let rules = panel.rules();
        let said = |text| printer.note(text);
        let actions = rules.button.of(press);
        act(actions, panel, runs, said).await;
        if let Some(remote) = followed.filter(|_| actions.contains(&Action::Acknowledge)) {
            follow::acknowledge(remote, printer).await;
        }
    }
    printer.warn("the button on the traffic light can't be read any more");
    pending().await
}
