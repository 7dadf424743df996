//! Questions on the terminal: Ctrl-C leaves with 130, no terminal is said to be missing.

use crate::error::{CliError, Kind};
use crate::printer::Printer;
use inquire::InquireError;
use std::io::IsTerminal;

/// Whether somebody is there to answer.
pub fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The error of a question that was not answered.
pub fn unanswered(error: InquireError) -> CliError {
    match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            CliError::silent(Kind::Interrupted)
        }
        InquireError::NotTTY => CliError::usage("a question needs a terminal to be answered"),
        other => CliError::failed(format!("the question could not be asked: {other}")),
    }
}

/// Goes on only if `word` is typed, or if `yes`. `what` says what is about to happen, as a sentence
/// without its end.
pub fn confirm(printer: &Printer, yes: bool, what: &str, word: &str) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !possible() {
        return Err(CliError::usage(format!("this must be confirmed: {what}")).hint("say --yes"));
    }
    printer.note(what);
    let answer = inquire::Text::new(&format!("Type {word} to go on:"))
        .prompt()
        .map_err(unanswered)?;
    if answer.trim() == word {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "that is not {word:?}; nothing was changed"
    )))
}
