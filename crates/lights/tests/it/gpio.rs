//! Lamps and button on a chip. This kernel may have no GPIO: the chip is one that writes down what is switched.

use crate::common::{node, rules, rules_of};
use bramble_lights::board::{Board, Contact, Pin};
use bramble_lights::button::{Action, Press, Verb};
use bramble_lights::contact::{Runs, act, edges, presses};
use bramble_lights::outputs::gpio::{Chip, Pins, drive};
use bramble_lights::sequence::Play;
use bramble_lights::signal::{Input, Scope};
use bramble_lights::{Error, Panel};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// When, in milliseconds, and which lines were on then.
type Switched = (u64, Vec<u32>);

/// Remembers which lines are on, and when something was switched.
#[derive(Clone)]
struct Fake {
    began: Instant,
    on: Arc<Mutex<BTreeMap<u32, bool>>>,
    seen: Arc<Mutex<Vec<Switched>>>,
    panics: bool,
}

impl Fake {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            on: Arc::default(),
            seen: Arc::default(),
            panics: false,
        }
    }

    fn on(&self) -> Vec<u32> {
        let on = self.on.lock().unwrap();
        on.iter()
            .filter(|(_, on)| **on)
            .map(|(line, _)| *line)
            .collect()
    }
}

impl Pins for Fake {
    fn set(&mut self, levels: &BTreeMap<u32, bool>) -> Result<(), Error> {
        self.on.lock().unwrap().extend(levels);
        let on = self.on();
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        self.seen.lock().unwrap().push((millis, on));
        let broken = self.panics && levels.len() < 13;
        assert!(!broken, "the driver is broken");
        Ok(())
    }
}

