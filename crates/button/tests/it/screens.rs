//! Every screen as a picture in `tests/screens`. `BRAMBLE_UPDATE=1` writes them anew.

use bramble_button::draw::{HEIGHT, WIDTH, draw};
use bramble_button::{Screen, Task, Unanswered};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

const UPDATE: &str = "BRAMBLE_UPDATE";
/// Pixels of the picture for one of the panel, so that a person can look at it.
const SCALE: u32 = 4;

/// A panel that doesn't forgive a pixel beside it.
#[derive(Clone, PartialEq, Eq)]
struct Panel(Vec<bool>);

impl OriginDimensions for Panel {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }
}

impl DrawTarget for Panel {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            let inside = (0..WIDTH as i32).contains(&at.x) && (0..HEIGHT as i32).contains(&at.y);
            assert!(inside, "a pixel at {at}");
            self.0[(at.y * WIDTH as i32 + at.x) as usize] = color.is_on();
        }
        Ok(())
    }
}

fn drawn(screen: &Screen) -> Panel {
    // Whatever was there before must be gone.
    let mut panel = Panel(vec![true; (WIDTH * HEIGHT) as usize]);
    draw(screen, &mut panel).unwrap();
    panel
}

fn write_png(path: &Path, panel: &Panel) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = BufWriter::new(File::create(path).unwrap());
    let mut encoder = png::Encoder::new(file, WIDTH * SCALE, HEIGHT * SCALE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let lit = |x: u32, y: u32| panel.0[(y / SCALE * WIDTH + x / SCALE) as usize];
    let byte = |x: u32, y: u32| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(lit(x + bit, y)));
    let bytes: Vec<u8> = (0..HEIGHT * SCALE)
        .flat_map(|y| (0..WIDTH * SCALE).step_by(8).map(move |x| byte(x, y)))
        .collect();
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&bytes)
        .unwrap();
}

fn read_png(path: &Path) -> Option<Panel> {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path).ok()?));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().ok()?;
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let picture = reader.next_frame(&mut bytes).ok()?;
    if (picture.width, picture.height) != (WIDTH * SCALE, HEIGHT * SCALE) {
        return None;
    }
    let lit = |x: u32, y: u32| bytes[(y * SCALE * picture.width + x * SCALE) as usize] > 127;
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| lit(x, y)));
    Some(Panel(pixels.collect()))
}

fn screens() -> Vec<Screen> {
    let cluster: bramble_button::Word = "dash01-20261126-120000".parse().unwrap();
    let address: bramble_button::Word = "10.0.0.1:6443".parse().unwrap();
    let working = |task, percent, step: Option<&str>| Screen::Working {
        task,
        cluster: cluster.clone(),
        step: step.map(|step| step.parse().unwrap()),
        percent,
    };
    vec![
        Screen::Logo { unfolded: 0 },
        Screen::Logo { unfolded: 12 },
        Screen::Logo { unfolded: 32 },
        Screen::Wifi,
        Screen::Clock,
        Screen::Broker,
        Screen::Asking,
        Screen::ConfirmRemoval {
            cluster: cluster.clone(),
        },
        Screen::Requesting(Task::Provision),
        Screen::Requesting(Task::Remove),
        working(Task::Provision, 10, None),
        working(Task::Provision, 54, Some("control-plane/init")),
        working(Task::Remove, 99, Some("drain")),
        working(Task::Provision, 100, None),
        Screen::Ready {
            cluster: cluster.clone(),
            address: address.clone(),
        },
        Screen::Removed {
            cluster: cluster.clone(),
        },
        Screen::WifiFailed,
        Screen::ClockNotSet,
        Screen::BrokerFailed,
        Screen::BrokerRefused,
        Screen::BrokerLost,
        Screen::HandlerUnavailable(Unanswered::Silent),
        Screen::HandlerUnavailable(Unanswered::Offline),
        Screen::HandlerUnavailable(Unanswered::LastKnown { address }),
        Screen::HandlerUnavailable(Unanswered::Stranger),
        Screen::Unconfirmed(Task::Provision),
        Screen::Unconfirmed(Task::Remove),
        Screen::NotConfirmed,
        Screen::NothingToRemove,
        Screen::RemovalUnknown,
        Screen::Refused {
            reason: "This button may not make clusters.".parse().unwrap(),
        },
        Screen::Failed {
            task: Task::Provision,
            cluster: cluster.clone(),
            reason: "worker-2 doesn't answer: is it powered?".parse().unwrap(),
        },
        Screen::Failed {
            task: Task::Remove,
            cluster,
            reason: "worker-2 can't be drained".parse().unwrap(),
        },
        Screen::ResultUnknown,
        Screen::Timeout,
    ]
}

