//! Progress of a run: live lines on a terminal, plain lines elsewhere, JSON lines for programs.

use crate::error::chain;
use crate::printer::{Printer, Style, paint};
use bramble_engine::observe::Unseen;
use bramble_engine::{Event, Happened};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Shows what happens.
pub struct Progress {
    printer: Printer,
    bars: MultiProgress,
    look: ProgressBar,
    seen: Mutex<usize>,
}

impl Progress {
    /// For this printer's terminal.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: *printer,
            bars: MultiProgress::new(),
            look: ProgressBar::hidden(),
            seen: Mutex::new(0),
        }
    }

    fn live(&self) -> bool {
        self.printer.live && !self.printer.json()
    }

    /// The look at all machines begins.
    pub fn looking(&self, machines: usize) {
        if self.live() {
            self.look
                .set_draw_target(indicatif::ProgressDrawTarget::stderr());
            self.look.set_style(spinner());
            self.look
                .set_message(format!("looking at {machines} machines"));
            self.look.enable_steady_tick(Duration::from_millis(120));
        }
    }

    /// A machine was looked at.
    pub fn looked(&self, name: &str, error: Option<&Unseen>) {
        if let Ok(mut seen) = self.seen.lock() {
            *seen += 1;
        }
        // Who waits for a way that is to be made is named with the plan.
        if let Some(error) = error.filter(|e| !matches!(e, Unseen::Closed { .. })) {
            let text = paint(
                self.printer.color_err,
                Style::Red,
                format!("{name} not seen:"),
            );
            self.look
                .suspend(|| self.printer.warn_raw(&format!("{text} {}", chain(error))));
        }
    }

    /// The plan is made.
    pub fn planned(&self) {
        self.look.finish_and_clear();
    }

    /// Shows events until there are no more.
    pub async fn follow(self, mut events: UnboundedReceiver<Event>) {
        let mut lines: BTreeMap<(String, String), ProgressBar> = BTreeMap::new();
        while let Some(event) = events.recv().await {
            if self.printer.json() {
                if let Ok(text) = serde_json::to_string(&event) {
                    self.printer.out(text);
                }
                continue;
            }
            if self.live() {
                self.show_live(&event, &mut lines);
            } else {
                self.show_plain(&event);
            }
        }
        for bar in lines.values() {
            bar.finish_and_clear();
        }
    }

    fn show_live(&self, event: &Event, lines: &mut BTreeMap<(String, String), ProgressBar>) {
        let key = (event.machine.clone(), event.step.clone());
        let head = head(event);
        let bar = |lines: &mut BTreeMap<_, ProgressBar>| {
            lines
                .entry(key.clone())
                .or_insert_with(|| {
                    let bar = self
                        .bars
                        .add(ProgressBar::new_spinner().with_style(spinner()));
                    bar.enable_steady_tick(Duration::from_millis(120));
                    bar
                })
                .clone()
        };
        match &event.what {
            Happened::Started { title } => {
                let what = event
                    .resource
                    .as_deref()
                    .map_or(String::new(), |id| format!("{id}: {title}"));
                bar(lines).set_message(format!("{head} {what}"));
            }
            Happened::Upload { bytes, total } if bytes == total => {
                if let Some(bar) = lines.remove(&key) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
                self.bars.suspend(|| self.show_plain(event));
            }
            Happened::Upload { bytes, total } => {
                bar(lines).set_message(format!(
                    "{head} copies {} of {} MB",
                    bytes / 1_000_000,
                    total / 1_000_000
                ));
            }
            Happened::Waiting { what, .. } => {
                bar(lines).set_message(format!("{head} waits for {what}"))
            }
            Happened::Finished { .. }
            | Happened::Failed { .. }
            | Happened::Skipped { .. }
            | Happened::Answers { .. } => {
                if let Some(bar) = lines.remove(&key) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
                self.bars.suspend(|| self.show_plain(event));
            }
            Happened::Changed { .. } | Happened::Unchanged | Happened::Output { .. } => {}
        }
    }

    /// One line for each step, and all that explains a failure.
    fn show_plain(&self, event: &Event) {
        let color = self.printer.color_err;
        let head = head(event);
        match &event.what {
            Happened::Finished { changes, took } => {
                let s = if *changes == 1 { "" } else { "s" };
                let text = format!("{head} {changes} change{s}, {:.1} s", took.as_secs_f64());
                self.printer
                    .note(format!("{} {text}", paint(color, Style::Green, "✓")));
            }
            Happened::Answers { took } => {
                let text = format!("{head} answers, {:.1} s", took.as_secs_f64());
                self.printer
                    .note(format!("{} {text}", paint(color, Style::Green, "✓")));
            }
            Happened::Upload { bytes, total } if bytes == total => {
                self.printer.note(format!(
                    "{} {head} {} MB, {:.1} s",
                    paint(color, Style::Green, "✓"),
                    total / 1_000_000,
                    event.at.as_secs_f64()
                ));
            }
            Happened::Failed { message, log } => {
                let mut text = format!("{} {head} {message}", paint(color, Style::Red, "✗"));
                for line in log {
                    text.push_str(&format!("\n    {}", paint(color, Style::Dim, line)));
                }
                self.printer.warn_raw(&text);
            }
            Happened::Skipped { because } => {
                self.printer.warn_raw(&format!(
                    "{} {head} left out: {because} did not work out",
                    paint(color, Style::Yellow, "-")
                ));
            }
            Happened::Waiting {
                what,
                since,
                limit: Some(limit),
            } => {
                self.printer.note(format!(
                    "  {head} waits for {what} ({} of at most {} s)",
                    since.as_secs(),
                    limit.as_secs()
                ));
            }
            Happened::Waiting { what, .. } => {
                self.printer.note(format!("  {head} waits for {what}"))
            }
            Happened::Started { title } if event.resource.is_none() => {
                self.printer.note(format!(
                    "  {head} starts{}",
                    if *title == event.step {
                        String::new()
                    } else {
                        format!(": {title}")
                    }
                ));
            }
            _ => {}
        }
    }
}

fn head(event: &Event) -> String {
    let machine = if event.machine.is_empty() {
        "cluster"
    } else {
        &event.machine
    };
    format!("{machine:<12} {:<20}", event.step)
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg} {elapsed:>4}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
