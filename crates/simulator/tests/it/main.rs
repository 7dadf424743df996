//! The simulated button's display, and what it does without a broker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bramble_button::draw::{HEIGHT, WIDTH};
use bramble_button::signed::Key;
use bramble_button::{Press, Protocol, Screen, Settings};
use bramble_simulator::{Dialled, Frame, Simulator};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The longest that anything here takes: three attempts with pauses, and an error's time on the display.
const LIMIT: Duration = Duration::from_secs(40);

fn settings(protocol: Protocol) -> Settings {
    Settings {
        id: "dash01".parse().unwrap(),
        handler: "MyHandler".parse().unwrap(),
        average_s: Settings::AVERAGE_S,
        protocol,
    }
}

/// The golden picture of a screen, in which a pixel is four by four.
fn picture(name: &str) -> Vec<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../button/tests/screens");
    let file = File::open(folder.join(name)).unwrap();
    let decoder = png::Decoder::new(BufReader::new(file));
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let scale = info.width / WIDTH;
    let lit = |x: u32, y: u32| {
        let at = (y * scale) as usize * info.line_size + (x * scale) as usize / 8;
        bytes[at] & (0x80 >> (x * scale % 8)) != 0
    };
    let rows = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    rows.map(|(x, y)| lit(x, y)).collect()
}

#[test]
fn the_panel_has_the_picture_s_pixels() {
    for (screen, name) in [
        (Screen::Broker, "broker.png"),
        (Screen::NothingToRemove, "error-nothing-to-remove.png"),
        (Screen::Logo { unfolded: 32 }, "logo-32.png"),
    ] {
        let frame = Frame::of(screen);
        let rows = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        let lit: Vec<bool> = rows.map(|(x, y)| frame.panel.is_lit(x, y)).collect();
        assert!(lit == picture(name), "{name}");
        let bits = frame.panel.bytes().iter().map(|byte| byte.count_ones());
        let count = lit.iter().filter(|lit| **lit).count();
        assert_eq!(bits.sum::<u32>() as usize, count);
    }
    assert!(Frame::default().panel.bytes().iter().all(|byte| *byte == 0));
}

/// The distinct texts of the display until it sleeps.
async fn shown(simulator: &Simulator, press: Press) -> Vec<String> {
    let mut frames = simulator.frames();
    simulator.press(press);
    let mut all: Vec<String> = Vec::new();
    let watched = async {
        loop {
            frames.changed().await.unwrap();
            let frame = frames.borrow_and_update().clone();
            if frame.screen.is_none() {
                return;
            }
            let text = frame.lines().join(" / ");
            if all.last() != Some(&text) && !text.is_empty() {
                all.push(text);
            }
        }
    };
    tokio::time::timeout(LIMIT, watched)
        .await
        .expect("it sleeps in time");
    all
}

#[tokio::test]
async fn without_a_broker_it_says_so_and_sleeps() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let network = Dialled(bramble_bus::Settings {
        broker: format!("mqtt://{address}").parse().unwrap(),
        client: "dash01".into(),
        login: None,
        authority: None,
        proxy: None,
        will: None,
    });
    let key = Key::new([7; 32]);
    let simulator = Simulator::new(settings(Protocol::Signed { key }), Arc::new(network));
    let shown = shown(&simulator, Press::Short).await;
    assert_eq!(shown.last().unwrap(), "MQTT connection / failed");
    // The display has no room for the cause.
    let trouble = simulator.troubles().borrow().clone().unwrap();
    let said = format!("nobody listens at mqtt://{address}");
    assert_eq!(trouble.to_string(), said);
}

/// One that speaks only the seed's grammar, and whose broker nobody is asked for.
fn old_button() -> Simulator {
    let network = Dialled(bramble_bus::Settings {
        broker: "mqtt://127.0.0.1".parse().unwrap(),
        client: "dash01".into(),
        login: None,
        authority: None,
        proxy: None,
        will: None,
    });
    let topic = bramble_button::seed::DEFAULT_TOPIC.chars().collect();
    Simulator::new(settings(Protocol::Seed { topic }), Arc::new(network))
}

#[tokio::test]
async fn it_tells_until_when_it_hears_no_press() {
    let simulator = old_button();
    let mut frames = simulator.frames();
    simulator.press(Press::Long);
    let last = frames.wait_for(|frame| frame.screen == Some(Screen::RemovalUnknown));
    let last = tokio::time::timeout(LIMIT, last).await.unwrap().unwrap();
    let until = last.deaf_until.expect("the last screen has an end");
    drop(last);
    simulator.press(Press::Short);
    let asleep = frames.wait_for(|frame| frame.screen.is_none());
    let asleep = tokio::time::timeout(LIMIT, asleep).await.unwrap().unwrap();
    assert_eq!(asleep.deaf_until, None);
    assert!(tokio::time::Instant::now() >= until);
}

#[tokio::test]
async fn a_long_press_of_an_old_button_is_explained() {
    let simulator = old_button();
    let shown = shown(&simulator, Press::Long).await;
    assert_eq!(shown, ["Removal needs / protocol 2"]);
}
