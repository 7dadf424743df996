//! What `plan`, `up` and `down` share: look, plan, run.

use crate::args::{Global, ScopeArgs};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::kube_place::{Compared, KubePlace};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::stop;
use bramble_engine::identity;
use bramble_engine::observe::Unseen;
use bramble_engine::plan::{self, ApiPlan, Obstacle, Scope};
use bramble_engine::run::Means;
use bramble_engine::{ApiPlace, Look, Outcome, Plan};
use bramble_machine::journal::Identity;
use bramble_machine::step::StepRef;
use bramble_machine::{Blueprint, Observation};
use bramble_spec::Cluster;
use bramble_spec::cluster::{Machine, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How often machines are looked at that change meanwhile.
const LOOKS: usize = 3;

/// A look at the machines, what they should be, and the difference.
pub struct Session {
    /// The look, with its open connections.
    pub look: Look,
    /// What should be.
    pub blueprint: Blueprint,
    /// The difference.
    pub plan: Plan,
    place: KubePlace,
}

/// Looks and plans.
pub async fn prepare(
    context: &Context,
    global: &Global,
    scope: &ScopeArgs,
    down: bool,
    progress: &Progress,
) -> Result<Session, CliError> {
    let scope = checked(context, scope)?;
    if let Some((what, remedy)) = bramble_blueprint::limits(&context.cluster)
        .into_iter()
        .next()
    {
        return Err(CliError::usage(what).hint(remedy));
    }
    if !down {
        crate::hooks::check(&context.cluster).await?;
    }
    if !down && context.cluster.machines.iter().any(|m| m.is_node()) {
        context.need_bundle()?;
    }
    let fleet = context.fleet(global);
    let targets = context.targets(&[])?;
    let nothing = |_: &BTreeMap<_, _>| Blueprint::default();
    let whole = |facts: &BTreeMap<_, _>| context.blueprint(facts);
    progress.looking(targets.len());
    let on = |name: &str, error: Option<&_>| progress.looked(name, error);
    let look = if down {
        bramble_engine::observe(&fleet, &targets, &nothing, &on).await
    } else {
        bramble_engine::observe(&fleet, &targets, &whole, &on).await
    };
    let blueprint = context.blueprint(&look.facts());
    let place = KubePlace::new(&context.cluster);
    let plan = if down {
        away(context, &look, &scope, &place).await?
    } else {
        towards(context, &blueprint, &look, &scope, &place).await?
    };
    progress.planned();
    Ok(Session {
        look,
        blueprint,
        plan,
        place,
    })
}

/// Does it again where a machine was changed between the look and the lock, as it is where a run was
/// cut off a moment ago and its last program was still at work.
pub async fn settled<F>(printer: &Printer, once: impl Fn() -> F) -> Result<(), CliError>
where
    F: Future<Output = Result<(), CliError>>,
{
    for _ in 1..LOOKS {
        match once().await {
            Err(error) if error.kind == Kind::Stale => {
                printer.note(format!("{}: looking again", error.message));
            }
            done => return done,
        }
    }
    once().await
}

/// Carries the plan out, with progress; gives the outcome.
pub async fn carry_out(
    context: &Context,
    global: &Global,
    session: &Session,
    what: &str,
    progress: Progress,
    printer: &Printer,
) -> Result<Outcome, CliError> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let note = *printer;
    let stop = stop::listen(move || {
        note.note("\nstopping after the running steps; press Ctrl-C again to leave at once");
    });
    let shown = tokio::spawn(progress.follow(receiver));
    let blob = |sha256: &str| match &context.bundle {
        Some(bundle) => bundle.blob_path(sha256),
        None => PathBuf::new(),
    };
    let targets = context.targets(&[])?;
    let fresh = || context.fleet(global);
    let means = Means {
        targets: &targets,
        fresh: &fresh,
        sessions: &session.look.sessions,
        facts: &session.blueprint.facts,
        blob: &blob,
        api: Some(&session.place as &dyn ApiPlace),
        holder: holder(what),
        anchor: anchor(context),
        events: sender,
        stop,
    };
    let outcome = bramble_engine::run(&session.plan, means).await;
    let _ = shown.await;
    outcome.map_err(locked)
}

/// The error that an outcome ends the command with, if it does.
pub fn verdict(session: &Session, outcome: &Outcome, printer: &Printer) -> Result<(), CliError> {
    told(ending(session, outcome), printer)
}

/// In JSON the result has said it already: one document, and the exit code.
fn told(result: Result<(), CliError>, printer: &Printer) -> Result<(), CliError> {
    result.map_err(|error| {
        if printer.json() {
            CliError::silent(error.kind)
        } else {
            error
        }
    })
}

