//! `bramble ccp`: clusters that Cisco Container Platform makes.

mod file;
mod kubeconfig;
mod run;
mod tell;

use crate::args::{CcpAction, Global};
use crate::ask;
use crate::error::{CliError, Kind, chain};
use crate::printer::Printer;
use crate::table::{self, Cell};
use bramble_ccp::{Client, Cluster, Error, FileError};

/// Runs one of the actions.
pub async fn run(global: &Global, action: CcpAction, printer: &Printer) -> Result<(), CliError> {
    let loaded = file::load(&global.file, printer)?;
    let client = Client::new(loaded.access.clone(), loaded.file.pace)?;
    match action {
        CcpAction::Up { yes: _ } => run::up(&client, &loaded, printer).await,
        CcpAction::Down { yes } => {
            let (name, url) = (&loaded.file.name, &loaded.file.url);
            let what =
                format!("the cluster {name} of {url} will be deleted with all that is on it");
            ask::confirm(printer, yes, &what, name)?;
            run::down(&client, &loaded, printer).await
        }
        CcpAction::List => list(&client.clusters().await?, printer),
        CcpAction::Ranges => ranges(&client.clusters().await?, printer),
    }
}

fn list(clusters: &[Cluster], printer: &Printer) -> Result<(), CliError> {
    let range = |cluster: &Cluster| cluster.range.clone().unwrap_or_default();
    if printer.json() {
        let all: Vec<_> = clusters
            .iter()
            .map(|cluster| {
                serde_json::json!({
                    "name": cluster.name, "state": cluster.state, "machines": cluster.machines.len(),
                    "plugin": cluster.plugin, "range": cluster.range, "host": cluster.host,
                    "description": cluster.description,
                })
            })
            .collect();
        printer.value(&all);
        return Ok(());
    }
    let head = ["NAME", "STATE", "MACHINES", "RANGE", "DESCRIPTION"].map(Cell::from);
    let mut rows = vec![Vec::from(head)];
    rows.extend(clusters.iter().map(|cluster| {
        vec![
            shown(&cluster.name),
            shown(&cluster.state),
            Cell::from(cluster.machines.len().to_string()),
            shown(&range(cluster)),
            shown(&cluster.description),
        ]
    }));
    print(&rows, printer);
    Ok(())
}

fn ranges(clusters: &[Cluster], printer: &Printer) -> Result<(), CliError> {
    let all = bramble_ccp::ranges(clusters);
    if printer.json() {
        printer.value(&all);
        return Ok(());
    }
    let mut rows = vec![Vec::from(["RANGE", "CLUSTER", "PLUGIN"].map(Cell::from))];
    rows.extend(
        all.iter()
            .map(|r| vec![shown(&r.range), shown(&r.cluster), shown(&r.plugin)]),
    );
    print(&rows, printer);
    Ok(())
}

/// A text of the platform: control characters would move the terminal's cursor.
fn shown(text: &str) -> Cell {
    Cell::from(text.replace(char::is_control, " "))
}

fn print(rows: &[Vec<Cell>], printer: &Printer) {
    for line in table::lines(printer, rows) {
        printer.out(line);
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Unreachable { .. } => Kind::Unreachable,
            Error::Stopped => Kind::Interrupted,
            Error::Setup { .. } | Error::Login { .. } => Kind::Usage,
            _ => Kind::Failed,
        };
        let out = CliError::new(kind, chain(&error));
        match error.hint() {
            Some(hint) => out.hint(hint),
            None => out,
        }
    }
}

/// What is wrong with a file.
fn wrong(path: &std::path::Path, error: &FileError) -> CliError {
    CliError::usage(format!("{}: {error}", path.display()))
        .hint("docs/ccp.md shows a whole file, and how a template is captured")
}
