//! The planner and the runner with values: no machine, no connection.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;

use bramble_engine::plan::{CONFIRM, FORGET, RETIRE, Scope, away, towards};
use bramble_machine::journal::{Journal, Line, to_line};
use bramble_machine::kinds::{Action, Check, File, Service};
use bramble_machine::query::{Answer, Stat, Unit};
use bramble_machine::{
    Blueprint, MachineBlueprint, Observation, PlanError, Query, Resource, Script, Step, Verb,
};
use std::sync::Arc;

fn blueprint(steps: Vec<(&'static str, Vec<Arc<dyn Resource>>)>) -> Blueprint {
    let steps = steps
        .into_iter()
        .map(|(name, resources)| Step {
            name,
            resources,
            needs: Vec::new(),
        })
        .collect();
    let mut out = Blueprint {
        cluster: "test".into(),
        ..Blueprint::default()
    };
    out.machines
        .insert("one".into(), MachineBlueprint { steps });
    out
}

fn conf() -> Arc<dyn Resource> {
    Arc::new(File::text("/etc/a.conf", "new\n"))
}

fn service() -> Arc<dyn Resource> {
    Arc::new(Service::on("a.service").watching(["file:/etc/a.conf"]))
}

/// A machine on which the service runs and the file holds something.
fn seen(text: &str) -> Observation {
    let mut seen = Observation::default();
    let path = || "/etc/a.conf".to_owned();
    let stat = Stat {
        kind: 'f',
        mode: 0o644,
        owner: "root".into(),
        group: "root".into(),
        size: text.len() as u64,
        mtime: "1".into(),
        ctime: "1".into(),
        inode: 1,
        target: String::new(),
    };
    let hash = match text {
        "new\n" => "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c",
        _ => "0",
    };
    seen.answers
        .insert(Query::Stat(path()), Answer::Stat(Some(stat)));
    seen.answers
        .insert(Query::Sha256(path()), Answer::Text(Some(hash.into())));
    seen.answers
        .insert(Query::Content(path()), Answer::Text(Some(text.into())));
    let unit = Unit {
        load: "loaded".into(),
        active: "active".into(),
        file: "enabled".into(),
    };
    seen.answers
        .insert(Query::Unit("a.service".into()), Answer::Unit(unit));
    seen
}

/// The journal as a finished run of these resources leaves it.
fn journal(of: &[(&str, Arc<dyn Resource>)], finished: bool) -> Journal {
    let mut text = format!("{}\n", to_line(&Line::Cluster(Default::default())));
    for (step, resource) in of {
        let change = resource.plan(&Observation::default()).unwrap().unwrap();
        let begin = Line::Begin {
            id: resource.id(),
            step: (*step).into(),
            undo: change.undo,
        };
        text.push_str(&format!("{}\n", to_line(&begin)));
        if finished {
            text.push_str(&format!("{}\n", to_line(&Line::Done { id: resource.id() })));
        }
    }
    Journal::parse(&text)
}

fn verbs(plan: &bramble_engine::plan::MachinePlan) -> Vec<(String, String, Verb)> {
    let steps = plan.steps.iter();
    steps
        .flat_map(|s| {
            s.items
                .iter()
                .map(|i| (s.name.clone(), i.id.clone(), i.change.verb))
        })
        .collect()
}

#[test]
fn nothing_differs_nothing_is_planned() {
    let plan = towards(
        &blueprint(vec![("a", vec![conf(), service()])]),
        "one",
        &seen("new\n"),
        &Scope::default(),
    );
    assert_eq!(plan.unwrap().changes(), 0);
}

#[test]
fn a_changed_file_restarts_the_service_that_watches_it() {
    let plan = towards(
        &blueprint(vec![("a", vec![conf(), service()])]),
        "one",
        &seen("old\n"),
        &Scope::default(),
    )
    .unwrap();
    let expected = [
        ("a".to_owned(), "file:/etc/a.conf".to_owned(), Verb::Update),
        (
            "a".to_owned(),
            "service:a.service".to_owned(),
            Verb::Restart,
        ),
    ];
    assert_eq!(verbs(&plan), expected);
    let diff = plan.steps[1].items[0].change.diff.clone().unwrap();
    assert!(diff.contains("-old") && diff.contains("+new"), "{diff}");
}

#[test]
fn an_interrupted_change_is_planned_again() {
    let mut machine = seen("new\n");
    machine.journal = journal(&[("a", conf()), ("a", service())], false);
    let plan = towards(
        &blueprint(vec![("a", vec![conf(), service()])]),
        "one",
        &machine,
        &Scope::default(),
    );
    assert_eq!(plan.unwrap().changes(), 2);
}

#[test]
fn what_the_file_no_longer_names_is_undone_last_made_first() {
    let mut machine = seen("new\n");
    machine.journal = journal(&[("a", conf()), ("a", service())], true);
    let plan = towards(
        &blueprint(vec![("a", vec![])]),
        "one",
        &machine,
        &Scope::default(),
    );
    let expected = [
        (
            RETIRE.to_owned(),
            "service:a.service".to_owned(),
            Verb::Remove,
        ),
        (
            RETIRE.to_owned(),
            "file:/etc/a.conf".to_owned(),
            Verb::Remove,
        ),
    ];
    assert_eq!(verbs(&plan.unwrap()), expected);
}

#[test]
fn a_teardown_goes_backwards_by_steps_and_ends_with_the_record() {
    let mut machine = Observation::default();
    machine.facts.home = true;
    let second: Arc<dyn Resource> = Arc::new(File::text("/etc/b.conf", "b"));
    machine.journal = journal(&[("a", conf()), ("a", service()), ("b", second)], true);
    let plan = away(&machine, &Scope::default(), "one").unwrap();
    let names: Vec<&str> = plan.steps.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["b", "a", FORGET]);
    let ids: Vec<String> = verbs(&plan).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(
        ids[..3],
        ["file:/etc/b.conf", "service:a.service", "file:/etc/a.conf"]
    );
}

