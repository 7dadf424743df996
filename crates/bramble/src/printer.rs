//! The one place that writes to the terminal.

use crate::args::Global;
use crate::error::{CliError, Kind};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Why standard output did not take a result, the first time.
static LOST: OnceLock<String> = OnceLock::new();

/// Remembers that a result could not be written: what is at work goes on, and says so in the end. A closed pipe is no
/// error: the reader has seen enough.
pub fn wrote(result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first reason is the one that counts.
        let _ = LOST.set(error.to_string());
    }
}

/// What there is to say if a result could not be written.
pub fn lost() -> Option<CliError> {
    let why = LOST.get()?;
    Some(
        CliError::failed(format!("standard output can't be written: {why}"))
            .hint("the result is not whole: give it another place, and run the command again"),
    )
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document (or one line for each event of a run).
    Json,
}

/// Writes results to standard output and everything else to standard error.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// How results are written.
    pub output: Output,
    /// Less is said.
    pub quiet: bool,
    /// Colors on standard output.
    pub color: bool,
    /// Colors on standard error.
    pub color_err: bool,
    /// Standard error is a terminal: progress may move the cursor.
    pub live: bool,
}

/// A style of the terminal.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    /// Additions, success.
    Green,
    /// Removals, failure.
    Red,
    /// Changes, waiting.
    Yellow,
    /// Headings.
    Bold,
    /// What is less important.
    Dim,
    /// References.
    Cyan,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Green => "32",
            Style::Red => "31",
            Style::Yellow => "33",
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Cyan => "36",
        }
    }
}

/// The text in a style, or plain.
pub fn paint(color: bool, style: Style, text: impl Display) -> String {
    if color {
        format!("\x1b[{}m{text}\x1b[0m", style.code())
    } else {
        text.to_string()
    }
}

impl Printer {
    /// As the arguments, the environment (`NO_COLOR`, `TERM`) and the terminal ask for.
    pub fn new(global: &Global) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let terminal = io::stderr().is_terminal();
        Self {
            output: global.output,
            quiet: global.quiet,
            color: wanted && io::stdout().is_terminal() && global.output == Output::Text,
            color_err: wanted && terminal,
            live: wanted && terminal && !global.quiet,
        }
    }

    /// For what there is to say before the arguments are known.
    pub fn plain() -> Self {
        Self {
            output: Output::Text,
            quiet: false,
            color: false,
            color_err: false,
            live: false,
        }
    }

    /// Whether results are JSON.
    pub fn json(&self) -> bool {
        self.output == Output::Json
    }

    /// A result, to standard output.
    pub fn out(&self, text: impl Display) {
        wrote(writeln!(io::stdout().lock(), "{text}"));
    }

    /// A result without a line break at its end.
    pub fn raw(&self, text: &str) {
        let mut out = io::stdout().lock();
        wrote(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// A result as JSON.
    pub fn value(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.out(text),
            Err(error) => self.note(format!("this result has no JSON form: {error}")),
        }
    }

    /// A result as one line of JSON, where lines follow each other.
    pub fn line(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.out(text),
            Err(error) => self.note(format!("this result has no JSON form: {error}")),
        }
    }

    /// Something beside the result, to standard error; not said when quiet.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// A warning, to standard error.
    pub fn warn(&self, text: impl Display) {
        let word = paint(self.color_err, Style::Yellow, "warning:");
        let _ = writeln!(io::stderr().lock(), "{word} {text}");
    }

    /// Text that brings its own form, to standard error.
    pub fn warn_raw(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
    }

    /// The same for text that goes to standard error: its colors are those of that stream.
    #[must_use]
    pub fn to_stderr(mut self) -> Self {
        self.color = self.color_err;
        self
    }

    /// Text in a style for standard output.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        paint(self.color, style, text)
    }

    /// Says what went wrong and gives the exit code.
    pub fn fail(&self, error: &CliError) -> ExitCode {
        // What has lost a part of a result is not given more that looks like one.
        if self.json() && !error.message.is_empty() && LOST.get().is_none() {
            self.value(&serde_json::json!({
                "error": error.message, "hints": error.hints, "exitCode": error.kind.code(),
            }));
        }
        let mut err = io::stderr().lock();
        if !error.message.is_empty() {
            let word = paint(self.color_err, Style::Red, "error:");
            let _ = writeln!(err, "{word} {}", error.message);
        }
        for hint in &error.hints {
            let _ = writeln!(
                err,
                "{} {hint}",
                paint(self.color_err, Style::Cyan, "hint:")
            );
        }
        if error.kind == Kind::Interrupted && error.message.is_empty() {
            let _ = writeln!(err, "interrupted");
        }
        ExitCode::from(error.kind.code())
    }
}
