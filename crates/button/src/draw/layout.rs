//! Which line of text goes where, in which font.

use super::WIDTH;
use crate::text::ELLIPSIS;
use embedded_graphics::mono_font::MonoFont;
use embedded_graphics::mono_font::ascii::{FONT_5X8, FONT_6X10, FONT_7X13, FONT_9X15};
use heapless::Vec;

/// The fonts, by size.
const FONTS: [&MonoFont<'static>; 4] = [&FONT_5X8, &FONT_6X10, &FONT_7X13, &FONT_9X15];

/// One of the fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Font(usize);

/// What stands in one row.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    pub(super) text: &'a str,
    pub(super) font: Font,
    /// The upper edge, in pixels from the top.
    pub(super) top: u32,
    /// Whether an ellipsis follows: there was more.
    pub(super) cut: bool,
}

/// As many rows of the smallest font as the panel has.
const ROWS: usize = 8;
type Rows<'a> = Vec<Row<'a>, ROWS>;

impl Font {
    pub(super) const SMALLEST: Self = Self(0);

    pub(super) fn glyphs(self) -> &'static MonoFont<'static> {
        FONTS[self.0]
    }

    pub(super) fn width(self) -> u32 {
        self.glyphs().character_size.width
    }

    fn height(self) -> u32 {
        self.glyphs().character_size.height
    }

    /// Characters in a row.
    fn columns(self) -> usize {
        (WIDTH / self.width()) as usize
    }

    /// The largest font, but no larger than this one, in which a line fits into one row; else the smallest.
    fn fitting(self, line: &str) -> Self {
        let sizes = (0..=self.0).rev().map(Self);
        sizes
            .filter(|font| line.len() <= font.columns())
            .max()
            .unwrap_or(Self::SMALLEST)
    }
}

/// Lines of printable ASCII as rows within a height, in the middle of it.
pub(super) fn rows<'a>(lines: &[&'a str], height: u32) -> Rows<'a> {
    let largest = (0..FONTS.len()).rev().map(Font);
    let fonts = largest
        .clone()
        .find(|largest| needed(lines, *largest) <= height)
        .unwrap_or(Font::SMALLEST);
    let mut rows = Rows::new();
    for (at, line) in lines.iter().enumerate() {
        let font = fonts.fitting(line);
        // Every line that follows gets one row at least.
        let used: u32 = rows.iter().map(|row| row.font.height()).sum();
        let kept = needed_for_one_row_each(&lines[at + 1..], fonts);
        let room = height.saturating_sub(used + kept) / font.height();
        break_line(line, font, room as usize, &mut rows);
    }
    place(&mut rows, height);
    rows
}

/// The height of all lines, broken where they must be.
fn needed(lines: &[&str], largest: Font) -> u32 {
    let height = |line: &&str| {
        let font = largest.fitting(line);
        count(line, font) as u32 * font.height()
    };
    lines.iter().map(height).sum()
}

fn needed_for_one_row_each(lines: &[&str], largest: Font) -> u32 {
    let height = |line: &&str| largest.fitting(line).height();
    lines.iter().map(height).sum()
}

fn count(line: &str, font: Font) -> usize {
    let mut rest = line;
    let mut rows = 0;
    while !rest.is_empty() {
        (_, rest) = split(rest, font);
        rows += 1;
    }
    rows
}

/// Breaks a line into at most `room` rows.
fn break_line<'a>(line: &'a str, font: Font, room: usize, rows: &mut Rows<'a>) {
    let mut rest = line;
    for left in (0..room).rev() {
        if rest.is_empty() {
            return;
        }
        let (mut text, after) = split(rest, font);
        let cut = left == 0 && !after.is_empty();
        if cut {
            let kept = font.columns() - ELLIPSIS.len();
            text = text.get(..kept).unwrap_or(text);
        }
        rest = after;
        let row = Row {
            text,
            font,
            top: 0,
            cut,
        };
        if rows.push(row).is_err() {
            return;
        }
    }
}

/// The first row of a text, and the rest. Breaks after a space or between the parts of a name, but not so early that
/// more rows are needed than without: names have a limited length, and so they always fit.
fn split(text: &str, font: Font) -> (&str, &str) {
    let columns = font.columns();
    if text.len() <= columns {
        return (text, "");
    }
    let full_rows_after = text.len().div_ceil(columns) - 1;
    let spaced = text.contains(' ');
    let earliest = if spaced {
        1
    } else {
        text.len() - full_rows_after * columns
    };
    let separators: &[char] = if spaced {
        &[' ']
    } else {
        &['-', '.', ':', '/']
    };
    let reach = (columns + usize::from(spaced)).min(text.len());
    let at = text
        .get(..reach)
        .and_then(|start| start.rfind(separators))
        .map(|at| at + 1)
        .filter(|at| *at >= earliest)
        .unwrap_or(columns);
    match text.split_at_checked(at) {
        Some((row, rest)) => (row.trim_end(), rest.trim_start()),
        None => (text, ""),
    }
}

/// Sets rows one below the other, what is left of the height shared out above, between and below.
fn place(rows: &mut Rows<'_>, height: u32) {
    let used: u32 = rows.iter().map(|row| row.font.height()).sum();
    let gap = height.saturating_sub(used) / (rows.len() as u32 + 1);
    let between = gap.min(4);
    let block = used + between * (rows.len() as u32).saturating_sub(1);
    let mut top = height.saturating_sub(block) / 2;
    for row in rows {
        row.top = top;
        top += row.font.height() + between;
    }
}