#[test]
fn a_teardown_of_one_step_leaves_the_others_and_the_record() {
    let mut machine = Observation::default();
    machine.facts.home = true;
    let second: Arc<dyn Resource> = Arc::new(File::text("/etc/b.conf", "b"));
    machine.journal = journal(&[("a/x", conf()), ("ab", second)], true);
    // `a` names `a/x`, not `ab`.
    let scope = Scope {
        steps: vec!["a".into()],
        machines: Vec::new(),
    };
    let ids: Vec<String> = verbs(&away(&machine, &scope, "one").unwrap())
        .into_iter()
        .map(|(_, id, _)| id)
        .collect();
    assert_eq!(ids, ["file:/etc/a.conf"]);
}

#[test]
fn nothing_is_torn_down_twice() {
    assert_eq!(
        away(&Observation::default(), &Scope::default(), "one")
            .unwrap()
            .changes(),
        0
    );
}

#[test]
fn a_scope_leaves_other_machines_alone() {
    let scope = Scope {
        steps: Vec::new(),
        machines: vec!["two".into()],
    };
    let plan = towards(
        &blueprint(vec![("a", vec![conf()])]),
        "one",
        &seen("old\n"),
        &scope,
    )
    .unwrap();
    assert_eq!(plan.changes(), 0);
    // The step is there all the same: others may wait for it.
    assert!(plan.steps.iter().any(|s| s.name == "a"));
}

#[test]
fn what_the_machine_would_take_back_is_confirmed_before_anything_else() {
    let blueprint = blueprint(vec![("files", vec![conf()])]);
    let mut seen = seen("new\n");
    seen.journal = journal(&[("files", conf())], true);
    seen.facts.armed = true;
    for scope in [Vec::new(), vec!["other".to_owned()]] {
        let scope = Scope {
            steps: scope,
            ..Scope::default()
        };
        for plan in [
            towards(&blueprint, "one", &seen, &scope).unwrap(),
            away(&seen, &scope, "one").unwrap(),
        ] {
            assert_eq!(
                (plan.steps[0].name.as_str(), plan.steps[0].items.len()),
                (CONFIRM, 1)
            );
        }
    }
    let elsewhere = Scope {
        machines: vec!["two".to_owned()],
        ..Scope::default()
    };
    let plan = towards(&blueprint, "one", &seen, &elsewhere).unwrap();
    assert_eq!(plan.changes(), 0);
    seen.facts.armed = false;
    let plan = towards(&blueprint, "one", &seen, &Scope::default()).unwrap();
    assert_eq!(plan.changes(), 0);
}

#[test]
fn an_action_that_was_cut_off_cleans_up_first() {
    let mut action = Action::new(
        "make",
        "make it",
        Check::Exists("/made".into()),
        Script::of("touch /made"),
    )
    .undone_by("rm -f /made");
    action.restart_clean = true;
    let action: Arc<dyn Resource> = Arc::new(action);
    let machine = Observation {
        journal: journal(&[("a", action.clone())], false),
        ..Default::default()
    };
    let change = action.plan(&machine).unwrap().unwrap();
    assert!(
        change.summary.contains("cleaned up first"),
        "{}",
        change.summary
    );
    let at = |text: &str| change.apply.as_str().find(text).unwrap();
    assert!(at("rm -f /made") < at("touch /made"));
}

