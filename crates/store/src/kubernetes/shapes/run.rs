//! Runs.

use crate::document::Kind;
use crate::kubernetes::shape::{
    Around, Column, Condition, Parts, Shape, Unfit, conditions, read, schema,
};
use crate::record::{Actor, End, Host, Progress, Run, State, Verb};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(in crate::kubernetes) const SHAPE: Shape = Shape {
    kind: Kind::Run,
    plural: "runs",
    word: "Run",
    short: "br",
    about: "One `up` or `down` of a cluster. Its name is the cluster's, a hyphen and a number.",
    columns: &[
        Column::text("Cluster", ".spec.cluster"),
        Column::text("Verb", ".spec.verb"),
        Column::text("State", ".status.state"),
        Column {
            form: "integer",
            ..Column::text("Percent", ".status.percent")
        },
        Column::text("Step", ".status.progress.step").wide(),
        Column::text("Reason", ".status.reason").wide(),
        Column::AGE,
    ],
    notes: &[],
    meant: |_| {},
    spec: schema::<Spec>,
    status: schema::<Status>,
    split,
    join,
};

/// What was asked for.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Spec {
    /// Its cluster.
    cluster: String,
    /// What it does.
    verb: Verb,
    /// Who asked for it.
    by: Actor,
    /// The file that it makes true, as it was when it was asked for.
    file: String,
    /// When it was asked for.
    #[schemars(with = "String")]
    asked: Timestamp,
    /// Whether somebody wants it to stop after the steps that it is at.
    #[serde(default)]
    cancel: bool,
}

/// How far it is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// How far it is, in a word.
    #[serde(default)]
    state: Stage,
    /// When its first step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    ended: Option<Timestamp>,
    /// How much of it is done.
    #[serde(default)]
    progress: Progress,
    /// Per cent; only a run that has ended well is at 100.
    #[serde(default)]
    percent: u8,
    /// Why it failed, in a sentence or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How often it was begun.
    #[serde(default)]
    tries: u32,
    /// Where its process is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<Host>,
    /// `Complete` once it has ended well, `Failed` once it has not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Condition>,
}

/// A state in one word, as columns of `kubectl get` have room for.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Stage {
    /// Asked for.
    #[default]
    Accepted,
    /// Under way.
    Running,
    /// Over, and all of it done.
    Done,
    /// Over, and a part of it failed.
    Failed,
    /// Over, because somebody stopped it.
    Cancelled,
}

impl Stage {
    fn of(state: State) -> Self {
        match state {
            State::Accepted => Stage::Accepted,
            State::Running => Stage::Running,
            State::Ended(End::Done) => Stage::Done,
            State::Ended(End::Failed) => Stage::Failed,
            State::Ended(End::Cancelled) => Stage::Cancelled,
        }
    }

    fn state(self) -> State {
        match self {
            Stage::Accepted => State::Accepted,
            Stage::Running => State::Running,
            Stage::Done => State::Ended(End::Done),
            Stage::Failed => State::Ended(End::Failed),
            Stage::Cancelled => State::Ended(End::Cancelled),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Stage::Accepted => "Accepted",
            Stage::Running => "Running",
            Stage::Done => "Done",
            Stage::Failed => "Failed",
            Stage::Cancelled => "Cancelled",
        }
    }
}

fn split(body: Value, around: &Around<'_>) -> Result<Parts, Unfit> {
    let run: Run = serde_json::from_value(body)?;
    let stage = Stage::of(run.state);
    let before: Status = around.status()?;
    let status = Status {
        state: stage,
        started: run.started,
        ended: run.ended,
        percent: match stage {
            Stage::Done => 100,
            _ => run.progress.percent(),
        },
        progress: run.progress,
        conditions: conditions(
            &before.conditions,
            around.now,
            stage.word(),
            run.reason.as_deref().unwrap_or_default(),
            &[
                ("Complete", stage == Stage::Done),
                ("Failed", matches!(stage, Stage::Failed | Stage::Cancelled)),
            ],
        ),
        reason: run.reason,
        tries: run.tries,
        host: run.host,
    };
    let spec = Spec {
        cluster: run.cluster,
        verb: run.verb,
        by: run.by,
        file: run.file,
        asked: run.asked,
        cancel: run.cancel,
    };
    Ok(Parts {
        spec: serde_json::to_value(spec)?,
        status: serde_json::to_value(status)?,
        ..Parts::default()
    })
}

fn join(parts: Parts, _: &Around<'_>) -> Result<Value, Unfit> {
    let spec: Spec = read(parts.spec)?;
    let status: Status = read(parts.status)?;
    let run = Run {
        cluster: spec.cluster,
        verb: spec.verb,
        by: spec.by,
        file: spec.file,
        asked: spec.asked,
        state: status.state.state(),
        cancel: spec.cancel,
        started: status.started,
        ended: status.ended,
        progress: status.progress,
        reason: status.reason,
        tries: status.tries,
        host: status.host,
    };
    Ok(serde_json::to_value(run)?)
}
