//! `bramble schema`.

use crate::printer::Printer;

/// Prints the JSON schema of the cluster file.
pub fn run(printer: &Printer) {
    printer.value(&bramble_spec::schema());
}
