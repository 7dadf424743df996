//! The operator's own programs before and after a step.

use crate::context::{On, r};
use bramble_machine::kinds::{Action, Check};
use bramble_machine::{Script, Step};
use bramble_spec::cluster::{Hook, HookPoint};
use std::time::Duration;

/// The step with its hooks around it.
pub(super) fn around(on: &On, mut step: Step) -> Step {
    for hook in &on.cluster().hooks {
        if !hook.machines.is_empty() && !hook.machines.contains(&on.machine.name) {
            continue;
        }
        match &hook.at {
            HookPoint::Before(name) if name == step.name => {
                let at = step
                    .resources
                    .iter()
                    .take_while(|r| r.id().starts_with("action:hook-"))
                    .count();
                step.resources.insert(at, r(action(hook)));
            }
            HookPoint::After(name) if name == step.name => step.resources.push(r(action(hook))),
            _ => {}
        }
    }
    step
}

fn action(hook: &Hook) -> Action {
    let mut action = Action::new(
        format!("hook-{}", hook.name),
        format!("hook {}", hook.name),
        Check::Succeeds(hook.check.clone()),
        Script::of(hook.run.clone()),
    )
    .undone_by(hook.undo.clone());
    action.limit = Duration::from_secs(u64::from(hook.limit));
    action
}
