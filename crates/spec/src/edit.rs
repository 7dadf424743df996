//! Changes of a cluster file's text that leave the rest of it as somebody has written it. Pure.
//!
//! What comes out loads, and differs from what went in by the machines that it is about and by nothing
//! else; else nothing comes out.

use crate::cluster::{Machine, Role};
use crate::draft::{quoted, scalar};
use crate::problem::Problems;
use crate::tree::{self, Data, Node};
use crate::{Cluster, Context, file};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

/// A changed text and what it means.
#[derive(Debug, Clone)]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// What it says.
    pub cluster: Cluster,
}

/// Why a text was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// What would come out is no cluster file.
    #[error("the file would not be valid any more")]
    Invalid(Problems),
    /// The entry is written in a way that no program should touch.
    #[error("the entry of {0} can't be told from the text around it")]
    Form(String),
    /// Machines without a fixed address or range would get other ones.
    #[error("{machine} would get the {what} {new} instead of {old}")]
    Moves {
        /// The machine.
        machine: String,
        /// `address`, `pod range`.
        what: &'static str,
        /// The key that fixes it.
        key: &'static str,
        /// What it has.
        old: String,
        /// What it would get.
        new: String,
    },
}

/// A machine to put into the file. What is `None` or empty is left to the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMachine {
    /// Host name.
    pub name: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Login name.
    pub ssh_user: Option<String>,
    /// Labels of its node.
    pub labels: BTreeMap<String, String>,
}

/// The file without the entries of some machines. Comments above and between entries stay.
///
/// # Errors
/// [`EditError`]; nothing is half done.
pub fn without(
    file_name: &str,
    text: &str,
    names: &[String],
    context: &Context<'_>,
) -> Result<Edited, EditError> {
    let mut new = text.to_owned();
    for name in names {
        let form = || EditError::Form(name.clone());
        let root = tree::parse(&new).0.ok_or_else(form)?;
        let list = machines(&root).ok_or_else(form)?;
        let cuts = cuts(&new, list, name).ok_or_else(form)?;
        // From the back, so that places before it stay right.
        for cut in cuts.into_iter().rev() {
            new.replace_range(cut, "");
        }
    }
    let is_kept = |machine: &file::Machine| {
        let name = machine.name.as_ref();
        !name.is_some_and(|name| names.contains(name))
    };
    checked(file_name, text, new, context, names, |old, new| {
        let kept: Vec<_> = old.into_iter().filter(is_kept).collect();
        kept == new
    })
}

/// The file with one more machine, after the last one and written like it.
///
/// # Errors
/// [`EditError`]; nothing is half done.
pub fn with(
    file_name: &str,
    text: &str,
    machine: &NewMachine,
    context: &Context<'_>,
) -> Result<Edited, EditError> {
    let form = || EditError::Form(machine.name.clone());
    let root = tree::parse(text).0.ok_or_else(form)?;
    let list = machines(&root).ok_or_else(form)?;
    let new = appended(text, list, machine).ok_or_else(form)?;
    let names = std::slice::from_ref(&machine.name);
    checked(file_name, text, new, context, names, |old, mut new| {
        new.pop();
        old == new
    })
}

/// What comes out, if it differs only in these machines.
fn checked(
    file_name: &str,
    old: &str,
    new: String,
    context: &Context<'_>,
    names: &[String],
    same: impl Fn(Vec<file::Machine>, Vec<file::Machine>) -> bool,
) -> Result<Edited, EditError> {
    let cluster = crate::load_with(file_name, &new, context).map_err(EditError::Invalid)?;
    let form = || EditError::Form(names.join(", "));
    let (mut before, mut after) = written(old).zip(written(&new)).ok_or_else(form)?;
    let (mine, theirs) = (machines_in(&mut before), machines_in(&mut after));
    if before != after || !same(mine, theirs) {
        return Err(form());
    }
    if let Ok(was) = crate::load_with(file_name, old, context) {
        let others = was.machines.iter().filter(|m| !names.contains(&m.name));
        for machine in others {
            if let Some(now) = cluster.machine(&machine.name) {
                stays(machine, now)?;
            }
        }
    }
    Ok(Edited { text: new, cluster })
}

