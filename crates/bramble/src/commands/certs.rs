//! `bramble certs`: how long certificates last, new ones, new CAs.

mod places;
mod renew;
mod rotate;
mod status;

use crate::args::{CertsAction, Global};
use crate::error::CliError;
use crate::printer::Printer;

/// Runs one of the actions.
pub async fn run(global: &Global, action: CertsAction, printer: &Printer) -> Result<(), CliError> {
    match action {
        CertsAction::Status => status::run(global, printer).await,
        CertsAction::Renew { machines, dry_run } => {
            renew::run(global, &machines, dry_run, printer).await
        }
        CertsAction::RotateCa {
            yes,
            until_trusted,
            dry_run,
        } => {
            let how = rotate::How {
                yes,
                until_trusted,
                dry_run,
            };
            rotate::run(global, how, printer).await
        }
    }
}