async fn until(mut fits: impl FnMut() -> bool) {
    let wait = async {
        while !fits() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .expect("in time");
}

const REDS: [u32; 4] = [5, 16, 17, 23];
const GREENS: [u32; 4] = [13, 21, 22, 25];

#[tokio::test(start_paused = true)]
async fn an_event_is_the_expected_sequence_of_pins() {
    let panel = Panel::new(rules());
    let chip = Fake::new();
    let board = Board::default();
    let (other, pins) = (panel.clone(), chip.clone());
    let driver = tokio::spawn(async move { drive(&other, &board, pins).await });
    until(|| chip.on() == GREENS).await;
    panel.hear(Input::Signal(node("one", "NotReady")));
    let heard = chip.began.elapsed().as_millis() as u64;
    until(|| chip.seen.lock().unwrap().len() >= 7).await;
    // Red with the beeper (18), which sounds three times for 0.2 s.
    let seen = chip.seen.lock().unwrap().clone();
    let with = [5, 16, 17, 18, 23].to_vec();
    let beeps: Vec<Vec<u32>> = seen[1..].iter().map(|(_, on)| on.clone()).collect();
    let red = REDS.to_vec();
    assert_eq!(
        beeps,
        [
            with.clone(),
            red.clone(),
            with.clone(),
            red.clone(),
            with,
            red
        ]
    );
    assert!(seen[1].0 - heard < 10, "{seen:?}");
    for pair in seen[1..].windows(2) {
        let millis = pair[1].0 - pair[0].0;
        assert!((199..=202).contains(&millis), "{seen:?}");
    }
    // Nothing more is switched while nothing changes.
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(chip.seen.lock().unwrap().len(), 7);
    driver.abort();
    assert!(driver.await.unwrap_err().is_cancelled());
    assert!(chip.on().is_empty(), "dark at the end");
}

#[tokio::test(start_paused = true)]
async fn the_self_test_is_the_cycle_on_the_pins() {
    let panel = Panel::new(rules());
    let chip = Fake::new();
    let board = Board::default();
    let (other, pins) = (panel.clone(), chip.clone());
    tokio::spawn(async move { drive(&other, &board, pins).await });
    let timer = panel.clone();
    tokio::spawn(async move { timer.run().await });
    until(|| chip.on() == GREENS).await;
    panel.hear(Input::Play(Play::SelfTest));
    until(|| chip.on() == REDS).await;
    until(|| chip.on() == GREENS).await;
    let seen = chip.seen.lock().unwrap().clone();
    let cycle: Vec<Vec<u32>> = seen[1..].iter().map(|(_, on)| on.clone()).collect();
    // Each in turn: yellow, green, red; east 16/20/21, west 23/24/25, north 5/6/13, south 17/27/22.
    let mut expected = vec![REDS.to_vec(), vec![5, 16, 17, 18, 23]];
    for (red, yellow, green) in [(16, 20, 21), (23, 24, 25), (5, 6, 13), (17, 27, 22)] {
        for lamp in [yellow, green, red] {
            let mut on: Vec<u32> = REDS
                .into_iter()
                .filter(|r| *r != red)
                .chain([lamp])
                .collect();
            on.sort_unstable();
            expected.push(on);
        }
    }
    expected.push(GREENS.to_vec());
    assert_eq!(cycle, expected);
    let took = seen[seen.len() - 1].0 - seen[1].0;
    assert!((17_190..17_300).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_the_lamps_dark() {
    let panel = Panel::new(rules());
    let mut chip = Fake::new();
    chip.panics = true;
    let (other, pins) = (panel.clone(), chip.clone());
    let driver = tokio::spawn(async move { drive(&other, &Board::default(), pins).await });
    until(|| chip.on() == GREENS).await;
    panel.hear(Input::Signal(node("one", "NotReady")));
    assert!(driver.await.unwrap_err().is_panic());
    assert!(chip.on().is_empty(), "{:?}", chip.on());
}

#[test]
fn a_chip_that_is_missing_is_named() {
    let board = Board {
        chip: "/nowhere/gpiochip0".into(),
        ..Board::default()
    };
    let error = Chip::open(&board).err().unwrap();
    let said = error.to_string();
    assert!(
        said.contains("/nowhere/gpiochip0") && said.contains("17, 27, 22"),
        "{said}"
    );
    assert!(error.hint().unwrap().contains("group gpio"));
    assert!(edges(&board).is_err());
    let none = Board {
        button: None,
        ..board
    };
    let error = edges(&none).unwrap_err();
    assert!(error.hint().unwrap().contains("board.button"), "{error}");
}

#[derive(Default)]
struct Asked(Mutex<Vec<(Verb, String)>>);

#[async_trait::async_trait]
impl Runs for Asked {
    async fn run(&self, verb: Verb, cluster: &str) -> Result<String, String> {
        self.0.lock().unwrap().push((verb, cluster.into()));
        Ok(format!("{cluster} begun"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_press_is_read_and_does_what_is_configured() {
    let contact = Contact {
        pin: Pin::low(4),
        debounce: Duration::from_millis(30),
    };
    let (line, edges) = mpsc::channel(64);
    let mut presses = presses(contact, edges);
    let pause = |millis| tokio::time::sleep(Duration::from_millis(millis));
    // It bounces when it is pressed and when it is let go.
    for down in [true, false, true] {
        line.send(down).await.unwrap();
        pause(3).await;
    }
    pause(150).await;
    for down in [false, true, false] {
        line.send(down).await.unwrap();
        pause(3).await;
    }
    assert_eq!(presses.recv().await, Some(Press::Short));
    line.send(true).await.unwrap();
    pause(2500).await;
    line.send(false).await.unwrap();
    assert_eq!(presses.recv().await, Some(Press::Long));
    drop(line);
    assert_eq!(presses.recv().await, None, "there was no third one");
}

#[tokio::test]
async fn actions_are_done_in_order() {
    let panel = Panel::new(rules_of(
        "button: { press: [acknowledge, run up home], hold: [self-test] }",
    ));
    panel.hear(Input::Signal(node("one", "NotReady")));
    assert!(panel.lights().sound.is_some());
    let asked = Asked::default();
    let said = Mutex::new(Vec::new());
    let tell = |text| said.lock().unwrap().push(text);
    let rules = panel.rules();
    act(rules.button.of(Press::Short), &panel, &asked, tell).await;
    assert!(panel.lights().sound.is_none());
    assert_eq!(*asked.0.lock().unwrap(), [(Verb::Up, "home".to_owned())]);
    assert_eq!(*said.lock().unwrap(), ["home begun"]);
    act(&[Action::SelfTest], &panel, &asked, |_| ()).await;
    assert_eq!(panel.lights().playing.unwrap().what, Play::SelfTest);
    let gone = Input::Whole {
        scope: Scope::object(&node("one", "")),
        signals: Vec::new(),
    };
    panel.hear(gone);
}
