//! Runs that only the cluster's API takes part in.

use crate::{blueprint, conf, seen};
use bramble_engine::api::{ApiError, ApiProgress};
use bramble_engine::plan::{ApiPlan, Scope, towards};
use bramble_engine::run::Means;
use bramble_engine::{ApiChange, ApiPlace, Event, Plan, Sessions, run};
use bramble_machine::step::{ApiStep, FactSource};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// A cluster whose API takes everything at once, or whose nodes never get empty.
#[derive(Default)]
struct Cluster {
    never_empty: bool,
    left: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl ApiPlace for Cluster {
    async fn plan(
        &self,
        _: &Sessions,
        _: &[ApiStep],
    ) -> Result<Option<Vec<Vec<ApiChange>>>, ApiError> {
        Ok(None)
    }
    async fn apply(
        &self,
        _: &Sessions,
        _: &ApiStep,
        on: &(dyn Fn(ApiProgress) + Send + Sync),
    ) -> Result<usize, ApiError> {
        if self.never_empty {
            std::future::pending::<()>().await;
        }
        on(ApiProgress::Waiting {
            what: "pods".into(),
            since: Duration::ZERO,
            limit: Duration::from_secs(90),
        });
        Ok(1)
    }
    fn can_be_left(&self, _: &ApiStep) -> bool {
        self.never_empty
    }
    async fn leave(&self, _: &Sessions, step: &ApiStep) -> Result<(), ApiError> {
        self.left.lock().unwrap().push(step.name.clone());
        Ok(())
    }
}

/// A step in the API that waits for nothing but its needs.
fn apart(name: &str, needs: &[(&str, &str)], unless_failed: &[&str]) -> ApiPlan {
    ApiPlan {
        step: ApiStep {
            name: name.into(),
            resources: Vec::new(),
            needs: needs
                .iter()
                .map(|(m, s)| ((*m).into(), (*s).into()))
                .collect(),
        },
        changes: None,
        apart: true,
        unless_failed: unless_failed
            .iter()
            .map(|s| (String::new(), (*s).into()))
            .collect(),
    }
}

#[tokio::test]
async fn a_step_is_not_begun_once_one_beside_it_has_failed() {
    let mut plan = Plan::default();
    plan.unreachable.insert("gone".into(), "no answer".into());
    plan.api = vec![
        apart("beside", &[("gone", "x")], &[]),
        apart("before", &[], &[]),
        apart("after", &[("", "before")], &["beside"]),
        apart("other", &[("", "before")], &[]),
    ];
    let (events, _told) = tokio::sync::mpsc::unbounded_channel();
    let outcome = run(&plan, willing(events)).await.unwrap();
    let skipped: Vec<&str> = outcome.skipped.iter().map(|(_, s)| s.as_str()).collect();
    assert_eq!(skipped, ["beside", "after"]);
    assert_eq!(outcome.changes, 2, "before, other");
}

#[tokio::test]
async fn a_drain_is_left_when_the_operator_stops_the_run() {
    let plan = Plan {
        api: vec![
            apart("drain/two", &[], &[]),
            apart("serve/two", &[("", "drain/two")], &[]),
        ],
        ..Plan::default()
    };
    let (events, _told) = tokio::sync::mpsc::unbounded_channel();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let place = Cluster {
        never_empty: true,
        ..Cluster::default()
    };
    let means = Means {
        api: Some(&place),
        stop: stopped,
        ..willing(events)
    };
    let (outcome, ()) = tokio::join!(run(&plan, means), async {
        tokio::task::yield_now().await;
        stop.send(true).unwrap();
    });
    let outcome = outcome.unwrap();
    assert!(outcome.stopped && outcome.failed.is_empty() && outcome.skipped.is_empty());
    assert_eq!(*place.left.lock().unwrap(), ["drain/two"]);
}

/// What a run needs that only the API takes part in.
fn willing(events: UnboundedSender<Event>) -> Means<'static> {
    static NOBODY: LazyLock<(Sessions, BTreeMap<String, FactSource>, Cluster)> =
        LazyLock::new(Default::default);
    Means {
        sessions: &NOBODY.0,
        facts: &NOBODY.1,
        blob: &|hash| hash.into(),
        api: Some(&NOBODY.2),
        holder: String::new(),
        anchor: None,
        targets: &[],
        fresh: &|| unreachable!("nothing is confirmed"),
        events,
        stop: tokio::sync::watch::channel(false).1,
    }
}

#[tokio::test]
async fn a_wait_for_another_step_has_no_number_for_its_end() {
    let mut plan = Plan::default();
    let machine = towards(
        &blueprint(vec![("a", vec![conf()])]),
        "one",
        &seen("old\n"),
        &Scope::default(),
    );
    plan.machines.insert("one".into(), machine.unwrap());
    for step in &mut plan.machines.get_mut("one").unwrap().steps {
        step.needs = vec![(String::new(), "addon/x".into())];
    }
    plan.api.push(ApiPlan {
        step: ApiStep {
            name: "addon/x".into(),
            resources: Vec::new(),
            needs: Vec::new(),
        },
        changes: None,
        apart: false,
        unless_failed: Vec::new(),
    });
    let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
    run(&plan, willing(events)).await.unwrap();
    let mut waits = Vec::new();
    while let Some(event) = told.recv().await {
        let event = serde_json::to_value(event).unwrap();
        if event["event"] == "waiting" {
            waits.push((event["what"].clone(), event.get("limit").cloned()));
        }
    }
    let expected = [("addon/x".into(), None), ("pods".into(), Some(90.0.into()))];
    assert_eq!(waits, expected);
}