fn ending(session: &Session, outcome: &Outcome) -> Result<(), CliError> {
    if !outcome.failed.is_empty() {
        let places: Vec<String> = outcome.failed.iter().map(|(m, s, _)| place(m, s)).collect();
        return Err(
            CliError::failed(format!("failed: {}", places.join(", "))).hint(
                "run the same command again once the cause is mended: it goes on where it stopped",
            ),
        );
    }
    if outcome.stopped {
        return Err(
            CliError::new(Kind::Interrupted, "stopped before everything was done")
                .hint("run the same command again: it goes on where it stopped"),
        );
    }
    reached(session)
}

/// The outcome as the last line of JSON.
pub fn report(session: &Session, outcome: &Outcome, printer: &Printer) {
    let places = |all: &[(String, String)]| -> Vec<serde_json::Value> {
        all.iter()
            .map(|(m, s)| serde_json::json!({ "machine": m, "step": s }))
            .collect()
    };
    let failed: Vec<_> = outcome
        .failed
        .iter()
        .map(|(m, s, why)| serde_json::json!({ "machine": m, "step": s, "message": why }))
        .collect();
    printer.line(&serde_json::json!({
        "event": "end",
        "changes": outcome.changes,
        "failed": failed,
        "skipped": places(&outcome.skipped),
        "stopped": outcome.stopped,
        "unreachable": session.plan.unreachable,
        "obstacles": session.plan.obstacles,
        "took": bramble_engine::event::seconds(outcome.took),
    }));
}

/// An error if a machine was not seen or can't be changed.
pub fn unreachable(session: &Session, printer: &Printer) -> Result<(), CliError> {
    told(reached(session), printer)
}

fn reached(session: &Session) -> Result<(), CliError> {
    if !session.plan.obstacles.is_empty() {
        return Err(CliError::silent(Kind::Failed));
    }
    if session.plan.unreachable.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = session
        .plan
        .unreachable
        .keys()
        .map(String::as_str)
        .collect();
    let unseen = &session.look.unseen;
    if !unseen.values().any(Unseen::is_unreachable) {
        // They answer, so asking whether they do would not help.
        return Err(CliError::failed(format!(
            "not looked at: {}",
            names.join(", ")
        )));
    }
    Err(CliError::new(
        Kind::Unreachable,
        format!("not reached: {}", names.join(", ")),
    )
    .hint("`bramble fleet ping` shows which machines answer"))
}

/// `base/hosts on two`.
pub fn place(machine: &str, step: &str) -> String {
    if machine.is_empty() {
        step.to_owned()
    } else {
        format!("{step} on {machine}")
    }
}

fn locked(error: bramble_engine::lock::LockError) -> CliError {
    use bramble_engine::lock::LockError;
    let text = crate::error::chain(&error);
    match error {
        LockError::Busy { machine, .. } => CliError::new(Kind::Locked, text)
            .hint("wait until that run is over; nothing was changed")
            .hint(format!(
                "if its computer is gone for good: bramble unlock {machine}"
            )),
        LockError::Stale { .. } => {
            CliError::new(Kind::Stale, text).hint("run the command again; nothing was changed")
        }
        LockError::LeftOver { .. } => CliError::new(Kind::Locked, text).hint(
            "a program of an earlier run is still at work there; wait, or restart the machine",
        ),
        _ => CliError::failed(text),
    }
}

/// Who holds the lock, for others.
fn holder(what: &str) -> String {
    let get = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    let user = get("USER")
        .or_else(|| get("LOGNAME"))
        .unwrap_or_else(|| "somebody".into());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!(
        "{user}@{} (bramble {what}, process {})",
        host.trim(),
        std::process::id()
    )
}

/// The machine that every run locks.
fn anchor(context: &Context) -> Option<String> {
    context
        .cluster
        .with_role(Role::ControlPlane)
        .next()
        .map(|m| m.name.clone())
}

/// The cluster as its machines know it; one that none of them knows gets a new id.
pub fn identity(context: &Context, look: &Look) -> Identity {
    let name = context.cluster.name.clone();
    let id = identity::id(&name, anchor(context).as_deref(), &look.seen);
    let id = id.map_or_else(identity::fresh, str::to_owned);
    Identity { name, id }
}

