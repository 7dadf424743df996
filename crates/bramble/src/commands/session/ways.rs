//! Machines that can be reached only once another one lets them through.

use bramble_engine::plan::{FORGET, Obstacle, Scope};
use bramble_engine::ways::{self, Ways};
use bramble_engine::{Look, Plan};

/// What the plan does on the way to a machine comes before what it does there. A machine that was not
/// reached because its way is made by this plan is left for later.
pub(super) fn order(plan: &mut Plan, look: &Look, scope: &Scope, all: &Ways) {
    for (name, why) in &look.unseen {
        let Some(way) = all.get(name) else { continue };
        if why.is_unreachable() && scope.machine(name) && ways::opens(plan, way) {
            plan.unreachable.remove(name);
            plan.later.insert(name.clone(), way.through.clone());
        }
    }
    plan.remarks.extend(remark(plan));
    ways::first(plan, all);
}

fn remark(plan: &Plan) -> Option<String> {
    let through = plan.later.values().next()?;
    let names: Vec<&str> = plan.later.keys().map(String::as_str).collect();
    let names = names.join(", ");
    Some(format!(
        "behind {through}, looked at once it lets them through: {names}"
    ))
}

/// The way to a machine goes last, and not at all while something of Bramble stays behind it.
pub(super) fn order_teardown(plan: &mut Plan, look: &Look, all: &Ways) {
    for through in all.values().map(|w| &w.through) {
        let closes = |plan: &Plan| {
            let mut ways = all.values().filter(|w| w.through == *through);
            ways.any(|w| ways::opens(plan, w))
        };
        let left = left_behind(plan, look, all, through);
        if left.is_empty() || !closes(plan) {
            continue;
        }
        plan.machines.remove(through);
        plan.obstacles.push(Obstacle {
            machine: through.clone(),
            message: format!("{} behind it would stay, and be cut off", left.join(", ")),
            hint:
                "take all of it down, or the machines behind it first: bramble down --machine NAME"
                    .into(),
        });
    }
    ways::last(plan, all);
}

/// Machines behind one that this plan does not take down whole.
fn left_behind<'a>(plan: &Plan, look: &'a Look, all: &'a Ways, through: &str) -> Vec<&'a str> {
    let goes = |name: &str| {
        let steps = plan.machines.get(name).map(|m| &m.steps);
        steps.is_some_and(|steps| steps.iter().any(|s| s.name == FORGET))
    };
    let ours = |name: &String| {
        let cluster = look.seen.get(name).map(|seen| &seen.journal.cluster);
        cluster.is_some_and(|c| c.as_ref() == Some(&plan.cluster))
    };
    all.iter()
        .filter(|(name, way)| way.through == through && ours(name) && !goes(name))
        .map(|(name, _)| name.as_str())
        .collect()
}
