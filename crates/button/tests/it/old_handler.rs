//! A button in version 1 and the seed's handler, with what that does wrong: it takes what comes within one look for one
//! message and forgets all but the first, answers a request by nothing, and says the result once.

use crate::device::{Device, NOON, seed};
use bramble_button::{Input, Message, Millis, Press};

const LOOK: Millis = 300;

#[derive(Default)]
struct OldHandler {
    provisioning: Option<(String, Millis)>,
    jobs: Vec<String>,
}

impl OldHandler {
    /// What it says after a look at what came since the last.
    fn looks(&mut self, now: Millis, came: &[String]) -> Option<String> {
        if let Some((_, until)) = &self.provisioning
            && now >= *until
        {
            self.provisioning = None;
            return Some("StatusProvisioned 10.0.0.1".into());
        }
        // The text of all messages that came; it reads words 2 to 4.
        let text = came.join(" ");
        let words: Vec<&str> = text.split_whitespace().collect();
        match (words.get(2..), &self.provisioning) {
            (Some(["GetStatus", ..]), None) => Some("StatusAvailable".into()),
            (Some(["GetStatus", ..]), Some((name, _))) => {
                Some(format!("StatusProvisioning {name}"))
            }
            (Some(["ProvisionCluster", name, ..]), None) => {
                self.provisioning = Some(((*name).to_owned(), now + 160_000));
                self.jobs.push((*name).to_owned());
                None
            }
            _ => None,
        }
    }
}

/// Lets button and handler talk until the button sleeps.
fn press(handler: &mut OldHandler, device: &mut Device) {
    device.woken(Press::Short);
    device.input(Input::WifiUp);
    device.input(Input::ClockSet(NOON));
    device.input(Input::BrokerUp);
    let mut heard = 0;
    while device.slept.is_none() {
        device.wait(LOOK);
        let requests = device.requests();
        let came: Vec<String> = requests[heard..]
            .iter()
            .map(|request| device.settings.message(request).unwrap().payload)
            .map(|payload| String::from_utf8(payload.to_vec()).unwrap())
            .collect();
        heard = requests.len();
        if let Some(word) = handler.looks(device.now, &came) {
            let line = format!("12:00:00 MyHandler {word}");
            device.hear(&Message {
                topic: bramble_button::seed::DEFAULT_TOPIC.chars().collect(),
                payload: line.bytes().collect(),
            });
        }
    }
}

#[test]
fn a_press_makes_one_cluster_and_shows_its_address() {
    let (mut handler, mut device) = (OldHandler::default(), Device::new(seed()));
    press(&mut handler, &mut device);
    assert_eq!(handler.jobs, ["dash01-20261126-120000"]);
    assert_eq!(
        device.lines(),
        ["dash01-20261126-120000", "10.0.0.1", "is ready."]
    );
}

#[test]
fn a_second_press_follows_the_first_ones_cluster() {
    let (mut handler, mut device) = (OldHandler::default(), Device::new(seed()));
    handler.provisioning = Some(("dash07-093000".into(), device.now + 60_000));
    press(&mut handler, &mut device);
    assert!(handler.jobs.is_empty());
    assert_eq!(device.lines(), ["dash07-093000", "10.0.0.1", "is ready."]);
}