fn checked(context: &Context, scope: &ScopeArgs) -> Result<Scope, CliError> {
    for name in &scope.machines {
        context.machine(name)?;
    }
    let known: Vec<String> = bramble_blueprint::step_names()
        .map(|(n, _)| n.to_owned())
        .collect();
    for step in &scope.steps {
        let below = format!("{step}/");
        if !known.iter().any(|k| k == step || k.starts_with(&below)) && !step.starts_with("addon/")
        {
            return Err(CliError::usage(format!("there is no step {step:?}"))
                .hint(format!("steps are: {}", known.join(", "))));
        }
    }
    Ok(Scope {
        steps: scope.steps.clone(),
        machines: scope.machines.clone(),
    })
}

async fn towards(
    context: &Context,
    blueprint: &Blueprint,
    look: &Look,
    scope: &Scope,
    place: &KubePlace,
) -> Result<Plan, CliError> {
    let mut out = Plan {
        cluster: identity(context, look),
        remarks: blueprint.remarks.clone(),
        unreachable: unseen(look),
        ..Plan::default()
    };
    for (name, seen) in &look.seen {
        if let Some(obstacle) = identity::foreign(&out.cluster, name, seen) {
            out.obstacles.push(obstacle);
            continue;
        }
        match plan::towards(blueprint, name, seen, scope) {
            Ok(machine) => {
                out.machines.insert(name.clone(), machine);
            }
            Err(errors) => out.obstacles.extend(errors.iter().map(|error| Obstacle {
                machine: name.clone(),
                message: error.to_string(),
                hint: error.hint(),
            })),
        }
    }
    // What is in the way on a machine explains what the API would refuse because of it.
    if scope.machines.is_empty() && out.obstacles.is_empty() {
        let mut steps: Vec<_> = blueprint
            .api
            .iter()
            .filter(|s| scope.includes(&s.name))
            .cloned()
            .collect();
        for step in &mut steps {
            step.needs
                .retain(|(machine, _)| !out.unreachable.contains_key(machine));
        }
        let compared = place
            .compare(&look.sessions, &steps, &blueprint.api, |name| {
                scope.includes(name)
            })
            .await
            .map_err(silent)?;
        let unknown = |step| ApiPlan {
            step,
            changes: None,
        };
        match compared {
            Compared::Absent => out.api = steps.into_iter().map(unknown).collect(),
            // The machines may be what keeps it from answering, so they are not kept waiting for it.
            Compared::Silent(why) => {
                out.remarks.push(format!(
                    "the API does not answer, so what changes there is known once it does: {why}"
                ));
                out.api = steps.into_iter().map(unknown).collect();
            }
            Compared::Known(difference) => {
                out.remarks
                    .extend(strangers(&context.cluster, &difference.nodes));
                let known = difference.steps.into_iter().map(|(step, changes)| ApiPlan {
                    step,
                    changes: Some(changes),
                });
                out.api = known.collect();
            }
        }
    }
    Ok(out)
}

/// A remark for each node that is not in the file: most likely it was taken out of it too early.
pub fn strangers<'a>(
    cluster: &Cluster,
    nodes: impl IntoIterator<Item = &'a String>,
) -> Vec<String> {
    nodes
        .into_iter()
        .filter(|name| !cluster.machine(name).is_some_and(Machine::is_node))
        .map(|name| {
            format!(
                "node {name} is in the cluster but not in the file: put it back and run `bramble down \
                 --machine {name}`, or delete the node"
            )
        })
        .collect()
}

async fn away(
    context: &Context,
    look: &Look,
    scope: &Scope,
    place: &KubePlace,
) -> Result<Plan, CliError> {
    let mut out = Plan {
        cluster: identity(context, look),
        down: true,
        unreachable: unseen(look),
        ..Plan::default()
    };
    for (name, seen) in &look.seen {
        if let Some(obstacle) = identity::foreign(&out.cluster, name, seen) {
            out.obstacles.push(obstacle);
            continue;
        }
        if let Some(obstacle) = under_a_node(name, seen, scope) {
            out.obstacles.push(obstacle);
            continue;
        }
        match plan::away(seen, scope, name) {
            Ok(machine) => {
                out.machines.insert(name.clone(), machine);
            }
            Err(error) => out.obstacles.push(Obstacle {
                machine: name.clone(),
                message: error.to_string(),
                hint: error.hint(),
            }),
        }
    }
    order_teardown(context, &mut out);
    // When everything goes, the API goes with it; a part of it is taken out by name.
    if !scope.steps.is_empty() && scope.machines.is_empty() {
        let made = place.retired(&look.sessions, &[]).await.map_err(silent)?;
        let steps: Vec<_> = made
            .into_iter()
            .filter(|s| scope.includes(&s.name))
            .collect();
        let changes = place.plan(&look.sessions, &steps).await.map_err(silent)?;
        let mut changes = changes.into_iter().flatten();
        out.api = steps
            .into_iter()
            .map(|step| ApiPlan {
                step,
                changes: changes.next(),
            })
            .collect();
    }
    Ok(out)
}

