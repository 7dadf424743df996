//! The clusters that stand, watched by their own API. The program is a script that gives the access to a real one.

use crate::apiserver::ApiServer;
use crate::daemon::{Daemon, FILE};
use async_trait::async_trait;
use bramble_lights::Lights;
use bramble_lights::file;
use bramble_server::lights::clusters::watch;
use bramble_store::record::{Cluster, Origin, Phase};
use bramble_store::{Change, Document, Error, Key, Line, Log, Store, Typed};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::broadcast;

/// Long enough for a slow computer.
const LONG: Duration = Duration::from_secs(60);

/// Says what `bramble kubeconfig --print` says, once the file is there.
const PROGRAM: &str = "[ \"$1 $2\" = 'kubeconfig --print' ] || exit 2
[ -e \"$(dirname \"$0\")/admin.conf\" ] || { echo 'error: one: no route to host' >&2; exit 4; }
cat \"$(dirname \"$0\")/admin.conf\"";

const RULES: &str =
    "apiVersion: bramble.dev/v1alpha1\nkind: Lights\nalive: [{ source: watch, within: 3s }]\n";

/// A node registers itself with its status.
const NODE: &str = "apiVersion: v1\nkind: Node\nmetadata: { name: one }\nstatus:\n  conditions: [{ type: Ready, status: 'False', reason: KubeletNotReady, message: no network }]\n";

async fn until(daemon: &Daemon, what: &str, fits: impl Fn(&Lights) -> bool) -> Arc<Lights> {
    let mut shown = daemon.app.lights.shown();
    match tokio::time::timeout(LONG, shown.wait_for(|lights| fits(lights))).await {
        Ok(lights) => lights.unwrap().clone(),
        Err(_) => panic!("{what}: {:#?}", daemon.app.lights.lights()),
    }
}

async fn add(daemon: &Daemon, name: &str, origin: Option<Origin>) {
    let cluster = Cluster {
        file: FILE.replace("home", name),
        origin,
        claim: None,
        owner: "anna".into(),
        created: Timestamp::now(),
        expires: None,
        lifetime: None,
        phase: Phase::Ready,
        message: None,
        address: None,
        runs: 1,
    };
    daemon.app.store.add(name, cluster).await.unwrap();
}

/// The admin's kubeconfig in one piece.
fn access(server: &ApiServer) -> String {
    server.says(&["config", "view", "--raw", "--flatten"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_stands_is_watched_until_it_is_taken_down() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let daemon = Daemon::new(PROGRAM).await;
    let rules = file::load("lights.yaml", RULES).unwrap();
    daemon.app.lights.set_rules(rules);
    let (lights, store) = (daemon.app.lights.clone(), daemon.app.store.clone());
    let watching = tokio::spawn(watch(lights, store, daemon.app.asker.clone()));
    let timer = daemon.app.lights.clone();
    let timing = tokio::spawn(async move { timer.run().await });
    // A platform's cluster has no machines that could be asked.
    add(&daemon, "far", Some(Origin::Ccp)).await;
    add(&daemon, "home", None).await;
    let unknown = until(&daemon, "no access yet", |l| l.word() == "unknown").await;
    assert_eq!(unknown.unknown, ["watch home"]);
    std::fs::write(daemon.folder.path().join("admin.conf"), access(&server)).unwrap();
    until(&daemon, "it is watched", |l| l.word() == "green").await;

    let path = daemon.folder.path().join("node.yaml");
    std::fs::write(&path, NODE).unwrap();
    server.says(&["create", "-f", path.to_str().unwrap()]);
    let red = until(&daemon, "the node is down", |l| l.word() == "red").await;
    let reason = &red.reasons[0];
    assert_eq!(
        (
            reason.cluster.as_deref(),
            &*reason.signal.name,
            &*reason.signal.reason
        ),
        (Some("home"), "one", "NotReady")
    );
    server.stop();
    let both = until(&daemon, "it is silent", |l| !l.unknown.is_empty()).await;
    assert_eq!(
        (both.word(), &*both.unknown),
        ("red", &["watch home".to_owned()][..])
    );

    // Nobody misses what is taken down.
    let changed = daemon
        .app
        .store
        .change::<Cluster, bramble_store::Error, _>("home", |it| {
            it.phase = Phase::Removing;
            Ok(())
        });
    changed.await.unwrap();
    until(&daemon, "it is taken down", |l| l.word() == "green").await;
    watching.abort();
    timing.abort();
}

/// A store that can't be read at first.
struct Away {
    store: Arc<dyn Store>,
    was_asked: AtomicBool,
}

#[async_trait]
impl Store for Away {
    async fn get(&self, key: &Key) -> Result<Option<Document>, Error> {
        self.store.get(key).await
    }

    async fn list(&self, kind: bramble_store::Kind) -> Result<Vec<Document>, Error> {
        match self.was_asked.swap(true, Ordering::SeqCst) {
            true => self.store.list(kind).await,
            false => Err(Error::Closed),
        }
    }

    async fn create(&self, key: &Key, body: serde_json::Value) -> Result<Document, Error> {
        self.store.create(key, body).await
    }

    async fn replace(&self, document: &Document) -> Result<Document, Error> {
        self.store.replace(document).await
    }

    async fn delete(&self, key: &Key, version: Option<&str>) -> Result<bool, Error> {
        self.store.delete(key, version).await
    }

    async fn append(&self, log: &Log, lines: Vec<String>) -> Result<u64, Error> {
        self.store.append(log, lines).await
    }

    async fn read(&self, log: &Log, behind: u64, limit: usize) -> Result<Vec<Line>, Error> {
        self.store.read(log, behind, limit).await
    }

    async fn read_back(&self, log: &Log, before: u64, limit: usize) -> Result<Vec<Line>, Error> {
        self.store.read_back(log, before, limit).await
    }

    async fn prune(&self, log: &Log, up_to: u64) -> Result<(), Error> {
        self.store.prune(log, up_to).await
    }

    async fn forget(&self, log: &Log) -> Result<(), Error> {
        self.store.forget(log).await
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.store.changes()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_are_watched_also_where_the_store_was_away_at_the_start() {
    let daemon = Daemon::new(PROGRAM).await;
    let rules = file::load("lights.yaml", RULES).unwrap();
    daemon.app.lights.set_rules(rules);
    add(&daemon, "home", None).await;
    let (lights, store) = (daemon.app.lights.clone(), daemon.app.store.clone());
    let store = Arc::new(Away {
        store,
        was_asked: AtomicBool::default(),
    });
    let watching = tokio::spawn(watch(lights, store, daemon.app.asker.clone()));
    let unknown = until(&daemon, "it is missed", |l| l.word() == "unknown").await;
    assert_eq!(unknown.unknown, ["watch home"]);
    watching.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_that_do_not_answer_keep_nobody_waiting() {
    let daemon = Daemon::new(
        "[ \"$1\" = kubeconfig ] || exec echo well
echo asked >>\"$(dirname \"$0\")/asked\"; exec sleep 100",
    )
    .await;
    for name in ["a", "b", "c", "d", "e"] {
        add(&daemon, name, None).await;
    }
    let (lights, store) = (daemon.app.lights.clone(), daemon.app.store.clone());
    let watching = tokio::spawn(watch(lights, store, daemon.app.asker.clone()));
    let asked = || std::fs::read_to_string(daemon.folder.path().join("asked")).unwrap_or_default();
    let begin = std::time::Instant::now();
    while asked().lines().count() < 2 {
        assert!(begin.elapsed() < LONG, "they are asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let question = ["status".to_owned()];
    for _ in 0..8 {
        let answer = daemon.app.asker.ask(&question, FILE);
        let answer = tokio::time::timeout(LONG, answer).await.expect("at once");
        assert_eq!(answer.unwrap().stdout, b"well\n");
    }
    assert_eq!(asked().lines().count(), 2, "the others wait");
    watching.abort();
}
