//! `bramble workstation disconnect`.

use super::connect::{is_set, remove};
use super::platform::{LinkDns, Platform, Programs, Run};
use super::record::{Record, Route};
use super::{hosts, need_root};
use crate::args::Global;
use crate::context::load_file;
use crate::error::CliError;
use crate::printer::Printer;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Takes away what `connect` has set, whatever the cluster file says by now.
pub fn run(
    global: &Global,
    name: Option<String>,
    platform: &dyn Platform,
    printer: &Printer,
) -> Result<(), CliError> {
    let cluster = name.map_or_else(|| load_file(&global.file, printer).map(|c| c.name), Ok)?;
    // A record's name is the file's.
    if !cluster
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    {
        return Err(CliError::usage(format!(
            "{cluster:?} is the name of no cluster"
        )));
    }
    need_root("disconnect")?;
    let record = Record::read(&cluster)?;
    let known = record.is_some();
    let record = record.unwrap_or_default();
    let present = platform.routes()?;
    let mut routes: Vec<&Route> = Vec::new();
    for route in record.routes.iter().filter(|r| is_set(r, &present)) {
        Programs.run(&platform.delete(route.to, route.via))?;
        routes.push(route);
    }
    let bytes = hosts::read()?;
    let without = hosts::without(&bytes, &cluster, record.line_break)?;
    if let Some(bytes) = &without {
        hosts::write(Path::new(hosts::PATH), bytes)?;
    }
    let files: Vec<&PathBuf> = record.files.iter().filter(|f| f.exists()).collect();
    for path in &files {
        remove(path)?;
        // The folder may hold others.
        let _ = path.parent().map(std::fs::remove_dir);
    }
    // What somebody else has told an interface since then stays.
    let told = record.links.iter().filter(|l| platform.touches_link(l));
    let links: Vec<&LinkDns> = told.collect();
    for program in links.iter().flat_map(|l| platform.unset_link(l)) {
        Programs.run(&program)?;
    }
    if let (false, Some(then)) = (files.is_empty(), platform.reload()) {
        Programs.run(&then)?;
    }
    Record::remove(&cluster)?;
    if printer.json() {
        printer.value(&json!({
            "cluster": cluster, "routes": routes, "hosts": without.is_some(), "files": files,
            "interfaces": links.iter().map(|l| &l.device).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    for route in routes {
        printer.out(format!("route to {} by {}: gone", route.to, route.via));
    }
    if without.is_some() {
        printer.out(format!("{}: the names of {cluster} are gone", hosts::PATH));
    }
    for path in &files {
        printer.out(format!("{}: gone", path.display()));
    }
    for link in links {
        printer.out(format!("DNS by {}: as it was before", link.device));
    }
    if !known && without.is_none() {
        printer.out(format!(
            "this computer is not connected to {cluster}: nothing to do"
        ));
    }
    Ok(())
}