/// A node doesn't have the floor taken away under its feet.
fn under_a_node(name: &str, seen: &Observation, scope: &Scope) -> Option<Obstacle> {
    let recorded: BTreeSet<&str> = seen.journal.records.iter().map(|r| &*r.step).collect();
    if !scope.machine(name) {
        return None;
    }
    let node = bramble_blueprint::node_steps()
        .into_iter()
        .find(|step| recorded.contains(step) && !scope.includes(step))?;
    let floor: Vec<&str> = recorded
        .into_iter()
        .filter(|step| scope.includes(step) && bramble_blueprint::holds_nodes(step))
        .collect();
    (!floor.is_empty()).then(|| Obstacle {
        machine: name.to_owned(),
        message: format!("it is a running node, which needs {}", floor.join(", ")),
        hint: format!("take the node down as well: add --step {node}, or leave --step out"),
    })
}

fn silent(error: bramble_engine::api::ApiError) -> CliError {
    CliError::failed(error.message).hint("`bramble status` shows the state of the cluster")
}

/// Workers leave before the control planes that they talk to.
fn order_teardown(context: &Context, plan: &mut Plan) {
    let is_control_plane = |name: &str| {
        context
            .cluster
            .machine(name)
            .is_some_and(|m| m.is(Role::ControlPlane))
    };
    let leaving: Vec<StepRef> = plan
        .machines
        .iter()
        .filter(|(name, _)| !is_control_plane(name))
        .flat_map(|(name, m)| m.steps.iter().map(move |s| (name.clone(), s.name.clone())))
        .filter(|(_, step)| step == "worker/join")
        .collect();
    for (name, machine) in &mut plan.machines {
        if is_control_plane(name) {
            for step in machine
                .steps
                .iter_mut()
                .filter(|s| s.name == "control-plane/init")
            {
                step.needs.clone_from(&leaving);
            }
        }
    }
}

fn unseen(look: &Look) -> BTreeMap<String, String> {
    look.unseen
        .iter()
        .map(|(name, why)| (name.clone(), crate::error::chain(why)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_engine::lock::LockError;

    #[test]
    fn nodes_that_are_not_in_the_file_are_remarked_on() {
        let text = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  \
                    machines:\n    - { name: one, roles: [control-plane], address: 192.168.1.11 }\n";
        let cluster = bramble_spec::load("test", text).unwrap();
        let nodes = ["one".to_owned(), "three".to_owned()];
        let remarks = strangers(&cluster, &nodes);
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        assert!(remarks[0].contains("node three is in the cluster but not in the file"));
        assert!(remarks[0].contains("`bramble down --machine three`"));
    }

    #[test]
    fn no_step_goes_that_a_running_node_stands_on() {
        use bramble_machine::journal::{Journal, Line, to_line};
        let line = |step: &str| {
            to_line(&Line::Begin {
                id: format!("action:{step}"),
                step: step.to_owned(),
                undo: bramble_machine::Undo::Action(Default::default()),
            })
        };
        let text = ["base/packages", "base/hosts", "worker/join"].map(line);
        let seen = Observation {
            journal: Journal::parse(&text.join("\n")),
            ..Observation::default()
        };
        assert_eq!(seen.journal.records.len(), 3, "{:?}", seen.journal);
        let scope = |steps: &[&str]| Scope {
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            machines: Vec::new(),
        };
        let obstacle = under_a_node("two", &seen, &scope(&["base"])).unwrap();
        assert!(obstacle.message.contains("base/packages"), "{obstacle:?}");
        assert!(!obstacle.message.contains("hosts"), "{obstacle:?}");
        assert!(obstacle.hint.contains("--step worker/join"), "{obstacle:?}");
        for fine in [
            &["base/hosts"][..],
            &["base", "worker/join"],
            &["worker"],
            &[],
        ] {
            assert!(
                under_a_node("two", &seen, &scope(fine)).is_none(),
                "{fine:?}"
            );
        }
    }

    #[test]
    fn a_program_that_is_still_at_work_is_a_lock() {
        let machine = "two".to_owned();
        let error = locked(LockError::LeftOver { machine });
        assert_eq!(error.kind.code(), 5);
        assert!(error.hints[0].contains("restart the machine"));
    }
}
