//! The operator's own programs before and after a step.

use super::belongs;
use crate::context::{On, r};
use bramble_machine::kinds::{Action, Check};
use bramble_machine::shell::word;
use bramble_machine::{MachineBlueprint, Resource, Script, Step};
use bramble_spec::cluster::{Hook, HookPoint};
use std::collections::BTreeMap;
use std::time::Duration;

/// The steps with their hooks around them. A hook may name a step, or all steps whose names begin
/// alike: `base` is from the first to the last of `base/...`.
pub(super) fn around(on: &On, steps: &mut [Step]) {
    for hook in &on.cluster().hooks {
        if !hook.machines.is_empty() && !hook.machines.contains(&on.machine.name) {
            continue;
        }
        match &hook.at {
            HookPoint::Before(name) => {
                if let Some(step) = steps.iter_mut().find(|s| belongs(s.name, name)) {
                    let resources = &mut step.resources;
                    let hooks = resources.iter().take_while(|r| is_hook(r.as_ref()));
                    let at = hooks.count();
                    resources.insert(at, r(action(hook)));
                }
            }
            HookPoint::After(name) => {
                if let Some(step) = steps.iter_mut().rfind(|s| belongs(s.name, name)) {
                    step.resources.push(r(action(hook)));
                }
            }
        }
    }
}

/// A remark for each hook on a step that none of its machines has, as `pod-network/custom` with another
/// plug-in: it never runs.
pub(super) fn idle(hooks: &[Hook], machines: &BTreeMap<String, MachineBlueprint>) -> Vec<String> {
    let runs = |hook: &Hook| {
        let id = format!("action:hook-{}", hook.name);
        let mut resources = machines
            .values()
            .flat_map(|m| &m.steps)
            .flat_map(|s| &s.resources);
        resources.any(|r| r.id() == id)
    };
    let idle = hooks.iter().filter(|hook| !runs(hook));
    idle.map(|hook| {
        let (HookPoint::Before(step) | HookPoint::After(step)) = &hook.at;
        format!(
            "the hook {} never runs: none of its machines has the step {step}",
            hook.name
        )
    })
    .collect()
}

fn is_hook(resource: &dyn Resource) -> bool {
    resource.id().starts_with("action:hook-")
}

fn action(hook: &Hook) -> Action {
    let mut action = Action::new(
        format!("hook-{}", hook.name),
        format!("hook {}", hook.name),
        Check::Succeeds(apart("", &hook.check)),
        Script::of(apart("set -e\n", &hook.run)),
    );
    if !hook.undo.trim().is_empty() {
        action = action.undone_by(apart("set -e\n", &hook.undo));
    }
    action.shows = Some(format!("{}\n", hook.run.trim_end()));
    action.limit = Duration::from_secs(u64::from(hook.limit));
    action
}

/// The program in a subshell that reads it as one word: a quote that it leaves open ends with it, and
/// does not swallow the rest of the machine's program. Not `sh -c`, which would show it to everybody
/// as an argument.
fn apart(first: &str, program: &str) -> String {
    format!("( eval {} )", word(format!("{first}{program}")))
}