/// The picture's name. A new screen doesn't compile before it has one.
fn name(screen: &Screen) -> String {
    let task = |task: &Task| match task {
        Task::Provision => "provision",
        Task::Remove => "remove",
    };
    match screen {
        Screen::Logo { unfolded } => format!("logo-{unfolded}"),
        Screen::Wifi => "wifi".into(),
        Screen::Clock => "clock".into(),
        Screen::Broker => "broker".into(),
        Screen::Asking => "asking".into(),
        Screen::ConfirmRemoval { .. } => "confirm-removal".into(),
        Screen::Requesting(what) => format!("requesting-{}", task(what)),
        Screen::Working {
            task: what,
            percent,
            ..
        } => format!("working-{}-{percent}", task(what)),
        Screen::Ready { .. } => "ready".into(),
        Screen::Removed { .. } => "removed".into(),
        Screen::WifiFailed => "error-wifi".into(),
        Screen::ClockNotSet => "error-clock".into(),
        Screen::BrokerFailed => "error-broker-failed".into(),
        Screen::BrokerRefused => "error-broker-refused".into(),
        Screen::BrokerLost => "error-broker-lost".into(),
        Screen::HandlerUnavailable(why) => match why {
            Unanswered::Silent => "error-handler".into(),
            Unanswered::Offline => "error-handler-offline".into(),
            Unanswered::LastKnown { .. } => "error-handler-last-known".into(),
            Unanswered::Stranger => "error-handler-stranger".into(),
        },
        Screen::Unconfirmed(what) => format!("error-unconfirmed-{}", task(what)),
        Screen::NotConfirmed => "error-not-confirmed".into(),
        Screen::NothingToRemove => "error-nothing-to-remove".into(),
        Screen::RemovalUnknown => "error-removal-unknown".into(),
        Screen::Refused { .. } => "error-refused".into(),
        Screen::Failed { task: what, .. } => format!("error-failed-{}", task(what)),
        Screen::ResultUnknown => "error-result-unknown".into(),
        Screen::Timeout => "error-timeout".into(),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens")
}

#[test]
fn every_screen_looks_as_its_picture() {
    let mut wrong = Vec::new();
    for screen in screens() {
        let panel = drawn(&screen);
        let file = format!("{}.png", name(&screen));
        let golden = folder().join(&file);
        if std::env::var_os(UPDATE).is_some() {
            write_png(&golden, &panel);
        }
        if read_png(&golden).as_ref() != Some(&panel) {
            let new = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join("screens")
                .join(&file);
            write_png(&new, &panel);
            wrong.push(format!("{} should be {}", new.display(), golden.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n(all anew: {UPDATE}=1)",
        wrong.join("\n")
    );
}

#[test]
fn there_is_a_picture_of_every_screen_and_no_other() {
    let screens: BTreeSet<String> = screens().iter().map(name).collect();
    let there = std::fs::read_dir(folder()).unwrap().map(|file| {
        let path = file.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    });
    assert_eq!(there.collect::<BTreeSet<_>>(), screens);
}

#[test]
fn the_logo_unfolds_from_the_middle() {
    let whole = drawn(&Screen::Logo { unfolded: 32 });
    for unfolded in 0..=32_usize {
        let part = drawn(&Screen::Logo {
            unfolded: unfolded as u8,
        });
        for (at, lit) in part.0.iter().enumerate() {
            let y = at / WIDTH as usize;
            let open = (32 - unfolded..32 + unfolded).contains(&y);
            assert_eq!(*lit, open && whole.0[at]);
        }
    }
}

/// What can be seen of a text: the longest a screen may hold must not hide the other lines.
fn longest() -> Vec<Screen> {
    let word = |c: &str| c.repeat(63).parse().unwrap();
    vec![
        Screen::Ready {
            cluster: word("m"),
            address: word("w"),
        },
        Screen::Working {
            task: Task::Provision,
            cluster: word("m"),
            step: Some("step ".repeat(13)[..64].parse().unwrap()),
            percent: 100,
        },
    ]
}

#[test]
fn the_longest_lines_leave_room_for_all() {
    let [ready, working] = &longest()[..] else {
        panic!()
    };
    let lit = |panel: &Panel, rows: std::ops::Range<usize>| {
        let width = WIDTH as usize;
        panel.0[rows.start * width..rows.end * width]
            .iter()
            .any(|lit| *lit)
    };
    let rows_of_text = |panel: &Panel| {
        (0..8)
            .filter(|row| lit(panel, row * 8..row * 8 + 8))
            .count()
    };
    assert!(rows_of_text(&drawn(ready)) >= 7);
    assert!(rows_of_text(&drawn(working)) >= 7);
}

fn word() -> impl Strategy<Value = bramble_button::Word> {
    "[!-~]{1,63}".prop_map(|word| word.parse().unwrap())
}

fn text() -> impl Strategy<Value = bramble_button::Text> {
    "[ -~]{0,63}[!-~]".prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn nothing_is_drawn_beside_the_panel(
        cluster in word(), address in word(), reason in text(), percent in any::<u8>(), unfolded in any::<u8>()
    ) {
        drawn(&Screen::Logo { unfolded });
        drawn(&Screen::Ready { cluster: cluster.clone(), address });
        drawn(&Screen::Failed { task: Task::Provision, cluster: cluster.clone(), reason: reason.clone() });
        drawn(&Screen::Refused { reason: reason.clone() });
        drawn(&Screen::Working { task: Task::Remove, cluster, step: Some(reason), percent });
    }
}
