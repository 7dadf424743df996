//! Whose the machines of the pool are, with several daemons and after their mishaps.

use async_trait::async_trait;
use bramble_server::origins::{Error, Origins, Wish};
use bramble_server::runs::{Runs, Settings};
use bramble_store::record::{
    Actor, Cluster, End, Machine, Origin, Phase, Run, State, Template, Verb,
};
use bramble_store::{Change, Document, Error as StoreError, Key, Kind, Line, Log};
use bramble_store::{Sqlite, Store, Typed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Barrier, broadcast, watch};

/// A daemon's way to a store that others use as well: somebody forgets the cluster just when a run is made.
struct Way {
    store: Arc<Sqlite>,
    /// Clusters are made once all are here.
    together: Barrier,
    /// The answer to what makes a cluster gets lost.
    deaf: bool,
}

#[async_trait]
impl Store for Way {
    async fn get(&self, key: &Key) -> Result<Option<Document>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Document>, StoreError> {
        self.store.list(kind).await
    }

    async fn create(&self, key: &Key, body: Value) -> Result<Document, StoreError> {
        if key.kind == Kind::Run {
            let made = self.store.create(key, body).await;
            let cluster = Key::new(Kind::Cluster, "red");
            self.store.delete(&cluster, None).await?;
            return made;
        }
        if key.kind != Kind::Cluster {
            return self.store.create(key, body).await;
        }
        self.together.wait().await;
        let made = self.store.create(key, body).await;
        match self.deaf {
            false => made,
            true => Err(StoreError::Home {
                what: "make a resource",
                source: "no answer".into(),
            }),
        }
    }

    async fn replace(&self, document: &Document) -> Result<Document, StoreError> {
        self.store.replace(document).await
    }

    async fn delete(&self, key: &Key, version: Option<&str>) -> Result<bool, StoreError> {
        self.store.delete(key, version).await
    }

    async fn append(&self, log: &Log, lines: Vec<String>) -> Result<u64, StoreError> {
        self.store.append(log, lines).await
    }

    async fn read(&self, log: &Log, behind: u64, limit: usize) -> Result<Vec<Line>, StoreError> {
        self.store.read(log, behind, limit).await
    }

    async fn read_back(
        &self,
        log: &Log,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        self.store.read_back(log, before, limit).await
    }

    async fn prune(&self, log: &Log, up_to: u64) -> Result<(), StoreError> {
        self.store.prune(log, up_to).await
    }

    async fn forget(&self, log: &Log) -> Result<(), StoreError> {
        self.store.forget(log).await
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.store.changes()
    }
}

/// A store with so many machines, and a template of one.
async fn pool(folder: &Path, machines: u8) -> Arc<Sqlite> {
    let store = Arc::new(Sqlite::open(&folder.join("b.db")).await.unwrap());
    for last in 1..=machines {
        let machine = Machine {
            address: std::net::Ipv4Addr::new(192, 0, 2, last).into(),
            user: None,
            host_key: None,
            labels: BTreeMap::new(),
            claim: None,
        };
        store.add(&format!("pi-{last}"), machine).await.unwrap();
    }
    let one = Template {
        origin: Origin::Pool,
        control_planes: 1,
        workers: 0,
        labels: BTreeMap::new(),
        spec: serde_json::Map::new(),
    };
    store.add("one", one).await.unwrap();
    store
}

fn runs(folder: &Path, store: Arc<dyn Store>) -> Arc<Runs> {
    let settings = Settings {
        data: folder.into(),
        program: "/bin/true".into(),
        tries: 1,
    };
    Runs::new(store, settings)
}

fn wish(name: &str) -> Wish<'_> {
    Wish {
        name,
        template: "one",
        plugin: None,
        lifetime: None,
        owner: "anna",
    }
}

