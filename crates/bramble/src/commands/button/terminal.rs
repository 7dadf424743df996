//! The display in the terminal: two pixels in each character, one above the other.

use super::trouble::{Explained, Way};
use crate::error::CliError;
use bramble_button::Press;
use bramble_button::draw::{HEIGHT, WIDTH};
use bramble_simulator::{Frame, Panel, Simulator};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use std::io::{self, Write};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const KEYS: &str = "space: press   l: long press   q: quit";

/// How often it is looked whether nobody waits for keys any more.
const LOOK: Duration = Duration::from_millis(200);

/// How often the seconds are counted down until it hears again.
const TICK: Duration = Duration::from_secs(1);

/// What a key is for.
enum Key {
    Press(Press),
    Quit,
    Redraw,
}

/// Shows the display until somebody quits.
pub async fn run(simulator: &Simulator, press: Option<Press>, way: &Way) -> Result<(), CliError> {
    let failed = |e: io::Error| CliError::failed(format!("the terminal: {e}"));
    let ended = || CliError::failed("the button has ended");
    let _screen = Alternate::enter().map_err(failed)?;
    let mut keys = keys();
    let mut frames = simulator.frames();
    let mut troubles = simulator.troubles();
    frames.mark_changed();
    if let Some(press) = press {
        simulator.press(press);
    }
    loop {
        let counts = frames.borrow().deaf_until.is_some();
        tokio::select! {
            changed = frames.changed() => changed.map_err(|_| ended())?,
            changed = troubles.changed() => changed.map_err(|_| ended())?,
            key = keys.recv() => match key {
                Some(Key::Press(press)) => simulator.press(press),
                Some(Key::Redraw) => {}
                Some(Key::Quit) | None => return Ok(()),
            },
            () = sleep(TICK), if counts => {}
        }
        let frame = frames.borrow_and_update().clone();
        let trouble = troubles.borrow_and_update().clone();
        let trouble = trouble.map(|error| way.explain(&error));
        let below = below(&frame, Instant::now(), trouble.as_ref());
        draw(&frame.panel, &below).map_err(failed)?;
    }
}

/// The lines below the display: what the button does, and what it has no room to say.
fn below(frame: &Frame, now: Instant, trouble: Option<&Explained>) -> Vec<String> {
    let state = match (&frame.screen, frame.deaf_until) {
        (None, _) => "asleep".to_owned(),
        (Some(_), None) => "awake".to_owned(),
        (Some(_), Some(until)) => {
            let left = until.saturating_duration_since(now);
            // The last second counts as one.
            let seconds = left.as_millis().div_ceil(1000);
            format!("hears presses again in {seconds} s")
        }
    };
    let mut lines = vec![format!("{state}   {KEYS}")];
    if let Some(trouble) = trouble {
        lines.push(trouble.what.clone());
        lines.extend(trouble.hint.clone());
    }
    lines
}

fn draw(panel: &Panel, below: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (row, line) in lines(panel).iter().enumerate() {
        queue!(out, MoveTo(0, u16::try_from(row).unwrap_or(u16::MAX)))?;
        write!(out, "{line}")?;
    }
    for line in below {
        write!(out, "\r\n")?;
        queue!(out, Clear(ClearType::UntilNewLine))?;
        write!(out, "{line}")?;
    }
    queue!(out, Clear(ClearType::FromCursorDown))?;
    out.flush()
}

/// The rows of characters.
fn lines(panel: &Panel) -> Vec<String> {
    let row = |y: u32| (0..WIDTH).map(move |x| block(panel.is_lit(x, y), panel.is_lit(x, y + 1)));
    (0..HEIGHT).step_by(2).map(|y| row(y).collect()).collect()
}

fn block(above: bool, below: bool) -> char {
    match (above, below) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

/// Keys, from a thread of their own: reading them blocks.
fn keys() -> mpsc::Receiver<Key> {
    let (sender, keys) = mpsc::channel(8);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let key = match event::poll(LOOK) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let key = match key {
                Ok(event) => meaning(&event),
                Err(_) => Some(Key::Quit),
            };
            if key.is_some_and(|key| sender.blocking_send(key).is_err()) {
                return;
            }
        }
    });
    keys
}

fn meaning(event: &Event) -> Option<Key> {
    let key = match event {
        Event::Resize(..) => return Some(Key::Redraw),
        Event::Key(key) if key.kind == KeyEventKind::Press => key,
        _ => return None,
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char(' ') => Some(Key::Press(Press::Short)),
        KeyCode::Char('l') => Some(Key::Press(Press::Long)),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('c') if control => Some(Key::Quit),
        _ => None,
    }
}

/// The terminal's other screen, until it is dropped.
struct Alternate;

impl Alternate {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        let entered = Self;
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            Hide,
            Clear(ClearType::All)
        )?;
        Ok(entered)
    }
}

impl Drop for Alternate {
    fn drop(&mut self) {
        // A terminal that is gone needs no order.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bramble_button::Screen;

    #[test]
    fn below_the_display_is_what_it_does_not_say() {
        let now = Instant::now();
        let first = |frame: &Frame| below(frame, now, None).swap_remove(0);
        assert!(first(&Frame::default()).starts_with("asleep "));
        let mut frame = Frame::of(Screen::BrokerFailed);
        assert!(first(&frame).starts_with("awake "));
        frame.deaf_until = Some(now + Duration::from_millis(4_200));
        assert!(first(&frame).starts_with("hears presses again in 5 s "));
        let trouble = Explained {
            what: "nobody listens at mqtts://pi:8883".into(),
            hint: Some("is it running?".into()),
        };
        let lines = below(&frame, now, Some(&trouble));
        assert_eq!(lines[1..], [trouble.what, "is it running?".to_owned()]);
    }

    #[test]
    fn two_pixels_are_a_character() {
        let frame = Frame::of(Screen::Timeout);
        let lines = lines(&frame.panel);
        assert_eq!(lines.len(), 32);
        assert!(lines.iter().all(|line| line.chars().count() == 128));
        let lit: usize = lines
            .iter()
            .flat_map(|line| line.chars())
            .map(|c| match c {
                '█' => 2,
                '▀' | '▄' => 1,
                _ => 0,
            })
            .sum();
        let bits: u32 = frame
            .panel
            .bytes()
            .iter()
            .map(|byte| byte.count_ones())
            .sum();
        assert_eq!(lit, bits as usize);
    }
}
