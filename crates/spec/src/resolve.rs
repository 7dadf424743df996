//! From the file as written to the validated cluster: defaults filled in, every rule checked.
//!
//! One file for each part of the rules. They all report into one [`Resolver`] and carry on with a
//! stand-in after an error, so that one run finds everything; the stand-ins never get out, because
//! a cluster is handed over only if nothing was reported.

mod care;
mod disks;
mod endpoint;
mod etcd;
mod extras;
mod folders;
mod hooks;
mod machines;
mod network;
mod pods;
mod router;
mod ssh;
mod units;
mod upgrade;
mod users;

use crate::Context;
use crate::cluster::{Cluster, Role};
use crate::file::{API_VERSION, File, KIND, Spec};
use crate::problem::{Place, Problem};
use crate::shape::{Seg, nearest};
use crate::syntax;
use crate::tree::{Data, Node, shorten};
use machines::Known;
use std::collections::HashMap;

/// With fewer workers than that, control planes run ordinary pods too: they would be most of the
/// machines, and idle.
const FEW_WORKERS: usize = 3;

/// A path into the file.
macro_rules! route {
    ($($seg:expr),* $(,)?) => { Vec::from([$($crate::shape::Seg::from($seg)),*]) };
}
pub(crate) use route;

pub(crate) struct Resolver<'a> {
    root: &'a Node,
    spec: &'a Spec,
    context: &'a Context<'a>,
    damaged: &'a [Vec<Seg>],
    problems: Vec<Problem>,
}

/// Resolves a file; the tree says where things are, `damaged` what the shape check took out.
///
/// Returns a cluster that is to be used only if there are no problems, here or before.
pub(crate) fn resolve(
    file: &File,
    root: &Node,
    damaged: &[Vec<Seg>],
    context: &Context<'_>,
) -> (Option<Cluster>, Vec<Problem>) {
    let empty = Spec::default();
    let mut resolver = Resolver {
        root,
        spec: file.spec.as_ref().unwrap_or(&empty),
        context,
        damaged,
        problems: Vec::new(),
    };
    let name = resolver.header(file);
    // Without a section `spec` every further complaint would be about its absence.
    let cluster = file.spec.is_some().then(|| resolver.cluster(name));
    (cluster, resolver.problems)
}

/// Whether this is some other kind of object altogether, where further complaints would be noise.
pub(crate) fn foreign(root: &Node) -> Option<Problem> {
    let text = |key: &str| {
        root.get(key).and_then(|e| match &e.value.data {
            Data::Text(text) => Some((text.as_str(), e.value.place)),
            _ => None,
        })
    };
    let (version, _) = text("apiVersion")?;
    let (kind, place) = text("kind")?;
    if version.starts_with("bramble.dev/") || kind == KIND && !version.contains('/') {
        return None;
    }
    Some(
        Problem::new(
            "not-a-cluster-file",
            place,
            format!(
                "this is a `{}` of `{}`, not a cluster of Bramble",
                shorten(kind),
                shorten(version)
            ),
        )
        .hint(format!(
            "a cluster file has `apiVersion: {API_VERSION}` and `kind: {KIND}`; manifests go to `addons` as {{name, manifests}}"
        )),
    )
}

