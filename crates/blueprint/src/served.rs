//! Images of the bundle in the store of the router's registry: copied to the router once, and put where
//! the registry finds them.

use crate::registry;
use bramble_bundle::index::{Image, ImageName};
use bramble_machine::kinds::{Undo, action};
use bramble_machine::shell::{word, words};
use bramble_machine::{
    Change, HOME, Observation, PlanError, Query, Resource, ResourceId, Script, Upload, Verb,
};
use bramble_spec::cluster::Arch;
use std::collections::BTreeSet;
use std::time::Duration;

/// An image by its name, for all processors that machines of the cluster have.
#[derive(Debug, Clone)]
pub struct Served {
    /// Folder of what the registry holds.
    pub store: String,
    /// The image's name.
    pub name: ImageName,
    /// What must be there, one for each processor. What the tag has for others stays: a machine that was
    /// not looked at this time may need it.
    pub images: Vec<Image>,
}

impl Served {
    fn list(&self) -> String {
        let store = word(&self.store);
        format!("S={store}\n{}", include_str!("served_list.sh"))
    }

    fn tag(&self) -> String {
        format!("{}:{}", self.name.stored(), self.name.tag)
    }

    /// Digests that the tag leads to.
    fn found<'a>(&self, seen: &'a Observation) -> BTreeSet<&'a str> {
        let tag = self.tag();
        let text = seen.printed(&self.list()).map_or("", |p| p.text.as_str());
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines
            .filter(|(name, _)| *name == tag)
            .map(|(_, d)| d)
            .collect()
    }

    fn undo(&self) -> Undo {
        let store = word(&self.store);
        let repository = word(self.name.stored());
        let (tag, config) = (word(&self.name.tag), registry::config(registry::BUNDLE));
        // Not while a push writes there. Where the whole registry goes, its configuration is gone by now, and the rest follows.
        let program = format!(
            "r={store}/docker/registry/v2/repositories/{repository}\n\
             rm -rf -- \"$r/_manifests/tags/\"{tag}\n\
             [ -n \"$(ls -A \"$r/_manifests/tags\" 2>/dev/null)\" ] || rm -rf -- \"$r\"\n\
             [ ! -e {config} ] || flock -w 600 /run/bramble/push.lock docker-registry garbage-collect {config} >/dev/null || :"
        );
        Undo::Action(action::Undo {
            name: self.id(),
            title: format!("{} in the router's registry", self.tag()),
            program,
            destroys: None,
        })
    }
}

fn staged(image: &Image) -> String {
    format!("{HOME}/blobs/{}", image.sha256)
}

fn bare(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

fn arch(image: &Image) -> &'static str {
    Arch::as_str(image.arch)
}

impl Resource for Served {
    fn id(&self) -> ResourceId {
        format!("served:{}", self.tag())
    }

    fn wants(&self, _seen: &Observation) -> Vec<Query> {
        vec![Query::Command(self.list())]
    }

    fn plan(&self, seen: &Observation) -> Result<Option<Change>, PlanError> {
        let found = self.found(seen);
        // After an interruption nothing is believed.
        let pending = seen.journal.pending(&self.id());
        let lacks = |image: &&Image| pending || !found.contains(image.image_digest.as_str());
        let missing: Vec<&Image> = self.images.iter().filter(lacks).collect();
        if missing.is_empty() {
            return Ok(None);
        }
        let mut apply = Script::of(format!(
            "S={} R={} T={}",
            word(&self.store),
            word(self.name.stored()),
            word(&self.name.tag)
        ));
        apply.extend(&Script::of(include_str!("served_take.sh")));
        for image in &missing {
            apply.line(format!(
                "take {} {}",
                staged(image),
                bare(&image.image_digest)
            ));
        }
        let entries = self.images.iter();
        let entries = entries.flat_map(|i| [arch(i), bare(&i.image_digest)]);
        apply.line(format!("settle {}", words(entries)));
        apply.line("tag \"$top\"");
        let size: u64 = missing.iter().map(|image| image.size).sum();
        let archs: Vec<&str> = missing.iter().map(|image| arch(image)).collect();
        let summary = format!(
            "take in ({}, {} MB)",
            archs.join(", "),
            size.div_ceil(1_000_000)
        );
        let mut change = Change::new(Verb::Create, summary, apply, self.undo());
        change.uploads = missing
            .iter()
            .map(|image| Upload {
                sha256: image.sha256.clone(),
                size: image.size,
                to: staged(image),
            })
            .collect();
        change.limit = Duration::from_secs(900);
        Ok(Some(change))
    }
}
