//! Rules for hooks and add-ons.

use super::{Resolver, route};
use crate::cluster::{Addon, Hook, HookPoint, Machine};
use crate::file;
use crate::problem::Problem;
use crate::shape::{Seg, nearest};
use crate::syntax;
use crate::tree::shorten;

/// Port of the demo page unless the file says otherwise.
const DEMO_PORT: u16 = 30080;

impl Resolver<'_> {
    pub(super) fn hooks(&mut self, machines: &[Machine]) -> Vec<Hook> {
        let spec = self.spec;
        self.duplicates(
            "duplicate-hook",
            "hook name",
            "each hook needs a name of its own: it is recorded on the machines under it",
            spec.hooks.iter().enumerate().filter_map(|(i, h)| {
                Some((h.name.as_deref()?, route!["spec", "hooks", i, "name"]))
            }),
        );
        spec.hooks
            .iter()
            .enumerate()
            .map(|(i, hook)| self.hook(i, hook, machines))
            .collect()
    }

    fn hook(&mut self, index: usize, hook: &file::Hook, machines: &[Machine]) -> Hook {
        let at = |key: &str| route!["spec", "hooks", index, key];
        let called = match &hook.name {
            Some(name) => {
                self.label(name, &at("name"), "hook name", "hook-name");
                format!("the hook `{}`", shorten(name))
            }
            None => format!("hooks[{index}]"),
        };
        let point = match (&hook.before, &hook.after) {
            (Some(_), Some(_)) => {
                let other = self.key_place(&at("before"));
                let problem = Problem::new(
                    "before-and-after",
                    self.key_place(&at("after")),
                    format!("{called} has both `before` and `after`"),
                )
                .hint("keep one; write a second hook for the other")
                .related(other, "the other one");
                self.push(problem);
                None
            }
            (Some(step), None) => {
                self.step(step, &at("before"));
                Some(HookPoint::Before(step.clone()))
            }
            (None, Some(step)) => {
                self.step(step, &at("after"));
                Some(HookPoint::After(step.clone()))
            }
            (None, None) => {
                if !self.lost(&at("before")) && !self.lost(&at("after")) {
                    self.report(
                        "hook-without-step",
                        &at("name"),
                        format!("{called} doesn't say when it runs"),
                        "add `before:` or `after:` with the name of a step, such as `after: base`",
                    );
                }
                None
            }
        };
        let unsure =
            self.lost(&route!["spec", "machines"]) || machines.iter().any(|m| m.name.is_empty());
        for (i, name) in hook.machines.iter().enumerate() {
            if unsure || machines.iter().any(|m| m.name == *name) {
                continue;
            }
            self.report(
                "unknown-machine",
                &route!["spec", "hooks", index, "machines", i],
                format!(
                    "{called} names the machine `{}`, which isn't in this file",
                    shorten(name)
                ),
                Self::suggest(name, machines.iter().map(|m| m.name.as_str())),
            );
        }
        for (key, text) in [("check", &hook.check), ("run", &hook.run)] {
            if text.as_ref().is_some_and(|t| t.trim().is_empty()) {
                let (code, hint) = if key == "run" {
                    ("empty-run", "write the shell program, or remove the hook")
                } else {
                    (
                        "empty-check",
                        "write a command that succeeds once the hook has run, such as `test -e /etc/issue.net`; without it the hook would run every time",
                    )
                };
                self.report(
                    code,
                    &at(key),
                    format!("`{key}` of {called} is empty"),
                    hint,
                );
            }
        }
        for (key, text) in [
            ("check", &hook.check),
            ("run", &hook.run),
            ("undo", &hook.undo),
        ] {
            if text.as_ref().is_some_and(|t| t.contains('\0')) {
                self.report(
                    "nul-in-program",
                    &at(key),
                    format!("`{key}` of {called} holds a NUL character"),
                    "no shell can read that: remove it",
                );
            }
        }
        Hook {
            name: hook.name.clone().unwrap_or_default(),
            at: point.unwrap_or(HookPoint::After(String::new())),
            machines: hook.machines.clone(),
            check: hook.check.clone().unwrap_or_default(),
            run: hook.run.clone().unwrap_or_default(),
            undo: hook.undo.clone().unwrap_or_default(),
            limit: hook.limit.unwrap_or(600),
        }
    }

    fn step(&mut self, step: &str, path: &[Seg]) {
        if !syntax::step(step) {
            self.report(
                "bad-step",
                path,
                format!("`{}` can't be the name of a step", shorten(step)),
                "a step is called such as `base` or `control-plane/init`",
            );
            return;
        }
        let known = self.context.known_steps;
        if step == "nodes" || step.starts_with("addon/") {
            self.report(
                "step-without-machine",
                path,
                format!(
                    "`{}` runs in the cluster's API, where no shell is",
                    shorten(step)
                ),
                "hang the hook on a step of machines; the last one is `worker/join`",
            );
            return;
        }
        if known.is_empty() || known.contains(&step) {
            return;
        }
        let hint = match nearest(step, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are: {}", known.join(", ")),
        };
        self.report(
            "unknown-step",
            path,
            format!("there is no step `{}`", shorten(step)),
            hint,
        );
    }

    pub(super) fn addons(&mut self) -> Vec<Addon> {
        let spec = self.spec;
        let mut out: Vec<Addon> = Vec::new();
        let mut places: Vec<Vec<Seg>> = Vec::new();
        for (i, addon) in spec.addons.iter().enumerate() {
            let whole = route!["spec", "addons", i];
            let at = |key: &str| route!["spec", "addons", i, key];
            let (addon, path) = match addon {
                file::Addon::Name(file::BuiltIn::Demo) => (
                    Addon::Demo {
                        node_port: DEMO_PORT,
                    },
                    whole,
                ),
                file::Addon::Settings(settings) => {
                    let Some(name) = &settings.name else { continue };
                    match self.addon(name, settings, i) {
                        Some(addon) => (addon, at("name")),
                        None => continue,
                    }
                }
            };
            if let Some(first) = out.iter().position(|a| a.name() == addon.name()) {
                let problem = Problem::new(
                    "duplicate-addon",
                    self.place(&path),
                    format!("the add-on `{}` is given twice", shorten(addon.name())),
                )
                .hint("remove one, or give your manifests another name")
                .related(self.place(&places[first]), "first here");
                self.push(problem);
            }
            out.push(addon);
            places.push(path);
        }
        out
    }

    fn addon(&mut self, name: &str, settings: &file::AddonSettings, index: usize) -> Option<Addon> {
        let at = |key: &str| route!["spec", "addons", index, key];
        let demo = name == "demo";
        match &settings.manifests {
            Some(_) if demo => {
                self.report(
                    "reserved-addon",
                    &at("name"),
                    "`demo` is a built-in add-on and takes no manifests",
                    "give your manifests another name",
                );
                None
            }
            Some(path) => {
                self.label(name, &at("name"), "name of an add-on", "addon-name");
                self.path_value(path, &at("manifests"));
                if settings.node_port.is_some() {
                    let problem = Problem::new(
                        "option-of-other-addon",
                        self.key_place(&at("nodePort")),
                        format!(
                            "`nodePort` means nothing to manifests of your own (`{}`)",
                            shorten(name)
                        ),
                    )
                    .hint("remove it: the port stands in the manifests");
                    self.push(problem);
                }
                Some(Addon::Manifests {
                    name: name.to_owned(),
                    path: path.clone(),
                })
            }
            None if demo => Some(Addon::Demo {
                node_port: settings.node_port.unwrap_or(DEMO_PORT),
            }),
            None => {
                if !self.lost(&at("manifests")) {
                    let hint = match nearest(name, ["demo"].into_iter()) {
                        Some(near) => format!(
                            "did you mean `{near}`? Manifests of your own need `manifests: path`"
                        ),
                        None => "built-in is: demo. Manifests of your own need `manifests: path`"
                            .to_owned(),
                    };
                    self.report(
                        "unknown-addon",
                        &at("name"),
                        format!("there is no built-in add-on `{}`", shorten(name)),
                        hint,
                    );
                }
                None
            }
        }
    }
}
