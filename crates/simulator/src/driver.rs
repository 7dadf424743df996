//! Carries out what the state machine says.

use crate::frame::Frame;
use crate::network::Network;
use crate::talk::{News, Talk, Trouble};
use bramble_bus::Message;
use bramble_button::{ENTROPY, Input, Output, Press, Settings, State, step};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// A button and what it has.
pub(crate) struct Driver {
    settings: Settings,
    network: Arc<dyn Network>,
    show: watch::Sender<Frame>,
    trouble: watch::Sender<Trouble>,
    state: State,
    /// When the machine's time began.
    began: Instant,
    timer: Option<Instant>,
    talk: Option<Talk>,
}

/// What is done at once, and told to the machine after its step.
enum Done {
    WifiUp,
    ClockSet(u64),
}

impl Driver {
    pub fn new(
        settings: Settings,
        network: Arc<dyn Network>,
        show: watch::Sender<Frame>,
        trouble: watch::Sender<Trouble>,
    ) -> Self {
        Self {
            settings,
            network,
            show,
            trouble,
            state: State::default(),
            began: Instant::now(),
            timer: None,
            talk: None,
        }
    }

    /// Runs until nobody can press it any more.
    pub async fn run(mut self, mut presses: mpsc::Receiver<Press>) {
        loop {
            tokio::select! {
                press = presses.recv() => match press {
                    Some(press) => self.pressed(press),
                    None => return,
                },
                news = news(&mut self.talk) => self.heard(news),
                () = due(self.timer) => {
                    self.timer = None;
                    self.input(Input::Timer);
                }
            }
        }
    }

    fn pressed(&mut self, press: Press) {
        let mut entropy = [0; ENTROPY];
        match getrandom::fill(&mut entropy) {
            Ok(()) => self.input(Input::Woken { press, entropy }),
            Err(error) => tracing::error!("this computer gives no random numbers: {error}"),
        }
    }

    fn heard(&mut self, news: News) {
        match news {
            News::Up => self.input(Input::BrokerUp),
            News::Failed(failure) => self.input(Input::BrokerFailed(failure)),
            News::Lost => self.input(Input::BrokerLost),
            News::Heard(Message { topic, payload, .. }) => self.input(Input::Heard {
                topic: &topic,
                payload: &payload,
            }),
        }
    }

    /// A step, and those that follow from it at once.
    fn input(&mut self, input: Input<'_>) {
        let mut next = VecDeque::new();
        self.step(input, &mut next);
        while let Some(done) = next.pop_front() {
            let input = match done {
                Done::WifiUp => Input::WifiUp,
                Done::ClockSet(seconds) => Input::ClockSet(seconds),
            };
            self.step(input, &mut next);
        }
    }

    fn step(&mut self, input: Input<'_>, next: &mut VecDeque<Done>) {
        let state = std::mem::take(&mut self.state);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (state, outputs) = step(&self.settings, state, now, input);
        self.state = state;
        for output in outputs {
            if let Some(done) = self.carry_out(output) {
                next.push_back(done);
            }
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Done> {
        match output {
            Output::Wifi(true) => return Some(Done::WifiUp),
            Output::Wifi(false) => {}
            Output::SyncClock => return Some(Done::ClockSet(seconds())),
            Output::Connect => {
                let topics = self.settings.subscriptions().into_iter().collect();
                let trouble = self.trouble.clone();
                self.talk = Some(Talk::begin(self.network.clone(), topics, trouble));
            }
            Output::Disconnect => self.talk = None,
            Output::Publish(request) => self.publish(&request),
            Output::Show(screen) => {
                let deaf = self.state.deaf_until().map(Duration::from_millis);
                self.show.send_replace(Frame {
                    deaf_until: deaf.map(|deaf| self.began + deaf),
                    ..Frame::of(screen)
                });
            }
            Output::Timer(wait) => self.timer = Some(Instant::now() + Duration::from_millis(wait)),
            Output::Sleep => {
                self.timer = None;
                self.show.send_replace(Frame::default());
            }
        }
        None
    }

    fn publish(&self, request: &bramble_button::Request) {
        match (self.settings.message(request), &self.talk) {
            (Ok(message), Some(talk)) => talk.publish(Message::new(
                message.topic.as_str(),
                message.payload.to_vec(),
            )),
            (Err(error), _) => tracing::error!("{error}"),
            (Ok(_), None) => tracing::error!("the machine publishes without a connection"),
        }
    }
}

async fn news(talk: &mut Option<Talk>) -> News {
    match talk {
        Some(talk) => talk.news().await,
        None => std::future::pending().await,
    }
}

async fn due(timer: Option<Instant>) {
    match timer {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Seconds since 1970; 0 for a clock from before, which the machine takes for none.
fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
