//! Syntax errors of the parser in the words of Bramble.

use crate::problem::{Place, Problem};
use granit_parser::{ErrorKind, ScanError};

/// A syntax error, where it is and what helps. `lines` are those of the file.
pub(super) fn problem(lines: &[&str], error: &ScanError) -> Problem {
    let marker = error.marker();
    let place = Place {
        line: marker.line().max(1),
        column: marker.col() + 1,
        length: 1,
    };
    let mut place = super::inside(lines, place);
    let indented_by_tab = lines.get(place.line - 1).is_some_and(|line| {
        line.chars()
            .take_while(|c| c.is_whitespace())
            .any(|c| c == '\t')
    });
    let tab = matches!(
        error.kind(),
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
    );
    if tab || indented_by_tab {
        if let Some(line) = lines.get(place.line - 1)
            && let Some(at) = line.chars().position(|c| c == '\t')
        {
            place.column = at + 1;
        }
        return Problem::new(
            "yaml-tab",
            place,
            "a tab stands where only spaces may indent",
        )
        .hint("indent with two spaces for each level; most editors can convert tabs");
    }
    Problem::new(
        "yaml-syntax",
        place,
        format!("this is not valid YAML: {}", error.info()),
    )
    .hint(syntax_hint(error.kind()))
}

fn syntax_hint(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => {
            "a quotation mark opened before this place is not closed"
        }
        ErrorKind::UnclosedFlowCollection { open: '[' }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::ExpectedFlowSequenceSeparator => {
            "close the list with `]`, and put a comma between its items"
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator => {
            "close the section with `}`, and put a comma between its keys"
        }
        ErrorKind::MismatchedFlowCollectionEnd { .. } | ErrorKind::MisplacedFlowCollectionEnd => {
            "`[` closes with `]`, `{` with `}`"
        }
        ErrorKind::UnexpectedCharacter { .. } => {
            "text that begins with this character needs quotes"
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            "inside double quotes write a backslash as `\\\\`, or use single quotes"
        }
        ErrorKind::RecursionLimitExceeded => "no cluster file is nested this deep",
        ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidMappingValueWhitespace => {
            "write one `key: value` a line, begun in the same column as its neighbors; text that holds `: ` needs quotes"
        }
        _ => {
            "compare the indentation with the lines above: keys of one section begin in the same column"
        }
    }
}
