//! A button on a virtual clock: carries out outputs the way a driver does, and remembers them.

use bramble_button::signed::{Key, status_topic};
use bramble_button::{
    Input, Message, Millis, Output, Press, Progress, Protocol, Report, Request, Screen, Settings,
    State, Status, UnixTime, step,
};

/// 2026-11-26T12:00:00Z.
pub const NOON: u64 = 1_795_694_400;
pub const KEY: [u8; 32] = [7; 32];
pub const HANDLER: &str = "MyHandler";

pub fn seed() -> Settings {
    let topic = bramble_button::seed::DEFAULT_TOPIC.chars().collect();
    settings(Protocol::Seed { topic })
}

pub fn signed() -> Settings {
    settings(Protocol::Signed { key: Key::new(KEY) })
}

fn settings(protocol: Protocol) -> Settings {
    Settings {
        id: "dash01".parse().unwrap(),
        handler: HANDLER.parse().unwrap(),
        average_s: Settings::AVERAGE_S,
        protocol,
    }
}

/// Where a test begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Asleep,
    Logo,
    Wifi,
    Clock,
    Connecting,
    Pausing,
    Asking,
    Confirming,
    Requesting,
    Following,
    Full,
    Showing,
}

pub struct Device {
    pub settings: Settings,
    pub state: State,
    pub now: Millis,
    pub timer: Option<Millis>,
    pub did: Vec<(Millis, Output)>,
    pub slept: Option<Millis>,
    pub wifi: bool,
    pub connected: bool,
}

