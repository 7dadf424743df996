//! Who takes the orders: runs are accepted as the daemon does, and carried out by the test.

use async_trait::async_trait;
use bramble_server::buttons::{Orders, Refusal};
use bramble_server::runs::{self, Runs};
use bramble_store::record::{Actor, Cluster, End, Phase, Profile, Progress, Run, State, Verb};
use bramble_store::{Store, Typed};
use jiff::Timestamp;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

pub const ADDRESS: &str = "https://10.77.0.5:6443";

pub struct Till {
    store: Arc<dyn Store>,
    runs: Arc<Runs>,
    /// Why nothing is taken, if so.
    pub refuses: Mutex<Option<String>>,
    /// The next order is taken, and nobody hears of it.
    pub mute: AtomicBool,
    /// Orders wait for this.
    pub open: watch::Sender<bool>,
    /// What was ordered.
    pub orders: Mutex<Vec<String>>,
}

impl Till {
    pub fn new(store: Arc<dyn Store>, folder: &Path) -> Arc<Self> {
        let settings = runs::Settings {
            data: folder.into(),
            program: "/bin/false".into(),
            tries: 1,
        };
        Arc::new(Self {
            runs: Runs::new(store.clone(), settings),
            store,
            refuses: Mutex::default(),
            mute: AtomicBool::default(),
            open: watch::channel(true).0,
            orders: Mutex::default(),
        })
    }

    pub fn orders(&self) -> Vec<String> {
        self.orders.lock().unwrap().clone()
    }

    async fn take(&self, button: &str, cluster: &str, verb: Verb) -> Result<String, Refusal> {
        if let Some(reason) = self.refuses.lock().unwrap().clone() {
            return Err(Refusal::new(reason));
        }
        let under_way = self.under_way().await;
        let owner = format!("button/{button}");
        for run in &under_way {
            let other = self.store.need::<Cluster>(&run.cluster).await.unwrap();
            assert_ne!(
                other.it.owner, owner,
                "a second run of {button}: {under_way:?}"
            );
        }
        self.orders
            .lock()
            .unwrap()
            .push(format!("{verb:?} {cluster}"));
        let by = Actor::Button(button.into());
        let accepted = self.runs.accept(cluster, verb, by).await;
        accepted
            .map(|run| run.name)
            .map_err(|e| Refusal::new(e.to_string()))
    }

    /// Runs that are not over.
    pub async fn under_way(&self) -> Vec<Run> {
        let all = self.store.all::<Run>().await.unwrap();
        all.into_iter()
            .map(|run| run.it)
            .filter(|run| !run.state.is_over())
            .collect()
    }

    /// The only run that is not over.
    pub async fn only(&self) -> String {
        let all = self.store.all::<Run>().await.unwrap();
        let mut open = all.into_iter().filter(|run| !run.it.state.is_over());
        let run = open.next().expect("a run is under way");
        assert_eq!(open.next(), None);
        run.name
    }

    /// A run comes so far.
    pub async fn comes(&self, run: &str, done: u32, total: u32, step: &str) {
        let change = |it: &mut Run| {
            it.state = State::Running;
            it.progress = Progress {
                done,
                total,
                step: step.into(),
            };
            Ok::<_, bramble_store::Error>(())
        };
        self.store.change(run, change).await.unwrap();
    }

    /// A run ends: the cluster says so first, as with the daemon's own.
    pub async fn ends(&self, run: &str, end: End, why: Option<&str>) {
        let found = self.store.need::<Run>(run).await.unwrap().it;
        let phase = match (found.verb, end) {
            (Verb::Up, End::Done) => Phase::Ready,
            (Verb::Down, End::Done) => Phase::Gone,
            _ => Phase::Failed,
        };
        let cluster = |it: &mut Cluster| {
            it.phase = phase;
            it.message = why.map(str::to_owned);
            it.address = (phase == Phase::Ready).then(|| ADDRESS.to_owned());
            Ok::<_, bramble_store::Error>(())
        };
        self.store.change(&found.cluster, cluster).await.unwrap();
        let run_of = |it: &mut Run| {
            it.state = State::Ended(end);
            it.reason = why.map(str::to_owned);
            Ok::<_, bramble_store::Error>(())
        };
        self.store.change(run, run_of).await.unwrap();
    }
}

#[async_trait]
impl Orders for Till {
    async fn begin(&self, button: &str, _: &Profile, name: &str) -> Result<String, Refusal> {
        if let Some(reason) = self.refuses.lock().unwrap().clone() {
            return Err(Refusal::new(reason));
        }
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.unwrap();
        let cluster = Cluster {
            file: String::new(),
            origin: None,
            claim: None,
            owner: format!("button/{button}"),
            created: Timestamp::now(),
            expires: None,
            lifetime: None,
            phase: Phase::New,
            message: None,
            address: None,
            runs: 0,
        };
        match self.store.add(name, cluster).await {
            // Its own, once more.
            Ok(_) | Err(bramble_store::Error::Exists(_)) => {}
            Err(error) => panic!("{error}"),
        }
        if self.mute.swap(false, Ordering::SeqCst) {
            return Err(Refusal::unsure("the daemon's store failed"));
        }
        self.take(button, name, Verb::Up).await
    }

    async fn remove(&self, button: &str, cluster: &str) -> Result<String, Refusal> {
        self.take(button, cluster, Verb::Down).await
    }
}
