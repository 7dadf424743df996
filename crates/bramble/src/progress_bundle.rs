//! Progress of a bundle: bars on a terminal, one line for each stage elsewhere.

use crate::printer::{Printer, Style, paint};
use bramble_bundle::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Shows what happens.
pub struct Progress {
    printer: Printer,
    bars: MultiProgress,
    stage: ProgressBar,
    transfers: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Progress {
    /// For this printer's terminal.
    pub fn new(printer: &Printer) -> Self {
        let (bars, stage) = (MultiProgress::new(), ProgressBar::hidden());
        Self {
            printer: *printer,
            bars,
            stage,
            transfers: Mutex::default(),
        }
    }

    /// Shows an event.
    pub fn tell(&self, event: &Event) {
        match event {
            Event::Stage { name, number, of } => self.stage(&format!("{number}/{of} {name}")),
            Event::StageDone { name, cached, took } => {
                let sign = paint(self.printer.color_err, Style::Green, "✓");
                let took = if *cached {
                    "done before".into()
                } else {
                    format!("{:.1} s", took.as_secs_f64())
                };
                self.say(format!("{sign} {name}, {took}"));
            }
            Event::Output { stage, line } if self.printer.live => {
                self.stage.set_message(format!("{stage}: {line}"));
            }
            Event::Transfer { name, done, total } => self.bytes(name, *done, total.unwrap_or(0)),
            Event::Retry {
                name,
                problem,
                after,
            } => {
                self.say(format!(
                    "  {name}: {problem}; again in {} s",
                    after.as_secs()
                ));
            }
            Event::Waiting { what, limit } => {
                self.say(format!("  waits for {what}, at most {} s", limit.as_secs()));
            }
            _ => {}
        }
    }

    /// Shows how far something is that is measured in bytes; 0 of them in all = unknown.
    pub fn bytes(&self, name: &str, done: u64, total: u64) {
        if !self.printer.live {
            return;
        }
        let mut transfers = self
            .transfers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bar = transfers.entry(name.to_owned()).or_insert_with(|| {
            let bar = self
                .bars
                .add(ProgressBar::new(total).with_style(bar_style()));
            bar.set_message(name.to_owned());
            bar
        });
        bar.set_length(total);
        bar.set_position(done);
        if total > 0 && done >= total {
            bar.finish_and_clear();
            transfers.remove(name);
        }
    }

    /// Takes everything that moves off the terminal.
    pub fn end(&self) {
        self.stage.finish_and_clear();
        let mut transfers = self
            .transfers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for bar in std::mem::take(&mut *transfers).values() {
            bar.finish_and_clear();
        }
    }

    fn stage(&self, text: &str) {
        if !self.printer.live {
            self.printer.note(format!("  {text}"));
            return;
        }
        if self.stage.is_hidden() {
            self.stage.set_style(spinner());
            self.bars.insert(0, self.stage.clone());
            self.stage.enable_steady_tick(Duration::from_millis(120));
        }
        self.stage.set_message(text.to_owned());
    }

    fn say(&self, text: String) {
        self.bars.suspend(|| self.printer.note(text));
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg} {elapsed:>4}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("  {wide_msg} {bytes:>10} of {total_bytes:<10} {bar:20}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
