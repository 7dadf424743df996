//! What `plan`, `up` and `down` share: look, plan, run.

use crate::args::{Global, ScopeArgs};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::kube_place::KubePlace;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::stop;
use bramble_engine::plan::Scope;
use bramble_engine::run::Means;
use bramble_engine::{ApiPlace, Event, Look, Outcome, Plan};
use bramble_machine::Blueprint;
use bramble_spec::cluster::{Machine, Version};
use leaving::Manner;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

mod ending;
mod hops;
mod leaving;
mod opening;
mod planning;
mod rollout;
mod strangers;
mod ways;

pub use ending::{locked, report, unreachable, verdict};
pub use leaving::LEAVE;
pub use opening::open_ways;
pub use planning::identity;
pub use strangers::remark as stranger;

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
    scope: Scope,
    /// Machines that were waited for before this look, and the machine that lets them through.
    awaited: BTreeMap<String, String>,
    place: KubePlace,
    /// The release that comes before that of the file, which is too far away. Nothing can be done before.
    pub first: Option<Version>,
    /// Machines that leave the cluster and are no longer in the file.
    strangers: Vec<Machine>,
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
    supported(context)?;
    if down {
        let whole = scope.steps.is_empty();
        let named = scope.machines.clone();
        let manner = |_: &Look| Manner {
            named: if whole { &named } else { &[] },
            ..Manner::default()
        };
        return taking_away(context, global, scope.clone(), manner, progress).await;
    }
    if context.cluster.machines.iter().any(|m| m.is_node()) {
        context.need_bundle()?;
    }
    let fleet = context.fleet(global);
    let targets = context.targets(&[])?;
    let whole = |facts: &BTreeMap<_, _>| context.blueprint(facts);
    progress.looking(targets.len());
    let on = |name: &str, error: Option<&_>| progress.looked(name, error);
    let mut look = bramble_engine::observe(&fleet, &targets, &whole, &on).await;
    let blueprint = context.blueprint(&look.facts());
    let first = hops::first(context, &look)?;
    let place = KubePlace::new(&context.cluster);
    let (mut plan, nodes) = planning::towards(context, &blueprint, &look, &scope, &place).await?;
    // A part that was asked for is no matter of who is in the cluster.
    let whole = scope.steps.is_empty() && scope.machines.is_empty();
    let nodes = if whole { nodes } else { Vec::new() };
    let strangers = strangers::leave(context, global, &mut look, &nodes, &mut plan).await;
    progress.planned();
    Ok(Session {
        look,
        blueprint,
        plan,
        scope,
        awaited: BTreeMap::new(),
        place,
        first,
        strangers,
    })
}

/// Looks, and plans that machines leave a cluster which goes on without them. `give_up`: those that can't be
/// reached are lost, and the cluster forgets them.
pub async fn prepare_leaving(
    context: &Context,
    global: &Global,
    machines: &[String],
    give_up: bool,
    progress: &Progress,
) -> Result<Session, CliError> {
    let scope = Scope {
        steps: Vec::new(),
        machines: machines.to_vec(),
    };
    supported(context)?;
    let manner = |look: &Look| {
        let lost = |name: &&String| give_up && look.unseen.contains_key(*name);
        Manner {
            named: machines,
            lost: machines.iter().filter(lost).cloned().collect(),
            orderly: true,
        }
    };
    taking_away(context, global, scope, manner, progress).await
}

/// A teardown goes by the machines' own records; only how they are reached comes from the file.
async fn taking_away<'a>(
    context: &Context,
    global: &Global,
    scope: Scope,
    manner: impl Fn(&Look) -> Manner<'a>,
    progress: &Progress,
) -> Result<Session, CliError> {
    let fleet = context.fleet(global);
    let targets = context.targets(&[])?;
    let nothing = |facts: &BTreeMap<_, _>| Blueprint {
        ways: context.blueprint(facts).ways,
        ..Blueprint::default()
    };
    progress.looking(targets.len());
    let on = |name: &str, error: Option<&_>| progress.looked(name, error);
    let look = bramble_engine::observe(&fleet, &targets, &nothing, &on).await;
    let blueprint = context.blueprint(&look.facts());
    let place = KubePlace::new(&context.cluster).without(&scope.machines);
    let manner = manner(&look);
    let ways = &blueprint.ways;
    let plan = planning::away(context, &look, &scope, ways, &manner, &place).await?;
    progress.planned();
    Ok(Session {
        look,
        blueprint,
        plan,
        scope,
        awaited: BTreeMap::new(),
        place,
        first: None,
        strangers: Vec::new(),
    })
}

fn supported(context: &Context) -> Result<(), CliError> {
    let limit = bramble_blueprint::limits(&context.cluster)
        .into_iter()
        .next();
    limit.map_or(Ok(()), |(what, remedy)| {
        Err(CliError::usage(what).hint(remedy))
    })
}

/// Does it again where a machine was changed between the look and the lock, as it is where a run was
/// cut off a moment ago and its last program was still at work.
pub async fn settled<T, F>(printer: &Printer, once: impl Fn() -> F) -> Result<T, CliError>
where
    F: Future<Output = Result<T, CliError>>,
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
    ending::begin(&session.plan, 0, printer);
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let shown = tokio::spawn(progress.follow(receiver));
    let stop = stop::listen(*printer);
    let outcome = engine_run(context, global, session, &session.plan, what, sender, stop).await;
    let _ = shown.await;
    outcome
}

/// Carries out a plan, the session's or a part of it.
async fn engine_run(
    context: &Context,
    global: &Global,
    session: &Session,
    plan: &Plan,
    what: &str,
    events: UnboundedSender<Event>,
    stop: watch::Receiver<bool>,
) -> Result<Outcome, CliError> {
    let blob = |sha256: &str| match &context.bundle {
        Some(bundle) => bundle.blob_path(sha256),
        None => PathBuf::new(),
    };
    let mut targets = context.targets(&[])?;
    targets.extend(session.strangers.iter().map(|m| context.target(m)));
    let fresh = || context.fleet(global);
    let means = Means {
        targets: &targets,
        fresh: &fresh,
        sessions: &session.look.sessions,
        facts: &session.blueprint.facts,
        blob: &blob,
        api: Some(&session.place as &dyn ApiPlace),
        holder: holder(what),
        anchor: planning::lockable_anchor(context, &session.look),
        events,
        stop,
    };
    let outcome = bramble_engine::run(plan, means).await;
    outcome.map_err(ending::locked)
}

/// Who runs this, for those who find a machine locked.
pub fn holder(what: &str) -> String {
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
