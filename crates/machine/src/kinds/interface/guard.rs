//! How a change that nobody confirms is taken back by the machine itself, where the record knows the
//! interface already: its files are as they were a moment ago, and those whose files they are take them up.
//! That may be another manager than the new one, and another interface.

use super::live::Links;
use super::undo::{Part, Undo};
use crate::Script;
use crate::program::original_path;
use crate::shell::word;

pub(super) struct Guard<'a> {
    role: &'a str,
    /// What the change makes.
    new: &'a Part,
    /// What the record holds; one part of it may be about the same as the new one.
    recorded: &'a [Part],
    links: &'a Links,
}

impl<'a> Guard<'a> {
    pub(super) fn new(
        role: &'a str,
        new: &'a Part,
        recorded: Option<&'a Undo>,
        links: &'a Links,
    ) -> Self {
        Self {
            role,
            new,
            recorded: recorded.map_or(&[], |u| &u.parts),
            links,
        }
    }

    /// All files of both, and the originals: what is undone in between takes them back, and they are needed
    /// for a later undo.
    pub(super) fn paths(&self) -> Vec<String> {
        let parts = || self.recorded.iter().chain([self.new]);
        let mut out: Vec<String> = Vec::new();
        for path in parts().flat_map(Part::paths) {
            if !out.iter().any(|p| p == path) {
                out.push(path.to_owned());
            }
        }
        let others = self.recorded.iter().filter(|p| !p.same(self.new));
        let originals: Vec<String> = others.flat_map(Part::paths).map(original_path).collect();
        for path in originals {
            if !out.contains(&path) {
                out.push(path);
            }
        }
        out
    }

    /// Before the files are back.
    pub(super) fn before(&self) -> Script {
        self.new.stop()
    }

    /// Once they are.
    pub(super) fn then(&self) -> Script {
        let mut script = Script::of(format!("I={}", word(&self.new.name)));
        script.extend(&self.new.let_go());
        if !self.new.up {
            script.line("ip link set dev \"$I\" down 2>/dev/null || :");
        }
        for part in self.recorded {
            // Which of them counted a moment ago is to be seen by the files, which name the interface.
            let files: Vec<String> = part.paths().map(|p| word(p).to_string()).collect();
            if !files.is_empty() {
                let (name, files) = (word(&part.name), files.join(" "));
                script.line(format!("if grep -qswF -e {name} {files}; then"));
            }
            script.extend(&self.had(part));
            script.extend(&part.take_up(self.role));
            if !files.is_empty() {
                script.line("fi");
            }
        }
        for part in self.recorded.iter().chain([self.new]) {
            let (old, gateway) = self.seen(&part.name);
            if !old.is_empty() {
                script.line(format!("I={}", word(&part.name)));
                script.extend(&part.give_back(&old, gateway));
            }
        }
        script
    }

    /// Variables for those who take an interface up.
    fn had(&self, part: &Part) -> Script {
        let (old, gateway) = self.seen(&part.name);
        Script::of(format!(
            "I={} A={} G={}",
            word(&part.name),
            word(old.join(" ")),
            word(gateway.unwrap_or_default())
        ))
    }

    /// Addresses and next router of an interface a moment ago.
    fn seen(&self, name: &str) -> (Vec<String>, Option<&str>) {
        let link = self.links.get(name).into_iter();
        let old = link.flat_map(|l| l.lasting().map(str::to_owned)).collect();
        let mut ways = self.links.ways.iter();
        let way = ways.find(|(other, _)| other == name);
        (old, way.map(|(_, gateway)| gateway.as_str()))
    }
}
