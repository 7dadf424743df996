//! Columns that line up, with colors that don't count.

use crate::printer::{Printer, Style};

/// A cell: text and how it is painted.
pub struct Cell(String, Option<Style>);

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(text, None)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(text.to_owned(), None)
    }
}

/// A painted cell.
pub fn cell(style: Style, text: impl Into<String>) -> Cell {
    Cell(text.into(), Some(style))
}

/// Rows as lines, each column as wide as its longest cell.
pub fn lines(printer: &Printer, rows: &[Vec<Cell>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|r| r.get(column))
            .map(|c| c.0.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<Cell>| {
        let mut out = String::new();
        for (i, (Cell(text, style), width)) in row.iter().zip(&widths).enumerate() {
            match style {
                Some(style) => out.push_str(&printer.paint(*style, text)),
                None => out.push_str(text),
            }
            if i + 1 < row.len() {
                out.push_str(&" ".repeat(width - text.chars().count() + 2));
            }
        }
        out.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
