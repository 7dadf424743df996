//! `bramble man`.

use crate::args::{Cli, ManArgs};
use crate::error::{CliError, Explain};
use crate::files;
use crate::printer::Printer;
use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;
use std::path::PathBuf;

/// Prints the main page, or writes the pages of all commands to a folder.
pub fn run(args: &ManArgs, printer: &Printer) -> Result<(), CliError> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        let page = render(&command)?;
        if printer.json() {
            printer.value(&json!({ "page": page }));
        } else {
            printer.raw(&page);
        }
        return Ok(());
    };
    std::fs::create_dir_all(dir).explain(format!("can't make the folder {}", dir.display()))?;
    let mut written: Vec<PathBuf> = Vec::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        let name = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name())
            .to_owned();
        let path = dir.join(format!("{name}.1"));
        files::write(&path, render(&command)?.as_bytes(), 0o644, true)?;
        written.push(path);
        open.extend(
            command
                .get_subcommands()
                .filter(|c| !c.is_hide_set())
                .cloned(),
        );
    }
    written.sort();
    if printer.json() {
        printer.value(&json!({ "pages": written }));
    } else {
        printer.out(format!(
            "{} pages written to {}",
            written.len(),
            dir.display()
        ));
    }
    Ok(())
}

fn render(command: &clap::Command) -> Result<String, CliError> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .explain("the man page")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
