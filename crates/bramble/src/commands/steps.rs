//! `bramble steps`.

use crate::printer::{Printer, Style};
use serde_json::{Value, json};

/// Lists all steps in order.
pub fn run(printer: &Printer) {
    let steps: Vec<(&str, &str)> = bramble_blueprint::step_names().collect();
    if printer.json() {
        let list: Vec<Value> = steps
            .iter()
            .map(|(name, title)| json!({ "name": name, "title": title }))
            .collect();
        printer.value(&list);
        return;
    }
    let width = steps.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, title) in steps {
        printer.out(format!(
            "{}  {title}",
            printer.paint(Style::Cyan, format!("{name:width$}"))
        ));
    }
}