/// The file as its types have it.
fn written(text: &str) -> Option<file::File> {
    let root = tree::parse(text).0?;
    serde_json::from_value(root.to_json()).ok()
}

fn machines_in(file: &mut file::File) -> Vec<file::Machine> {
    let spec = file.spec.as_mut();
    spec.map(|spec| std::mem::take(&mut spec.machines))
        .unwrap_or_default()
}

/// Addresses and ranges that the plan gives depend on the other machines.
fn stays(was: &Machine, now: &Machine) -> Result<(), EditError> {
    let moves = |what, key, old: Option<String>, new: Option<String>| EditError::Moves {
        machine: was.name.clone(),
        what,
        key,
        old: old.unwrap_or_default(),
        new: new.unwrap_or_default(),
    };
    let text = |range: &Machine| range.pod_range.map(|r| r.to_string());
    if was.address != now.address {
        let [old, new] = [was, now].map(|m| Some(m.address.to_string()));
        return Err(moves("address", "address", old, new));
    }
    if was.pod_range != now.pod_range {
        return Err(moves("pod range", "podRange", text(was), text(now)));
    }
    Ok(())
}

/// The list of machines, where it stands in the text.
fn machines(root: &Node) -> Option<&Node> {
    let list = &root.get("spec")?.value.get("machines")?.value;
    (!list.extent.alias).then_some(list)
}

fn items(list: &Node) -> &[Node] {
    match &list.data {
        Data::List(items) => items,
        _ => &[],
    }
}

/// What of the text goes with an entry, in the order of the text.
fn cuts(text: &str, list: &Node, name: &str) -> Option<Vec<Range<usize>>> {
    let items = items(list);
    let named = |item: &Node| {
        let name_of = item.get("name").map(|entry| &entry.value.data);
        matches!(name_of, Some(Data::Text(text)) if text == name)
    };
    let at = items.iter().position(named)?;
    if list.extent.flow {
        flow_cuts(text, list, at)
    } else {
        let dash = dash(text, items, at)?;
        let end = trimmed(text, items[at].extent.end);
        let lines = line_start(text, dash)..next_line(text, end);
        Some(vec![lines])
    }
}

/// Where the dash of an item stands.
fn dash(text: &str, items: &[Node], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map_or(0, |at| items[at].extent.end);
    let mut start = line_start(text, items[at].extent.start);
    loop {
        let line = &text[start..next_line(text, start)];
        let indent = line.len() - line.trim_start().len();
        let marked = line.trim_start().starts_with('-');
        if marked && start + indent < items[at].extent.start && start + indent >= before {
            return Some(start + indent);
        }
        start = line_start(text, start.checked_sub(1).filter(|at| *at >= before)?);
    }
}

/// An entry of a list in brackets goes with one comma.
fn flow_cuts(text: &str, list: &Node, at: usize) -> Option<Vec<Range<usize>>> {
    let items = items(list);
    let own = items[at].extent;
    let behind = items
        .get(at + 1)
        .map_or(list.extent.end - 1, |next| next.extent.start);
    if let Some(comma) = comma(text, own.end..behind) {
        return Some(vec![with_its_line(text, own.start..comma + 1)]);
    }
    let before = items[at.checked_sub(1)?].extent.end;
    let comma = comma(text, before..own.start)?;
    let between = &text[comma + 1..own.start];
    let closed = text[own.end..next_line(text, own.end)]
        .trim_start()
        .starts_with(']');
    if between.trim().is_empty() && (closed || !between.contains('\n')) {
        let cut = comma..own.end;
        return Some(vec![cut]);
    }
    Some(vec![
        comma..comma + 1,
        with_its_line(text, own.start..own.end),
    ])
}

/// The first comma that is in no comment.
fn comma(text: &str, within: Range<usize>) -> Option<usize> {
    let mut comment = false;
    let mut blank = true;
    for (at, c) in text.get(within.clone())?.char_indices() {
        match c {
            '\n' => comment = false,
            '#' if blank => comment = true,
            ',' if !comment => return Some(within.start + at),
            _ => {}
        }
        blank = c.is_whitespace();
    }
    None
}

