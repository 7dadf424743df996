//! Several daemons with one store in a real Kubernetes API.

use crate::apiserver::ApiServer;
use bramble_server::controller::control;
use bramble_server::leader::{Lost, lead};
use bramble_server::lifeline;
use bramble_server::replica::{Error as ReplicaError, Replica};
use bramble_server::runs::{Runs, Settings};
use bramble_store::record::{Actor, Cluster, End, Phase, Run, State, Verb};
use bramble_store::{Kubernetes, Log, Store, Terms, Typed};
use rustix::fs::{FlockOperation, flock};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

const BEGIN: &str = r#"{"event":"begin","changes":2,"steps":2}"#;
const BASE: &str = r#"{"machine":"one","step":"base","event":"finished","changes":1,"took":0.1}"#;
const AGAIN: &str = r#"{"event":"begin","changes":1,"steps":1}"#;
const DONE: &str = r#"{"event":"end","changes":2,"failed":[],"skipped":[],"stopped":false,"unreachable":{},"obstacles":[],"took":0.2}"#;

const MINIMAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/minimal.yaml");

/// Quick enough for what no process depends on.
fn quick() -> Terms {
    Terms {
        duration: Duration::from_secs(3),
        renew: Duration::from_millis(300),
        request: Duration::from_millis(700),
        give_up: Duration::from_secs(2),
        look: Duration::from_millis(100),
    }
}

/// One daemon on threads of its own, which can be ended in the middle of everything.
struct Daemon {
    runtime: Option<Runtime>,
    runs: Arc<Runs>,
    stop: watch::Sender<bool>,
    leading: Option<JoinHandle<Result<(), Lost>>>,
    folder: TempDir,
}

