//! Runs, carried out by programs that say what `bramble` says. The program itself is run in the whole-system
//! tests.

use bramble_server::runs::{Error, Runs, Settings};
use bramble_store::record::{Actor, Cluster, End, Origin, Phase, Run, State, Verb};
use bramble_store::{Key, Kind, Log, Sqlite, Store, Typed};
use rustix::fs::{FlockOperation, flock};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(30);

const BEGIN: &str = r#"{"event":"begin","changes":2,"steps":2}"#;
const BASE: &str = r#"{"machine":"one","step":"base","event":"finished","changes":1,"took":0.1}"#;
const DONE: &str = r#"{"event":"end","changes":2,"failed":[],"skipped":[],"stopped":false,"unreachable":{},"obstacles":[],"took":0.2}"#;
const STOPPED: &str = r#"{"event":"end","changes":1,"failed":[],"skipped":[],"stopped":true,"unreachable":{},"obstacles":[],"took":0.2}"#;

const MINIMAL: &str = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  \
                       machines: [{ name: one, address: 10.80.0.11, roles: [control-plane] }]\n";

/// A daemon's folder, with a program in it.
struct Place {
    folder: tempfile::TempDir,
    store: Arc<Sqlite>,
}

impl Place {
    async fn new(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
        let place = Self {
            folder,
            store: Arc::new(store),
        };
        let text = format!(
            "#!/bin/sh\necho $$ >>{}\n{program}\n",
            place.path("begun").display()
        );
        std::fs::write(place.path("program"), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.path("program"), mode).unwrap();
        let cluster = Cluster {
            file: "kind: Cluster\n".into(),
            origin: None,
            claim: None,
            owner: "anna".into(),
            created: jiff::Timestamp::now(),
            expires: None,
            lifetime: None,
            phase: Phase::New,
            message: None,
            address: None,
            runs: 0,
        };
        place.store.add("home", cluster).await.unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn runs(&self) -> Arc<Runs> {
        let settings = Settings {
            data: self.folder.path().into(),
            program: self.path("program"),
            tries: 3,
        };
        Runs::new(self.store.clone(), settings)
    }

    /// A daemon on threads of its own, which can be ended in the middle of everything.
    fn daemon(&self) -> (Arc<Runs>, Runtime, watch::Sender<bool>) {
        let runtime = Runtime::new().unwrap();
        let runs = self.runs();
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(runs.clone().supervise(stopped));
        (runs, runtime, stop)
    }

    async fn until(&self, what: &str, condition: impl Fn(&Run) -> bool) -> Run {
        let begin = Instant::now();
        loop {
            let run = self.store.need::<Run>("home-1").await.unwrap().it;
            if condition(&run) {
                return run;
            }
            assert!(begin.elapsed() < LIMIT, "{what}: {run:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn over(&self) -> Run {
        self.until("it is over", |run| run.state.is_over()).await
    }

    async fn events(&self) -> Vec<String> {
        let log = Log::Run("home-1".into());
        let lines = self.store.read(&log, 0, usize::MAX).await.unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }

    async fn cluster(&self) -> Cluster {
        self.store.need::<Cluster>("home").await.unwrap().it
    }

    /// How often the program was started.
    fn begun(&self) -> usize {
        let text = std::fs::read_to_string(self.path("begun")).unwrap_or_default();
        text.lines().count()
    }
}

fn anna() -> Actor {
    Actor::User("anna".into())
}

fn say(lines: &[&str]) -> String {
    let words = lines.iter().map(|line| format!("echo '{line}'"));
    words.collect::<Vec<_>>().join("\n")
}

/// Goes on once a file is there.
fn wait_for(place: &str) -> String {
    format!("while ! [ -e \"${{0%/*}}/{place}\" ]; do sleep 0.01; done")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_carried_out_and_told() {
    let said = format!(
        "cat >\"${{0%/*}}/given\" <\"$6\"; echo \"$@\" >\"${{0%/*}}/words\"\n{}",
        say(&[BEGIN, BASE, DONE])
    );
    let place = Place::new(&said).await;
    let (runs, runtime, _stop) = place.daemon();
    let made = runs.accept("home", Verb::Up, anna()).await.unwrap();
    assert_eq!(made.name, "home-1");
    let run = place.over().await;
    assert_eq!(run.state, State::Ended(End::Done));
    assert_eq!((run.progress.done, run.progress.total), (1, 2));
    assert!(run.started.is_some() && run.ended.is_some());
    assert_eq!(place.events().await, [BEGIN, BASE, DONE]);
    assert_eq!(place.cluster().await.phase, Phase::Ready);
    let words = std::fs::read_to_string(place.path("words")).unwrap();
    assert!(
        words.starts_with("up --yes --output json --file /"),
        "{words}"
    );
    let given = std::fs::read_to_string(place.path("given")).unwrap();
    assert_eq!(given, "kind: Cluster\n");
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_at_once_one_is_accepted() {
    let place = Place::new(&wait_for("go")).await;
    let (runs, runtime, _stop) = place.daemon();
    let all = (0..10).map(|_| {
        let runs = runs.clone();
        tokio::spawn(async move { runs.accept("home", Verb::Up, anna()).await })
    });
    let mut accepted = 0;
    for one in all.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(run) => {
                assert_eq!(run.name, "home-1");
                accepted += 1;
            }
            Err(Error::Busy { run }) => assert_eq!(run, "home-1"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(accepted, 1);
    std::fs::write(place.path("go"), "").unwrap();
    // It ends without an event about it.
    let run = place.over().await;
    assert_eq!(run.state, State::Ended(End::Failed));
    assert_eq!(place.begun(), 1);
    let next = runs.accept("home", Verb::Up, anna()).await.unwrap();
    assert_eq!(next.name, "home-2");
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_while_the_daemon_is_away_and_is_found_again() {
    let said = [say(&[BEGIN, BASE]), wait_for("go"), say(&[DONE])].join("\n");
    let place = Place::new(&said).await;
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    place
        .until("one is done", |run| run.progress.done == 1)
        .await;
    runtime.shutdown_background();
    drop(runs);
    let (_runs, runtime, _stop) = place.daemon();
    std::fs::write(place.path("go"), "").unwrap();
    let run = place.over().await;
    assert_eq!((run.state, run.tries), (State::Ended(End::Done), 1));
    assert_eq!(place.begun(), 1, "nothing is run twice");
    assert_eq!(place.events().await, [BEGIN, BASE, DONE], "nor told twice");
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_while_the_daemon_was_away_is_not_begun_again() {
    let said = [
        say(&[BEGIN]),
        wait_for("go"),
        say(&[BASE, DONE]),
        "echo >\"${0%/*}/ended\"".into(),
    ];
    let place = Place::new(&said.join("\n")).await;
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Down, anna()).await.unwrap();
    place
        .until("it is under way", |run| run.progress.total == 2)
        .await;
    runtime.shutdown_background();
    std::fs::write(place.path("go"), "").unwrap();
    let begin = Instant::now();
    while !place.path("ended").exists() {
        assert!(begin.elapsed() < LIMIT, "it ends");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (_runs, runtime, _stop) = place.daemon();
    assert_eq!(place.over().await.state, State::Ended(End::Done));
    assert_eq!(place.begun(), 1);
    assert_eq!(place.cluster().await.phase, Phase::Gone);
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_is_begun_again_a_few_times() {
    let place = Place::new(&[say(&[BEGIN]).as_str(), "kill -9 $$"].join("\n")).await;
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    let run = place.over().await;
    assert_eq!(run.state, State::Ended(End::Failed));
    assert_eq!(place.begun(), 3);
    let why = run.reason.unwrap();
    assert!(why.contains("begun 3 times"), "{why}");
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_said_explains_an_end_without_events() {
    let place = Place::new("echo 'error[unknown-key]: no such key' >&2; exit 2").await;
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    let run = place.over().await;
    assert_eq!(run.state, State::Ended(End::Failed));
    assert_eq!(run.reason.unwrap(), "error[unknown-key]: no such key");
    assert_eq!(place.begun(), 1);
    let cluster = place.cluster().await;
    assert_eq!(cluster.phase, Phase::Failed);
    assert!(cluster.message.unwrap().contains("unknown-key"));
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_as_by_control_c() {
    let said = [
        format!("stopped() {{ echo '{STOPPED}'; exit 130; }}\ntrap stopped INT"),
        say(&[BEGIN]),
        wait_for("never"),
    ];
    let place = Place::new(&said.join("\n")).await;
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    place
        .until("it is under way", |run| run.progress.total == 2)
        .await;
    runs.cancel("home-1").await.unwrap();
    assert_eq!(place.over().await.state, State::Ended(End::Cancelled));
    let late = runs.cancel("home-1").await;
    assert!(matches!(late, Err(Error::Over { .. })), "{late:?}");
    runtime.shutdown_background();
}

/// Not every part of a run says that it was stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_that_ends_without_a_word_is_not_begun_again() {
    let said = [say(&[BEGIN]), wait_for("never")];
    let place = Place::new(&said.join("\n")).await;
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    place
        .until("it is under way", |run| run.progress.total == 2)
        .await;
    runs.cancel("home-1").await.unwrap();
    let run = place.over().await;
    assert_eq!((run.state, run.tries), (State::Ended(End::Cancelled), 1));
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_carried_out_as_its_origin_wants() {
    let record = "echo \"$*\" >>\"${0%/*}/arguments\"";
    let place = Place::new(&[record, &say(&[BEGIN, DONE])].join("\n")).await;
    let change = |cluster: &mut Cluster| {
        cluster.origin = Some(Origin::Lab);
        cluster.file = MINIMAL.into();
        Ok::<_, bramble_store::Error>(())
    };
    place.store.change("home", change).await.unwrap();
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    place.over().await;
    let arguments = std::fs::read_to_string(place.path("arguments")).unwrap();
    assert!(arguments.starts_with("up --lab --yes "), "{arguments}");
    let cluster = place.cluster().await;
    assert_eq!(cluster.address.as_deref(), Some("https://10.80.0.11:6443"));
    runs.accept("home", Verb::Down, anna()).await.unwrap();
    let begin = Instant::now();
    while place.cluster().await.phase != Phase::Gone {
        assert!(begin.elapsed() < LIMIT, "{:?}", place.cluster().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(place.cluster().await.address, None);
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_for_a_cluster_that_was_forgotten() {
    let place = Place::new(&say(&[BEGIN, DONE])).await;
    let accepted = place.runs().accept("home", Verb::Up, anna()).await;
    accepted.unwrap();
    let key = Key::new(Kind::Cluster, "home");
    place.store.delete(&key, None).await.unwrap();
    let (_, runtime, _stop) = place.daemon();
    let run = place.over().await;
    assert_eq!(run.state, State::Ended(End::Cancelled));
    assert_eq!(run.reason.as_deref(), Some("its cluster was forgotten"));
    assert_eq!(place.begun(), 0);
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_named() {
    let place = Place::new("").await;
    std::fs::remove_file(place.path("program")).unwrap();
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    let why = place.over().await.reason.unwrap();
    assert!(why.contains("program could not be started"), "{why}");
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_over_can_be_forgotten() {
    let place = Place::new(&say(&[BEGIN, DONE])).await;
    let (runs, runtime, _stop) = place.daemon();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    place.over().await;
    runs.forget("home-1").await.unwrap();
    assert!(place.store.find::<Run>("home-1").await.unwrap().is_none());
    assert!(place.events().await.is_empty());
    assert!(!place.path("runs/home-1").exists());
    // Its number is not given again.
    let next = runs.accept("home", Verb::Up, anna()).await.unwrap();
    assert_eq!(next.name, "home-2");
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_runs_are_forgotten_and_those_under_way_never() {
    let place = Place::new(&say(&[BEGIN, DONE])).await;
    let (runs, runtime, stop) = place.daemon();
    for number in 1..=3 {
        runs.accept("home", Verb::Up, anna()).await.unwrap();
        let name = format!("home-{number}");
        let begin = Instant::now();
        while !place
            .store
            .need::<Run>(&name)
            .await
            .unwrap()
            .it
            .state
            .is_over()
        {
            assert!(begin.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // Nobody carries out what is asked for from now on.
    stop.send(true).unwrap();
    let ended = move || runtime.shutdown_timeout(LIMIT);
    tokio::task::spawn_blocking(ended).await.unwrap();
    runs.accept("home", Verb::Up, anna()).await.unwrap();
    assert_eq!(runs.prune(2).await.unwrap(), 2);
    let left = place.store.all::<Run>().await.unwrap();
    let left: Vec<&str> = left.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(left, ["home-3", "home-4"]);
    assert!(!place.path("runs/home-1").exists());
    assert_eq!(runs.prune(0).await.unwrap(), 1, "home-4 is not over");
}

#[tokio::test]
async fn folders_that_no_run_has_go_unless_something_lives_there() {
    let place = Place::new(&say(&[DONE])).await;
    let runs = place.runs();
    let kept = runs.accept("home", Verb::Up, anna()).await.unwrap();
    let process = |name: &str| {
        let folder = place.path("runs").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("events.jsonl"), DONE).unwrap();
        std::fs::File::create(folder.join("process")).unwrap()
    };
    let [_, living, _] = [&kept.name, "gone-1", "gone-2"].map(process);
    flock(&living, FlockOperation::LockExclusive).unwrap();
    assert_eq!(runs.sweep().await.unwrap(), 1);
    let left = std::fs::read_dir(place.path("runs")).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["gone-1", "home-1"]);
    drop(living);
    assert_eq!(runs.sweep().await.unwrap(), 1);
}