/// Machines that are somebody's, with the ids of their claims.
async fn claimed(store: &Sqlite) -> Vec<(String, Option<String>)> {
    let all = store.all::<Machine>().await.unwrap();
    let claims = all.into_iter().filter_map(|m| Some((m.name, m.it.claim?)));
    claims.map(|(name, claim)| (name, claim.id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_leaves_the_machines_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = pool(folder.path(), 3).await;
    // One store, as all daemons see it, and one gate.
    let way = Arc::new(Way {
        store: store.clone(),
        together: Barrier::new(2),
        deaf: false,
    });
    let daemon = || Origins::new(way.clone(), runs(folder.path(), way.clone()));
    let (one, other) = (daemon(), daemon());
    let (one, other) = tokio::join!(one.make(wish("red")), other.make(wish("red")));
    let (made, refused) = match (one, other) {
        (Ok(made), Err(refused)) | (Err(refused), Ok(made)) => (made, refused),
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, Error::Taken(_)), "{refused}");
    let file = bramble_spec::load("bramble.yaml", &made.it.file).unwrap_or_else(|p| panic!("{p}"));
    let own = (file.machines[0].name.clone(), made.it.claim);
    assert!(own.1.is_some());
    assert_eq!(claimed(&store).await, [own]);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_a_cluster_that_may_be_there_stay_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = pool(folder.path(), 1).await;
    let way = Arc::new(Way {
        store: store.clone(),
        together: Barrier::new(1),
        deaf: true,
    });
    let origins = Origins::new(way.clone(), runs(folder.path(), way));
    let lost = origins.make(wish("red")).await.unwrap_err();
    assert!(
        matches!(lost, Error::Store(StoreError::Home { .. })),
        "{lost}"
    );
    let made = store.need::<Cluster>("red").await.unwrap();
    assert_eq!(claimed(&store).await, [("pi-1".into(), made.it.claim)]);
}

/// As after `down`, when the keeper has been there.
async fn gone(store: &Sqlite, cluster: &str) {
    let change = |it: &mut Cluster| {
        it.phase = Phase::Gone;
        Ok::<_, StoreError>(())
    };
    let gone = store.change(cluster, change).await.unwrap().it;
    for machine in store.all::<Machine>().await.unwrap() {
        let free = |it: &mut Machine| {
            it.claim.take_if(|claim| claim.id == gone.claim);
            Ok::<_, StoreError>(())
        };
        store.change(&machine.name, free).await.unwrap();
    }
}

fn by() -> Actor {
    Actor::User("anna".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_comes_up_again_takes_its_machines_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = pool(folder.path(), 1).await;
    let runs = runs(folder.path(), store.clone());
    let origins = Origins::new(store.clone(), runs.clone());
    origins.make(wish("red")).await.unwrap();
    gone(&store, "red").await;
    origins.make(wish("blue")).await.unwrap();
    let theirs = claimed(&store).await;

    let refused = runs.accept("red", Verb::Up, by()).await.unwrap_err();
    assert_eq!(refused.to_string(), "machine pi-1 is cluster blue's now");
    assert!(refused.hint().unwrap().contains("another cluster"));
    let refused = runs.accept("red", Verb::Down, by()).await.unwrap_err();
    assert_eq!(refused.to_string(), "cluster red is gone already");
    assert_eq!(claimed(&store).await, theirs);
    assert!(store.all::<Run>().await.unwrap().is_empty());

    gone(&store, "blue").await;
    runs.accept("red", Verb::Up, by()).await.unwrap();
    let red = store.need::<Cluster>("red").await.unwrap().it;
    assert_ne!(red.phase, Phase::Gone);
    let own = [("pi-1".to_owned(), red.claim)];
    assert_eq!(claimed(&store).await, own);
    let few = origins.make(wish("green")).await.unwrap_err();
    assert!(matches!(few, Error::Few { free: 0, .. }), "{few}");
    // A look of the keeper changes nothing of that.
    let stop = watch::channel(false).0;
    tokio::spawn(origins.keep(stop.subscribe()));
    let machine = store.need::<Machine>("pi-1").await.unwrap();
    let mut stray = machine.it.clone();
    stray.address = "192.0.2.99".parse().unwrap();
    stray.claim.as_mut().unwrap().id = Some("stray".into());
    store.add("stray", stray).await.unwrap();
    let begin = std::time::Instant::now();
    while claimed(&store).await.len() > 1 {
        assert!(begin.elapsed().as_secs() < 30, "the keeper looks");
        // A change of a cluster is what it looks after.
        let touch = |it: &mut Cluster| {
            it.message = Some(format!("{:?}", begin.elapsed()));
            Ok::<_, StoreError>(())
        };
        store.change("red", touch).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(claimed(&store).await, own);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_comes_up_again_needs_its_network() {
    let folder = tempfile::tempdir().unwrap();
    let store = pool(folder.path(), 0).await;
    let runs = runs(folder.path(), store.clone());
    let origins = Origins::new(store.clone(), runs.clone());
    let change = |it: &mut Template| {
        it.origin = Origin::Lab;
        Ok::<_, StoreError>(())
    };
    store.change("one", change).await.unwrap();
    origins.make(wish("red")).await.unwrap();
    gone(&store, "red").await;
    origins.make(wish("blue")).await.unwrap();
    let refused = runs.accept("red", Verb::Up, by()).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.ends_with("is cluster blue's now"), "{said}");
    gone(&store, "blue").await;
    runs.accept("red", Verb::Up, by()).await.unwrap();
    let refused = runs.accept("blue", Verb::Up, by()).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.ends_with("is cluster red's now"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_cluster_that_is_forgotten_meanwhile_is_not_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let store = pool(folder.path(), 1).await;
    let way = Arc::new(Way {
        store: store.clone(),
        together: Barrier::new(1),
        deaf: false,
    });
    let runs = runs(folder.path(), way.clone());
    let origins = Origins::new(way, runs.clone());
    origins.make(wish("red")).await.unwrap();
    let refused = runs.accept("red", Verb::Up, by()).await.unwrap_err();
    assert!(
        matches!(
            &refused,
            bramble_server::runs::Error::Store(StoreError::Missing(_))
        ),
        "{refused}"
    );
    let run = store.need::<Run>("red-1").await.unwrap().it;
    assert_eq!(run.state, State::Ended(End::Cancelled));
}