/// A cut that takes the whole line if nothing else is on it but a comment behind.
fn with_its_line(text: &str, cut: Range<usize>) -> Range<usize> {
    let start = line_start(text, cut.start);
    let end = next_line(text, cut.end);
    let rest = text[cut.end..end].trim_start();
    if text[start..cut.start].trim().is_empty() && (rest.is_empty() || rest.starts_with('#')) {
        return start..end;
    }
    let spaces = text[cut.end..end].len() - text[cut.end..end].trim_start_matches(' ').len();
    cut.start..cut.end + spaces
}

/// The text with an entry after the last one.
fn appended(text: &str, list: &Node, machine: &NewMachine) -> Option<String> {
    let items = items(list);
    let at = items.len().checked_sub(1)?;
    let last = &items[at];
    let broken = match text.contains("\r\n") {
        true => "\r\n",
        false => "\n",
    };
    let end = trimmed(text, last.extent.end);
    let mut out = text.to_owned();
    if !list.extent.flow {
        let dash = dash(text, items, at)?;
        let indent = &text[line_start(text, dash)..dash];
        // An anchor or a tag before the entry, or an entry on the line below its dash, is no example.
        let gap = text.get(dash + 1..last.extent.start);
        let gap = gap.filter(|gap| !gap.is_empty() && gap.chars().all(|c| c == ' '));
        let gap = gap.unwrap_or(" ");
        let entry = match last.extent.flow {
            true => format!("{indent}-{gap}{}", braced(text, last, machine)),
            false => {
                let deeper = format!("{broken}{indent} {gap}");
                format!("{indent}-{gap}{}", lines(machine).join(&deeper))
            }
        };
        let at = next_line(text, end);
        let begun = match text[..at].ends_with('\n') {
            true => "",
            false => broken,
        };
        out.insert_str(at, &format!("{begun}{entry}{broken}"));
        return Some(out);
    }
    let entry = braced(text, last, machine);
    let line = line_start(text, last.extent.start);
    let indent = &text[line..last.extent.start];
    if !indent.trim().is_empty() {
        out.insert_str(end, &format!(", {entry}"));
        return Some(out);
    }
    // Each on a line of its own: what is written behind the last one stays behind it.
    let comma = comma(text, end..list.extent.end - 1);
    let behind = next_line(text, end);
    let closes = list.extent.end - 1 < behind;
    let (at, entry) = match (closes, comma) {
        (true, Some(comma)) => (comma + 1, format!(" {entry}")),
        (true, None) => (end, format!(",{broken}{indent}{entry}")),
        (false, Some(_)) => (behind, format!("{indent}{entry},{broken}")),
        (false, None) => (behind, format!("{indent}{entry}{broken}")),
    };
    out.insert_str(at, &entry);
    if comma.is_none() && !closes {
        out.insert(end, ',');
    }
    Some(out)
}

/// An entry's keys, a line each.
fn lines(machine: &NewMachine) -> Vec<String> {
    let roles: Vec<_> = machine.roles.iter().map(|role| role.as_str()).collect();
    let mut out = vec![
        format!("name: {}", scalar(&machine.name)),
        format!("roles: [{}]", roles.join(", ")),
    ];
    if let Some(address) = machine.address {
        out.push(format!("address: {}", scalar(&address.to_string())));
    }
    if let Some(mac) = &machine.mac {
        out.push(format!("mac: {}", quoted(mac)));
    }
    if !machine.labels.is_empty() {
        let labels = machine.labels.iter();
        // Values such as `true` and `1` are text here.
        let labels: Vec<_> = labels
            .map(|(key, value)| format!("{}: {}", scalar(key), scalar(value)))
            .collect();
        out.push(format!("labels: {{ {} }}", labels.join(", ")));
    }
    if let Some(user) = &machine.ssh_user {
        out.push(format!("ssh: {{ user: {} }}", scalar(user)));
    }
    out
}

/// An entry in braces, with the blanks that the example has in its own.
fn braced(text: &str, example: &Node, machine: &NewMachine) -> String {
    let blank = match text[example.extent.start..].starts_with("{ ") {
        true => " ",
        false => "",
    };
    format!("{{{blank}{}{blank}}}", lines(machine).join(", "))
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line after a place begins.
fn next_line(text: &str, at: usize) -> usize {
    text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline + 1)
}

/// An end without the blanks and line breaks before it.
fn trimmed(text: &str, end: usize) -> usize {
    text[..end].trim_end().len()
}

#[cfg(test)]
mod tests;