/// An action that must never be cleaned up over what it made once.
fn init() -> Arc<dyn Resource> {
    let run = Script::of("touch /made");
    let mut action = Action::new("make", "make it", Check::Exists("/made".into()), run)
        .undone_by("rm -rf /precious")
        .destroying("everything precious");
    action.restart_clean = true;
    Arc::new(action)
}

fn begun_again(times: &[bool]) -> Journal {
    let change = init().plan(&Observation::default()).unwrap().unwrap();
    let mut text = String::new();
    for finished in times {
        let begin = Line::Begin {
            id: init().id(),
            step: "a".into(),
            undo: change.undo.clone(),
        };
        text.push_str(&format!("{}\n", to_line(&begin)));
        if *finished {
            text.push_str(&format!("{}\n", to_line(&Line::Done { id: init().id() })));
        }
    }
    Journal::parse(&text)
}

#[test]
fn what_was_finished_once_is_never_cleaned_away() {
    // Somebody removed the sign that it is done, and a later try failed.
    let machine = Observation {
        journal: begun_again(&[true, false]),
        ..Default::default()
    };
    let change = init().plan(&machine).unwrap().unwrap();
    assert!(
        !change.apply.as_str().contains("/precious"),
        "{}",
        change.apply.as_str()
    );
}

#[test]
fn only_the_line_is_missing_when_what_was_finished_stands() {
    let mut machine = Observation {
        journal: begun_again(&[true, false]),
        ..Default::default()
    };
    let stat = seen("x").answers.into_iter().find_map(|(_, a)| match a {
        Answer::Stat(stat) => Some(stat),
        _ => None,
    });
    let made = Query::Stat("/made".into());
    machine.answers.insert(made, Answer::Stat(stat.unwrap()));
    let change = init().plan(&machine).unwrap().unwrap();
    assert!(change.apply.is_empty());
}

#[test]
fn an_undo_that_destroys_says_so() {
    let machine = Observation {
        journal: begun_again(&[true]),
        ..Default::default()
    };
    let plan = towards(&blueprint(vec![]), "one", &machine, &Scope::default()).unwrap();
    let destroys = plan.steps[0].items[0].change.destroys.clone();
    assert_eq!(destroys.as_deref(), Some("everything precious"));
}

#[test]
fn a_record_of_a_newer_release_stops_everything() {
    let machine = Observation {
        journal: Journal::parse("{\"e\":\"marvel\",\"id\":\"x\"}\n"),
        ..Default::default()
    };
    let scope = Scope::default();
    assert_eq!(
        away(&machine, &scope, "one").unwrap_err(),
        PlanError::NewerJournal
    );
    assert_eq!(
        towards(&blueprint(vec![]), "one", &machine, &scope).unwrap_err(),
        [PlanError::NewerJournal]
    );
}

/// Never fit.
#[derive(Debug)]
struct Never;

impl Resource for Never {
    fn id(&self) -> String {
        "never:fit".into()
    }
    fn wants(&self, _: &Observation) -> Vec<Query> {
        Vec::new()
    }
    fn plan(&self, _: &Observation) -> Result<Option<bramble_machine::Change>, PlanError> {
        Err(PlanError::Unfit {
            id: self.id(),
            what: "no".into(),
            hint: String::new(),
        })
    }
}

#[test]
fn a_narrow_scope_does_not_pass_by_what_must_not_be() {
    let scope = Scope {
        steps: vec!["a".into()],
        machines: vec!["two".into()],
    };
    let never: Arc<dyn Resource> = Arc::new(Never);
    let errors = towards(
        &blueprint(vec![("b", vec![never])]),
        "one",
        &seen("new\n"),
        &scope,
    );
    assert_eq!(errors.unwrap_err().len(), 1);
}

#[test]
fn a_journal_is_ascii_and_reads_back() {
    let line = to_line(&Line::Done {
        id: "file:/etc/grüße/😀".into(),
    });
    assert!(line.is_ascii(), "{line}");
    let back: Line = serde_json::from_str(&line).unwrap();
    assert!(matches!(back, Line::Done { id } if id == "file:/etc/grüße/😀"));
}