impl Resolver<'_> {
    fn cluster(&mut self, name: String) -> Cluster {
        let mut kubernetes = self.kubernetes();
        let mut network = self.network(&name);
        let mut known = self.known_machines();
        self.roles(&known);
        self.lan6_needs_router(&known);
        let sides = self.sides(&network, &mut known);
        let vip = self.endpoint(&mut kubernetes, &known);
        self.plan_addresses(&mut network, &mut known, vip, sides.as_ref());
        self.ranges(&network, &kubernetes, &known);
        self.check_addresses(&network, &kubernetes, &known);
        self.check_vip(&network, &kubernetes, &known, vip);
        let pod_network = self.pod_network(&network, &known);
        let pod_ranges = self.pod_ranges(&network, &mut kubernetes, &known, &pod_network);
        let router = sides.map(|sides| self.router(&network, &kubernetes, &known, &sides));
        let sshs = self.ssh(&known, router.as_ref());
        let machines = self.machines(known, pod_ranges, sshs);
        kubernetes.schedule_on_control_plane = self
            .spec
            .kubernetes
            .as_ref()
            .and_then(|k| k.schedule_on_control_plane)
            .unwrap_or_else(|| {
                machines.iter().filter(|m| m.is(Role::Worker)).count() < FEW_WORKERS
            });
        let addons = self.addons();
        Cluster {
            etcd: self.etcd(&name),
            name,
            network,
            router,
            kubernetes,
            runtime: self.runtime(),
            pod_network,
            time: self.time(),
            proxy: self.proxy(),
            mirrors: self.mirrors(),
            users: self.users(),
            hooks: self.hooks(&machines),
            addons,
            machines,
        }
    }

    fn header(&mut self, file: &File) -> String {
        if let Some(version) = &file.api_version
            && version != API_VERSION
        {
            self.report(
                "api-version",
                &route!["apiVersion"],
                format!("`apiVersion: {}` isn't known", shorten(version)),
                format!("this release of Bramble reads `{API_VERSION}`"),
            );
        }
        if let Some(kind) = &file.kind
            && kind != KIND
        {
            self.report(
                "kind",
                &route!["kind"],
                format!("`kind: {}` isn't known", shorten(kind)),
                format!("write `kind: {KIND}`"),
            );
        }
        let name = file.metadata.as_ref().and_then(|m| m.name.clone());
        let name = name.unwrap_or_default();
        if !name.is_empty() || !self.lost(&route!["metadata", "name"]) {
            self.label(
                &name,
                &route!["metadata", "name"],
                "cluster name",
                "cluster-name",
            );
        }
        name
    }

    /// Where a path is, or the closest part of it that exists.
    fn place(&self, path: &[Seg]) -> Place {
        crate::shape::place(self.root, path)
    }

    /// Where the key at the end of a path is.
    fn key_place(&self, path: &[Seg]) -> Place {
        let place = self.place(path);
        let Some((Seg::Key(last), parents)) = path.split_last() else {
            return place;
        };
        let mut node = self.root;
        for seg in parents {
            let next = match (seg, &node.data) {
                (Seg::Key(key), _) => node.get(key).map(|e| &e.value),
                (Seg::Index(index), Data::List(items)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => return place,
            }
        }
        node.get(last).map_or(place, |e| e.key_place)
    }

    /// Whether the file has something at a path.
    fn written(&self, path: &[Seg]) -> bool {
        let mut node = self.root;
        for seg in path {
            let next = match (seg, &node.data) {
                (Seg::Key(key), _) => node.get(key).map(|e| &e.value),
                (Seg::Index(index), Data::List(items)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => return false,
            }
        }
        true
    }

    /// Whether the shape check took out what was at a path, or something around it.
    fn lost(&self, path: &[Seg]) -> bool {
        self.damaged.iter().any(|d| path.starts_with(d))
    }

    fn report(
        &mut self,
        code: &'static str,
        path: &[Seg],
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let place = self.place(path);
        self.push(Problem::new(code, place, message).hint(hint));
    }

    fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Checks a DNS label.
    fn label(&mut self, text: &str, path: &[Seg], noun: &str, code: &'static str) -> bool {
        if syntax::dns_label(text) {
            return true;
        }
        let rule = "use lower-case letters, digits and hyphens, at most 63, no hyphen at the ends";
        let hint = match syntax::suggest_label(text) {
            Some(better) => format!("{rule}, such as `{better}`"),
            None => rule.to_owned(),
        };
        self.report(
            code,
            path,
            format!("`{}` can't be a {noun}", shorten(text)),
            hint,
        );
        false
    }

    /// Reports values that appear twice; `what` names the kind of value.
    fn duplicates<'b>(
        &mut self,
        code: &'static str,
        what: &str,
        hint: &str,
        values: impl Iterator<Item = (&'b str, Vec<Seg>)>,
    ) {
        let mut seen: HashMap<&str, Vec<Seg>> = HashMap::new();
        for (value, path) in values {
            match seen.get(value) {
                Some(first) => {
                    let first = self.place(first);
                    let problem = Problem::new(
                        code,
                        self.place(&path),
                        format!("the {what} `{}` is given twice", shorten(value)),
                    )
                    .hint(hint)
                    .related(first, "first here");
                    self.push(problem);
                }
                None => {
                    seen.insert(value, path);
                }
            }
        }
    }

    /// The name of a machine, or its index, for messages.
    fn called(known: &Known) -> String {
        match &known.name {
            Some(name) => format!("`{}`", shorten(name)),
            None => format!("machines[{}]", known.index),
        }
    }

    /// "did you mean", or the list of the known.
    fn suggest<'b>(word: &str, known: impl Iterator<Item = &'b str> + Clone) -> String {
        match nearest(word, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let mut all: Vec<_> = known.take(12).collect();
                all.sort_unstable();
                format!("known are: {}", all.join(", "))
            }
        }
    }
}
