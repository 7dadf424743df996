//! What is wrong with a file, and how it is shown.

use serde::Serialize;
use std::fmt::Write as _;

/// A place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In characters, at least 1, never past the end of the line.
    pub length: usize,
}

/// Another place that a problem speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is there.
    pub note: String,
}

/// One thing that is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable name of the kind of problem, in kebab case.
    pub code: &'static str,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Underlined characters, at least 1.
    pub length: usize,
    /// One sentence without a final stop.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Other places that matter, such as the first of two duplicates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Problem {
    /// A problem at a place.
    pub(crate) fn new(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Problem {
            code,
            line: place.line,
            column: place.column,
            length: place.length.max(1),
            message: message.into(),
            hint: None,
            related: Vec::new(),
        }
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds another place.
    pub(crate) fn related(mut self, place: Place, note: impl Into<String>) -> Self {
        self.related.push(Related {
            place,
            note: note.into(),
        });
        self
    }

    fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.column,
            length: self.length,
        }
    }
}

/// Everything that is wrong with a file, in the order of its lines. Never empty.
///
/// Serializes as `{"file": ..., "problems": [...]}`, without the text of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems {
    file: String,
    #[serde(skip)]
    text: String,
    problems: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Characters of a source line shown at most; longer ones are cut around the place.
const WINDOW: usize = 140;

struct Colors {
    error: &'static str,
    bold: &'static str,
    frame: &'static str,
    help: &'static str,
    off: &'static str,
}

const PLAIN: Colors = Colors {
    error: "",
    bold: "",
    frame: "",
    help: "",
    off: "",
};
const ANSI: Colors = Colors {
    error: "\x1b[1;31m",
    bold: "\x1b[1m",
    frame: "\x1b[1;34m",
    help: "\x1b[1;36m",
    off: "\x1b[0m",
};

impl Problems {
    pub(crate) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|p| (p.line, p.column));
        Problems {
            file: file.to_owned(),
            text: text.to_owned(),
            problems,
        }
    }

    /// The file's name as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The problems, by line and column.
    pub fn list(&self) -> &[Problem] {
        &self.problems
    }

    /// The problems with their source lines, underlined, as rustc shows them. Ends with a newline.
    ///
    /// Passwords inside URLs are masked in the source lines, control characters replaced.
    pub fn render(&self, color: bool) -> String {
        let colors = if color { &ANSI } else { &PLAIN };
        let lines: Vec<&str> = self.text.lines().collect();
        let mut out = String::new();
        for problem in &self.problems {
            self.render_one(&mut out, problem, &lines, colors);
            out.push('\n');
        }
        let count = self.problems.len();
        let _ = writeln!(
            out,
            "{}error{}{}: {} has {count} problem{}{}",
            colors.error,
            colors.off,
            colors.bold,
            clean(&self.file),
            if count == 1 { "" } else { "s" },
            colors.off
        );
        out
    }

    fn render_one(&self, out: &mut String, problem: &Problem, lines: &[&str], c: &Colors) {
        let mut marks: Vec<(Place, &str, bool)> = vec![(problem.place(), "", true)];
        for related in &problem.related {
            marks.push((related.place, &related.note, false));
        }
        marks.sort_by_key(|(place, _, main)| (place.line, !main, place.column));
        let last = marks.last().map_or(1, |(place, _, _)| place.line);
        let width = last.to_string().len();

        let _ = writeln!(
            out,
            "{}error[{}]{}{}: {}{}",
            c.error,
            problem.code,
            c.off,
            c.bold,
            clean(&problem.message),
            c.off
        );
        let _ = writeln!(
            out,
            "{:width$}{}-->{} {}:{}:{}",
            "",
            c.frame,
            c.off,
            clean(&self.file),
            problem.line,
            problem.column
        );
        let _ = writeln!(out, "{:width$} {}|{}", "", c.frame, c.off);
        let mut before: Option<usize> = None;
        for (place, note, main) in marks {
            let Some(line) = lines.get(place.line.wrapping_sub(1)) else {
                continue;
            };
            let masked = mask_passwords(line);
            let (shown, offset) = window(&masked, place.column);
            if before != Some(place.line) {
                if before.is_some_and(|b| b + 1 < place.line) {
                    let _ = writeln!(out, "{}...{}", c.frame, c.off);
                }
                let _ = writeln!(
                    out,
                    "{}{:>width$} |{} {}",
                    c.frame,
                    place.line,
                    c.off,
                    clean(&shown).trim_end()
                );
            }
            before = Some(place.line);
            let indent = place.column.saturating_sub(offset + 1).min(WINDOW + 8);
            let room = (shown.chars().count() + 1).saturating_sub(indent).max(1);
            let length = place.length.clamp(1, room);
            let (sign, paint) = if main { ("^", c.error) } else { ("-", c.frame) };
            let space = if note.is_empty() { "" } else { " " };
            let _ = writeln!(
                out,
                "{:width$} {}|{} {:indent$}{paint}{}{space}{}{}",
                "",
                c.frame,
                c.off,
                "",
                sign.repeat(length),
                clean(note),
                c.off
            );
        }
        if let Some(hint) = &problem.hint {
            let _ = writeln!(out, "{:width$} {}|{}", "", c.frame, c.off);
            for (i, line) in hint.lines().enumerate() {
                if i == 0 {
                    let _ = writeln!(out, "{}help{}: {}", c.help, c.off, clean(line));
                } else {
                    let _ = writeln!(out, "      {}", clean(line));
                }
            }
        }
    }
}

/// One character for each character, so that columns stay right: a file can't steer the terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            // Overrides of the writing direction could make a line look like another one.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The part of a long line around a column (from 1), and how many characters were cut before it.
fn window(line: &str, column: usize) -> (String, usize) {
    let count = line.chars().count();
    if count <= WINDOW {
        return (line.to_owned(), 0);
    }
    let start = column.saturating_sub(WINDOW / 2).min(count - WINDOW);
    (line.chars().skip(start).take(WINDOW).collect(), start)
}

/// Replaces the password of `scheme://user:password@host` by asterisks of the same length.
fn mask_passwords(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let mut out = chars.clone();
    let mut i = 0;
    while i + 2 < chars.len() {
        if chars[i..i + 3] != [':', '/', '/'] {
            i += 1;
            continue;
        }
        let start = i + 3;
        let end = chars[start..]
            .iter()
            .position(|c| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | ',' | ']' | '}'))
            .map_or(chars.len(), |n| start + n);
        let authority = &chars[start..end];
        if let Some(at) = authority.iter().rposition(|c| *c == '@')
            && let Some(colon) = authority[..at].iter().position(|c| *c == ':')
        {
            out[start + colon + 1..start + at].fill('*');
        }
        i = end.max(i + 3);
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_and_columns_kept() {
        assert_eq!(
            mask_passwords("http: http://anna:secret@proxy:3128 # x"),
            "http: http://anna:******@proxy:3128 # x"
        );
        assert_eq!(mask_passwords("a://b c:d@e"), "a://b c:d@e");
        assert_eq!(mask_passwords("://"), "://");
    }

    #[test]
    fn a_file_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[31m\tb"), "a\u{fffd}[31m b");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let (shown, offset) = window(&line, 501);
        assert_eq!(shown.chars().nth(500 - offset), Some('X'));
        assert_eq!(shown.chars().count(), WINDOW);
    }
}