impl Daemon {
    fn start(server: &ApiServer, namespace: &str, program: &Path, terms: Terms) -> Self {
        let folder = TempDir::new().unwrap();
        let runtime = Runtime::new().unwrap();
        let replica = Arc::new(Replica::open(folder.path()).unwrap());
        let store = std::thread::scope(|scope| {
            scope
                .spawn(|| runtime.block_on(server.store(namespace)))
                .join()
                .unwrap()
        });
        let store = Arc::new(store);
        let settings = Settings {
            data: folder.path().into(),
            program: program.into(),
            tries: 5,
        };
        let runs = Runs::shared(store.clone(), settings, replica.clone());
        let (stop, stopped) = watch::channel(false);
        let candidate = store.candidate(replica.name(), terms);
        let leading = runtime.spawn({
            let runs = runs.clone();
            async move {
                let work = |told: watch::Receiver<bool>| async move {
                    tokio::join!(
                        runs.clone().supervise(told.clone()),
                        control(store, runs, told)
                    );
                };
                lead(candidate, &replica, stopped, work).await
            }
        });
        Self {
            runtime: Some(runtime),
            runs,
            stop,
            leading: Some(leading),
            folder,
        }
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A place for a program and what it leaves.
struct Place {
    server: &'static ApiServer,
    namespace: String,
    store: Kubernetes,
    folder: TempDir,
}

impl Place {
    async fn new() -> Option<Self> {
        let server = ApiServer::shared()?;
        let namespace = server.namespace();
        let store = server.store(&namespace).await;
        Some(Self {
            server,
            namespace,
            store,
            folder: TempDir::new().unwrap(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, text: &str) -> PathBuf {
        let path = self.path("program");
        std::fs::write(&path, format!("#!/bin/sh\ncd \"${{0%/*}}\"\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn daemon(&self, program: &Path, terms: Terms) -> Daemon {
        Daemon::start(self.server, &self.namespace, program, terms)
    }

    fn kubectl(&self, words: &[&str]) -> String {
        self.server
            .says(&[&["-n", self.namespace.as_str()], words].concat())
    }

    async fn cluster(&self) {
        let cluster = Cluster {
            file: std::fs::read_to_string(MINIMAL).unwrap(),
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
        self.store.add("home", cluster).await.unwrap();
    }

    async fn until(&self, run: &str, what: &str, condition: impl Fn(&Run) -> bool) -> Run {
        let begin = Instant::now();
        loop {
            let found = self.store.find::<Run>(run).await.unwrap();
            if let Some(found) = found.as_ref().filter(|found| condition(&found.it)) {
                return found.it.clone();
            }
            assert!(begin.elapsed() < LIMIT, "{what}: {found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn events(&self) -> Vec<String> {
        let log = Log::Run("home-1".into());
        let lines = self.store.read(&log, 0, usize::MAX).await.unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn anna() -> Actor {
    Actor::User("anna".into())
}

/// What a run's program does as long as its daemon leads; as a test of its own it does nothing.
#[test]
fn held() {
    if std::env::var_os(lifeline::VARIABLE).is_none() {
        return;
    }
    lifeline::hold();
    std::thread::sleep(LIMIT);
}

/// A program that begins, is at it for long, and finds the work done when it is begun again. It tells if two are
/// at it at once (one that nobody has waited for has no program any more).
fn long(place: &Place) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    place.program(&format!(
        "for other in $(cat begun 2>/dev/null); do\n\
         \x20 if [ -e /proc/$other/exe ]; then echo $other $$ >>overlap; fi\n\
         done\n\
         if [ -e begun ]; then echo $$ >>begun; echo '{AGAIN}'; echo '{BASE}'; echo '{DONE}'; exit; fi\n\
         echo $$ >>begun\n\
         echo '{BEGIN}'; echo '{BASE}'\n\
         exec '{}' --exact replicas::held --nocapture >/dev/null 2>&1",
        this.display()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_daemon_goes_on_with_the_run_of_one_that_was_killed() {
    let Some(place) = Place::new().await else {
        return;
    };
    let program = long(&place);
    let mut first = place.daemon(&program, Terms::default());
    place.cluster().await;
    // Asked by the other one, carried out by the one that leads.
    place.until_led().await;
    let other = place.daemon(&program, Terms::default());
    other.runs.accept("home", Verb::Up, anna()).await.unwrap();
    place
        .until("home-1", "it is under way", |run| run.progress.done == 1)
        .await;
    let killed = Instant::now();
    first.kill();
    let run = place
        .until("home-1", "it is over", |run| run.state.is_over())
        .await;
    assert!(
        killed.elapsed() < Duration::from_secs(20),
        "{:?}",
        killed.elapsed()
    );
    assert_eq!((run.state, run.tries), (State::Ended(End::Done), 2));
    assert_eq!((run.progress.done, run.progress.total), (2, 2));
    assert_eq!(place.events().await, [BEGIN, BASE, AGAIN, BASE, DONE]);
    assert_eq!(run.host.unwrap().behind, 2);
    assert_eq!(place.lines("begun").len(), 2);
    assert!(place.lines("overlap").is_empty(), "both were at it");
    assert!(!other.folder.path().join("runs/home-1/process").exists() || other.runtime.is_some());
}

impl Place {
    async fn until_led(&self) {
        let begin = Instant::now();
        while !self.kubectl(&["get", "leases"]).contains("bramble") {
            assert!(begin.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_told_to_stop_hands_over_at_once() {
    let Some(place) = Place::new().await else {
        return;
    };
    let program = long(&place);
    let mut first = place.daemon(&program, Terms::default());
    place.cluster().await;
    place.until_led().await;
    let other = place.daemon(&program, Terms::default());
    other.runs.accept("home", Verb::Up, anna()).await.unwrap();
    place
        .until("home-1", "it is under way", |run| run.progress.done == 1)
        .await;
    let told = Instant::now();
    first.stop.send_replace(true);
    let ended = first.leading.take().unwrap().await.unwrap();
    assert!(ended.is_ok());
    let run = place
        .until("home-1", "it is over", |run| run.state.is_over())
        .await;
    assert!(
        told.elapsed() < Duration::from_secs(8),
        "{:?}",
        told.elapsed()
    );
    assert_eq!(run.state, State::Ended(End::Done));
    assert!(place.lines("overlap").is_empty(), "both were at it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lives_from_an_earlier_lead_is_waited_for() {
    let Some(place) = Place::new().await else {
        return;
    };
    let program = place.program(&format!("echo $$ >>begun; echo '{DONE}'"));
    place.cluster().await;
    let daemon = place.daemon(&program, quick());
    place.until_led().await;
    // It led once and began the run; then another one led, and now this one leads again.
    let folder = daemon.folder.path().join("runs/home-1");
    std::fs::create_dir_all(&folder).unwrap();
    let process = std::fs::File::create(folder.join("process")).unwrap();
    flock(&process, FlockOperation::LockExclusive).unwrap();
    let run = daemon.runs.accept("home", Verb::Up, anna()).await.unwrap();
    // Longer than until it looks once more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(place.lines("begun").is_empty(), "two would be at it");
    assert!(folder.join("process").exists(), "it is known no more");
    drop(process);
    let run = place
        .until(&run.name, "it is over", |run| run.state.is_over())
        .await;
    assert_eq!((run.state, run.tries), (State::Ended(End::Done), 1));
    assert_eq!(place.lines("begun").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_loses_its_lead_ends() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let namespace = server.namespace();
    let mut daemon = Daemon::start(&server, &namespace, "/bin/false".as_ref(), quick());
    let begin = Instant::now();
    while !daemon.folder.path().join("lead").exists() {
        assert!(begin.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop();
    let stopped = Instant::now();
    let ended = daemon.leading.take().unwrap().await.unwrap();
    assert_eq!(ended, Err(Lost::Lead));
    assert!(
        stopped.elapsed() < quick().duration,
        "{:?}",
        stopped.elapsed()
    );
    assert!(!daemon.folder.path().join("lead").exists(), "its runs end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_told_to_stop_late_works_no_longer_than_it_leads() {
    /// Says when the work has ended.
    struct Ended(Option<oneshot::Sender<Instant>>);
    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(Instant::now());
        }
    }
    let Some(server) = ApiServer::start() else {
        return;
    };
    let namespace = server.namespace();
    let store = server.store(&namespace).await;
    let folder = TempDir::new().unwrap();
    let replica = Replica::open(folder.path()).unwrap();
    let candidate = store.candidate(replica.name(), quick());
    let (stop, stopped) = watch::channel(false);
    let (end, ended) = oneshot::channel();
    let (begin, begun) = oneshot::channel();
    let work = |_| async move {
        let _end = Ended(Some(end));
        begin.send(()).unwrap();
        std::future::pending::<()>().await;
    };
    let leading = tokio::spawn(async move { lead(candidate, &replica, stopped, work).await });
    begun.await.unwrap();
    server.stop();
    let last = Instant::now();
    // Renewals fail by now, and it has not given up.
    tokio::time::sleep(quick().give_up - quick().request).await;
    stop.send_replace(true);
    let ended = tokio::time::timeout(LIMIT, ended).await.unwrap().unwrap();
    assert!(
        ended < last + quick().duration + quick().look,
        "{:?}",
        ended - last
    );
    let _ = leading.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_is_known_to_those_who_do_not() {
    let Some(place) = Place::new().await else {
        return;
    };
    let _first = place.daemon("/bin/false".as_ref(), quick());
    place.until_led().await;
    let holder = "jsonpath={.spec.holderIdentity}";
    let first = place.kubectl(&["get", "lease", "bramble", "-o", holder]);
    let mut leader = place.store.leader();
    let other = place.store.candidate("other", quick());
    let waits = tokio::spawn(other.lead());
    let seen = leader.wait_for(Option::is_some);
    let seen = tokio::time::timeout(LIMIT, seen).await.unwrap().unwrap();
    assert_eq!(seen.as_deref(), Some(first.as_str()));
    waits.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_work_fails_ends_and_hands_over() {
    let Some(place) = Place::new().await else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let replica = Replica::open(folder.path()).unwrap();
    let candidate = place.store.candidate(replica.name(), Terms::default());
    let (_stop, stopped) = watch::channel(false);
    let work = |_| async { panic!("a duty") };
    let ended = tokio::time::timeout(LIMIT, lead(candidate, &replica, stopped, work)).await;
    assert_eq!(ended.expect("it ends"), Err(Lost::Work));
    assert!(!folder.path().join("lead").exists(), "its runs end");
    let holder = "jsonpath={.spec.holderIdentity}";
    let said = place.kubectl(&["get", "lease", "bramble", "-o", holder]);
    assert_eq!(said, "", "nobody waits for its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_makes_changes_and_takes_down_a_cluster() {
    let Some(place) = Place::new().await else {
        return;
    };
    let program = place.program(&format!(
        "echo \"$1\" >>verbs\necho '{BEGIN}'; echo '{DONE}'"
    ));
    let _daemon = place.daemon(&program, quick());
    place.kubectl(&["apply", "-f", MINIMAL]);
    place.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "cluster/home",
        "--timeout=30s",
    ]);
    place
        .until("home-1", "it is over", |run| {
            run.state == State::Ended(End::Done)
        })
        .await;
    let shown = place.kubectl(&["get", "clusters"]);
    assert!(
        shown.contains("Ready") && shown.contains("https://192.168.1.11:6443"),
        "{shown}"
    );
    // The same once more is nothing, another file is another run.
    place.kubectl(&["apply", "-f", MINIMAL]);
    let file = place.path("changed.yaml");
    let text = std::fs::read_to_string(MINIMAL).unwrap();
    std::fs::write(&file, text + "  kubernetes: { maxPods: 60 }\n").unwrap();
    place.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let run = place
        .until("home-2", "it is over", |run| run.state.is_over())
        .await;
    assert!(run.file.contains("maxPods"), "{}", run.file);
    assert_eq!(place.lines("verbs"), ["up", "up"]);
    // A mistake since then is no hindrance: it goes down with the file of what is there.
    let text = std::fs::read_to_string(MINIMAL).unwrap();
    std::fs::write(&file, text.replace("192.168.1.12", "192.168.1.11")).unwrap();
    place.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    place.kubectl(&["delete", "cluster", "home", "--timeout=30s"]);
    assert_eq!(place.lines("verbs"), ["up", "up", "down"]);
    assert!(
        place.store.all::<Run>().await.unwrap().is_empty(),
        "its runs are forgotten"
    );
    // A name is free again, with everything from the begin.
    place.kubectl(&["apply", "-f", MINIMAL]);
    place.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "cluster/home",
        "--timeout=30s",
    ]);
    let run = place
        .until("home-1", "it is over", |run| run.state.is_over())
        .await;
    assert_eq!(run.state, State::Ended(End::Done));
    assert_eq!(place.events().await, [BEGIN, DONE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_says_why() {
    let Some(place) = Place::new().await else {
        return;
    };
    let _daemon = place.daemon("/bin/false".as_ref(), quick());
    let file = place.path("wrong.yaml");
    let text = std::fs::read_to_string(MINIMAL).unwrap();
    std::fs::write(&file, text.replace("192.168.1.12", "192.168.1.11")).unwrap();
    place.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let begin = Instant::now();
    loop {
        let shown = place.kubectl(&["get", "clusters", "-o", "wide"]);
        if shown.contains("Failed") {
            assert!(shown.contains("`192.168.1.11` is given twice"), "{shown}");
            break;
        }
        assert!(begin.elapsed() < LIMIT, "{shown}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(place.store.all::<Run>().await.unwrap().is_empty());
    // Nothing was done, so there is nothing to wait for.
    place.kubectl(&["delete", "cluster", "home", "--timeout=20s"]);
}

#[test]
fn a_folder_is_one_daemons() {
    let folder = TempDir::new().unwrap();
    let one = Replica::open(folder.path()).unwrap();
    let second = Replica::open(folder.path());
    assert!(
        matches!(second, Err(ReplicaError::Taken { .. })),
        "{second:?}"
    );
    let name = one.name().to_owned();
    drop(one);
    assert_eq!(Replica::open(folder.path()).unwrap().name(), name);
}

#[test]
fn a_copied_folder_is_another_daemons() {
    let (folder, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let one = Replica::open(folder.path()).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let other = Replica::open(copy.path()).unwrap();
    assert_ne!(other.name(), one.name(), "both would lead");
    let name = other.name().to_owned();
    drop(other);
    assert_eq!(Replica::open(copy.path()).unwrap().name(), name);
}