impl Device {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::default(),
            // Any origin is as good as another.
            now: 1_000_000,
            timer: None,
            did: Vec::new(),
            slept: None,
            wifi: false,
            connected: false,
        }
    }

    /// A button that was pressed and brought as far as a stage.
    pub fn at(settings: Settings, press: Press, stage: Stage) -> Self {
        let mut device = Self::new(settings);
        for next in [
            Stage::Logo,
            Stage::Wifi,
            Stage::Clock,
            Stage::Connecting,
            Stage::Pausing,
            Stage::Asking,
            Stage::Confirming,
            Stage::Requesting,
            Stage::Following,
            Stage::Full,
            Stage::Showing,
        ] {
            if stage == Stage::Asleep || device.is_at(next, press, stage) {
                break;
            }
        }
        device
    }

    /// Goes on to the next stage; whether it is the one that is wanted.
    fn is_at(&mut self, next: Stage, press: Press, wanted: Stage) -> bool {
        let long = press == Press::Long;
        match next {
            Stage::Logo => self.woken(press),
            Stage::Wifi => self.wait(2_000),
            Stage::Clock => self.input(Input::WifiUp),
            Stage::Connecting => self.input(Input::ClockSet(NOON)),
            Stage::Pausing if wanted == Stage::Pausing => self.input(Input::BrokerLost),
            Stage::Asking => self.input(Input::BrokerUp),
            Stage::Confirming if long => self.says(ready()),
            Stage::Requesting if long => self.input(Input::Pressed),
            Stage::Requesting => self.says(Status::Available),
            Stage::Following if long => self.says(Status::Removing(underway(None, None))),
            Stage::Following => self.says(Status::Provisioning(underway(None, None))),
            Stage::Full if long => self.says(Status::Removed {
                cluster: "c1".parse().unwrap(),
            }),
            Stage::Full => self.says(ready()),
            Stage::Showing => self.wait(500),
            _ => return false,
        }
        next == wanted
    }

    pub fn woken(&mut self, press: Press) {
        self.input(Input::Woken {
            press,
            entropy: [9; 14],
        });
    }

    pub fn input(&mut self, input: Input<'_>) {
        let state = std::mem::take(&mut self.state);
        let (state, outputs) = step(&self.settings, state, self.now, input);
        self.state = state;
        for output in outputs {
            self.carry_out(output);
        }
        // Else a button would stay awake for ever.
        assert_eq!(self.state.is_asleep(), self.timer.is_none());
    }

    fn carry_out(&mut self, output: Output) {
        match &output {
            Output::Wifi(on) => self.wifi = *on,
            Output::Connect => {
                assert!(self.wifi, "a connection without Wi-Fi");
                self.connected = true;
            }
            Output::Disconnect => self.connected = false,
            Output::Timer(wait) => self.timer = Some(self.now + wait),
            Output::Sleep => {
                assert!(!self.wifi && !self.connected, "asleep, but not offline");
                self.timer = None;
                self.slept = Some(self.now);
            }
            Output::Publish(request) => {
                assert!(self.connected, "published without a connection");
                self.settings.message(request).unwrap();
            }
            Output::SyncClock | Output::Show(_) => {}
        }
        self.did.push((self.now, output));
    }

    /// Lets time pass and serves the timer.
    pub fn wait(&mut self, ms: Millis) {
        let end = self.now + ms;
        while let Some(due) = self.timer.filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.timer = None;
            self.input(Input::Timer);
        }
        self.now = end;
    }

    /// The handler says something, as an answer to the last request.
    pub fn says(&mut self, status: Status) {
        let re = self.did.iter().rev().find_map(|(_, did)| match did {
            Output::Publish(request) => Some(request.clone()),
            _ => None,
        });
        let message = self.report(status, re.as_ref());
        self.hear(&message);
    }

    pub fn hear(&mut self, message: &Message) {
        self.input(Input::Heard {
            topic: &message.topic,
            payload: &message.payload,
        });
    }

    /// What the handler's message looks like that answers a request.
    pub fn report(&self, status: Status, re: Option<&Request>) -> Message {
        match &self.settings.protocol {
            Protocol::Seed { topic } => Message {
                topic: topic.clone(),
                payload: bramble_button::seed::Line {
                    time: "12:00:00".parse().unwrap(),
                    sender: HANDLER.parse().unwrap(),
                    verb: bramble_button::seed::Verb::of(&status),
                }
                .message(),
            },
            Protocol::Signed { key } => Message {
                topic: status_topic(&self.settings.id),
                payload: self.unsent(status, re).signed(key).unwrap(),
            },
        }
    }

    pub fn unsent(&self, status: Status, re: Option<&Request>) -> Report {
        Report {
            button: self.settings.id.clone(),
            handler: HANDLER.parse().unwrap(),
            time: UnixTime::new(NOON + self.now / 1000).unwrap(),
            re: re.map(|request| request.nonce),
            status,
        }
    }

    pub fn requests(&self) -> Vec<Request> {
        let request = |(_, output): &(Millis, Output)| match output {
            Output::Publish(request) => Some(request.clone()),
            _ => None,
        };
        self.did.iter().filter_map(request).collect()
    }

    pub fn screens(&self) -> Vec<(Millis, Screen)> {
        let screen = |(at, output): &(Millis, Output)| match output {
            Output::Show(screen) => Some((*at, screen.clone())),
            _ => None,
        };
        self.did.iter().filter_map(screen).collect()
    }

    /// What the display shows.
    pub fn screen(&self) -> Screen {
        self.screens().pop().unwrap().1
    }

    pub fn lines(&self) -> Vec<String> {
        let screen = self.screen();
        screen
            .page()
            .lines
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Waits for the sleep and says how long that took.
    pub fn sleeps_after(&mut self) -> Millis {
        let began = self.now;
        while self.slept.is_none() {
            let due = self.timer.expect("awake without a timer");
            let bound = self.settings.longest_awake_ms();
            assert!(due - began <= bound, "awake for more than {bound} ms");
            self.wait(due - self.now);
        }
        self.slept.unwrap() - began
    }
}

pub fn underway(percent: Option<u8>, step: Option<&str>) -> Progress {
    Progress {
        cluster: "c1".parse().unwrap(),
        percent,
        step: step.map(|step| step.parse().unwrap()),
    }
}

pub fn ready() -> Status {
    Status::Provisioned {
        cluster: Some("c1".parse().unwrap()),
        address: "10.0.0.1:6443".parse().unwrap(),
    }
}

pub fn failed() -> Status {
    Status::Failed {
        cluster: Some("c1".parse().unwrap()),
        reason: "no-disk".parse().unwrap(),
    }
}
