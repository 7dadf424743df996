//! The traffic light's own button: a line of the GPIO chip, and what its presses do.

use crate::board::{Board, Contact};
use crate::button::{Action, Bounce, Press, Verb};
use crate::error::Error;
use crate::outputs::gpio::CONSUMER;
use crate::panel::Panel;
use crate::sequence::Play;
use crate::signal::Input;
use async_trait::async_trait;
use gpiocdev::Request;
use gpiocdev::line::{EdgeDetection, EdgeKind};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Edges that wait at most; further ones of a contact that bounces like mad tell nothing.
const WAITING: usize = 64;

/// How often the thread that waits for edges looks whether anybody still wants them.
const LOOK: Duration = Duration::from_millis(250);

/// Presses that are answered at the same time wait here; a person is slower.
const PRESSES: usize = 4;

/// Starts and stops clusters.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Starts a run of a cluster; what was started, or why nothing was, in a sentence.
    async fn run(&self, verb: Verb, cluster: &str) -> Result<String, String>;
}

/// Does what a press does, one action after the other. What runs say is told to `said`.
pub async fn act(actions: &[Action], panel: &Panel, runs: &dyn Runs, said: impl Fn(String)) {
    for action in actions {
        match action {
            Action::Acknowledge => panel.hear(Input::Acknowledge),
            Action::SelfTest => panel.hear(Input::Play(Play::SelfTest)),
            Action::Show => panel.hear(Input::Play(Play::Show)),
            Action::Run(verb, cluster) => match runs.run(*verb, cluster).await {
                Ok(text) | Err(text) => said(text),
            },
        }
    }
}

/// The edges of a board's button from now on: true is pressed. Ends when the receiver is dropped.
///
/// # Errors
/// [`Error::NoButton`], [`Error::Lines`].
pub fn edges(board: &Board) -> Result<(Contact, mpsc::Receiver<bool>), Error> {
    let contact = board.button.ok_or(Error::NoButton)?;
    let line = contact.pin.line;
    let mut builder = Request::builder();
    builder.on_chip(&board.chip).with_consumer(CONSUMER);
    builder.with_line(line).as_input();
    match contact.pin.active_low {
        // Pressed connects it to ground, as on the PiTraffic.
        true => builder
            .as_active_low()
            .with_bias(gpiocdev::line::Bias::PullUp),
        false => builder
            .as_active_high()
            .with_bias(gpiocdev::line::Bias::PullDown),
    };
    builder.with_edge_detection(EdgeDetection::BothEdges);
    let failed = |source| Error::Lines {
        chip: board.chip.clone(),
        lines: line.to_string(),
        source,
    };
    let request = builder.request().map_err(failed)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::Builder::new()
        .name("lights-button".into())
        .spawn(move || wait(&request, &sender))
        .map_err(|error| failed(gpiocdev::Error::from(error)))?;
    Ok((contact, receiver))
}

fn wait(request: &Request, edges: &mpsc::Sender<bool>) {
    while !edges.is_closed() {
        match request.wait_edge_event(LOOK) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(error) => return tracing::error!("the button can't be read: {error}"),
        }
        match request.read_edge_event() {
            Ok(edge) => {
                let _ = edges.try_send(edge.kind == EdgeKind::Rising);
            }
            Err(error) => return tracing::error!("the button can't be read: {error}"),
        }
    }
}

/// Presses made of edges. Ends with them.
pub fn presses(contact: Contact, mut edges: mpsc::Receiver<bool>) -> mpsc::Receiver<Press> {
    let (sender, receiver) = mpsc::channel(PRESSES);
    tokio::spawn(async move {
        let began = Instant::now();
        let mut bounce = Bounce::new(contact.debounce);
        loop {
            let edge = match bounce.wait(began.elapsed()) {
                None => edges.recv().await,
                Some(wait) => match tokio::time::timeout(wait, edges.recv()).await {
                    Ok(edge) => edge,
                    Err(_) => {
                        if let Some(press) = bounce.settled(began.elapsed()) {
                            // Who presses faster than anything is done presses in vain.
                            let _ = sender.try_send(press);
                        }
                        continue;
                    }
                },
            };
            match edge {
                Some(down) => bounce.edge(down, began.elapsed()),
                None => return,
            }
        }
    });
    receiver
}
