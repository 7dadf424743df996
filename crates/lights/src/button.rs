//! The traffic light's own button: from edges to presses, from presses to actions.

use std::time::Duration;

/// A press of at least this length is a long one.
pub const HOLD: Duration = Duration::from_secs(2);

/// How long it was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Shorter than [`HOLD`].
    Short,
    /// At least [`HOLD`].
    Long,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Makes the cluster as its file says.
    Up,
    /// Takes it down.
    Down,
}

/// What a press does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Silences the beeper for what is the case now.
    Acknowledge,
    /// Plays the self-test.
    SelfTest,
    /// Plays the light show.
    Show,
    /// Starts a run.
    Run(Verb, String),
}

impl Action {
    /// The action that is written so.
    pub fn of(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["acknowledge"] => Some(Action::Acknowledge),
            ["self-test"] => Some(Action::SelfTest),
            ["show"] => Some(Action::Show),
            ["run", "up", cluster] => Some(Action::Run(Verb::Up, (*cluster).into())),
            ["run", "down", cluster] => Some(Action::Run(Verb::Down, (*cluster).into())),
            _ => None,
        }
    }
}

/// What presses do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actions {
    /// A short one.
    pub press: Vec<Action>,
    /// A long one.
    pub hold: Vec<Action>,
}

impl Default for Actions {
    /// A short one silences, a long one tests.
    fn default() -> Self {
        Self {
            press: vec![Action::Acknowledge],
            hold: vec![Action::SelfTest],
        }
    }
}

impl Actions {
    /// What a press does.
    pub fn of(&self, press: Press) -> &[Action] {
        match press {
            Press::Short => &self.press,
            Press::Long => &self.hold,
        }
    }
}

/// Edges of a contact that bounces, made to presses. Times are since any beginning.
#[derive(Debug, Clone)]
pub struct Bounce {
    debounce: Duration,
    /// What the line says, and since when.
    line: (bool, Duration),
    /// What is believed.
    down: bool,
    pressed: Duration,
}

impl Bounce {
    /// A contact that isn't pressed.
    pub fn new(debounce: Duration) -> Self {
        Self {
            debounce,
            line: (false, Duration::ZERO),
            down: false,
            pressed: Duration::ZERO,
        }
    }

    /// The line has changed, or was seen again.
    pub fn edge(&mut self, down: bool, at: Duration) {
        if self.line.0 != down {
            self.line = (down, at);
        }
    }

    /// How long to wait before asking [`Bounce::settled`]; `None` = until the next edge.
    pub fn wait(&self, at: Duration) -> Option<Duration> {
        let (down, since) = self.line;
        (down != self.down).then(|| (since + self.debounce).saturating_sub(at))
    }

    /// The press that has ended, once the line has been quiet for long enough.
    pub fn settled(&mut self, at: Duration) -> Option<Press> {
        let (down, since) = self.line;
        if down == self.down || at.saturating_sub(since) < self.debounce {
            return None;
        }
        self.down = down;
        if down {
            self.pressed = since;
            return None;
        }
        Some(match since.saturating_sub(self.pressed) < HOLD {
            true => Press::Short,
            false => Press::Long,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line that changes at these milliseconds makes, each look as late as allowed.
    fn presses(edges: &[u64]) -> Vec<Press> {
        let mut bounce = Bounce::new(Duration::from_millis(30));
        let mut out = Vec::new();
        let mut down = false;
        for (i, at) in edges.iter().enumerate() {
            down = !down;
            let at = Duration::from_millis(*at);
            bounce.edge(down, at);
            let next = edges.get(i + 1).map(|ms| Duration::from_millis(*ms));
            if let Some(wait) = bounce.wait(at)
                && next.is_none_or(|next| at + wait <= next)
            {
                out.extend(bounce.settled(at + wait));
            }
        }
        out
    }

    #[test]
    fn bouncing_is_one_press() {
        assert_eq!(presses(&[0, 200]), [Press::Short]);
        assert_eq!(presses(&[0, 3, 5, 200, 204, 209]), [Press::Short]);
        assert_eq!(presses(&[0, 2500, 2505, 2510]), [Press::Long]);
        assert_eq!(presses(&[0, 200, 400, 600]), [Press::Short, Press::Short]);
    }

    #[test]
    fn a_spike_is_none() {
        assert_eq!(presses(&[0, 10]), []);
        assert_eq!(presses(&[0, 5, 10, 15]), []);
    }

    #[test]
    fn actions_are_read() {
        assert_eq!(Action::of("self-test"), Some(Action::SelfTest));
        let up = Action::Run(Verb::Up, "home".into());
        assert_eq!(Action::of(" run  up home"), Some(up));
        for wrong in ["", "run", "run up", "run up a b", "reboot"] {
            assert_eq!(Action::of(wrong), None, "{wrong}");
        }
    }
}
