//! Clusters after templates, and what happens to their machines.

use bramble_server::buttons::Orders;
use bramble_server::origins::{Error, Origins, Wish};
use bramble_server::replica::Replica;
use bramble_server::runs::{Runs, Settings};
use bramble_spec::cluster::Role;
use bramble_store::record::{
    Actor, Cluster, End, Machine, Origin, Phase, Profile, Run, State, Template, Verb,
};
use bramble_store::{Key, Kind, Log, Sqlite, Store, Typed};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(30);

struct Place {
    folder: tempfile::TempDir,
    store: Arc<Sqlite>,
    runs: Arc<Runs>,
    origins: Arc<Origins>,
    stop: watch::Sender<bool>,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
        let store = Arc::new(store);
        let settings = Settings {
            data: folder.path().into(),
            program: "/bin/true".into(),
            tries: 1,
        };
        // Nobody carries runs out here: they stay accepted.
        let runs = Runs::new(store.clone(), settings);
        Self {
            folder,
            origins: Origins::new(store.clone(), runs.clone()),
            runs,
            store,
            stop: watch::channel(false).0,
        }
    }

    fn keep(&self) {
        tokio::spawn(self.origins.clone().keep(self.stop.subscribe()));
    }

    async fn machine(&self, name: &str, last: u8, labels: &[(&str, &str)]) {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let machine = Machine {
            address: std::net::Ipv4Addr::new(192, 0, 2, last).into(),
            user: Some("admin".into()),
            host_key: None,
            labels: labels.iter().map(pair).collect(),
            claim: None,
        };
        self.store.add(name, machine).await.unwrap();
    }

    async fn claims(&self) -> BTreeMap<String, String> {
        let all = self.store.all::<Machine>().await.unwrap();
        let claimed = |m: bramble_store::Stored<Machine>| Some((m.name, m.it.claim?.cluster));
        all.into_iter().filter_map(claimed).collect()
    }

    async fn template(&self, name: &str, template: Template) {
        Origins::check(&template).unwrap();
        self.store.add(name, template).await.unwrap();
    }

    async fn phase(&self, cluster: &str, phase: Phase) {
        let change = |it: &mut Cluster| {
            it.phase = phase;
            Ok::<_, bramble_store::Error>(())
        };
        self.store.change(cluster, change).await.unwrap();
    }
}

fn template(origin: Origin, control_planes: u8, workers: u16) -> Template {
    Template {
        origin,
        control_planes,
        workers,
        labels: BTreeMap::new(),
        spec: serde_json::Map::new(),
    }
}

fn wish<'a>(name: &'a str, template: &'a str) -> Wish<'a> {
    Wish {
        name,
        template,
        plugin: None,
        lifetime: None,
        owner: "anna",
    }
}

fn loaded(cluster: &Cluster) -> bramble_spec::Cluster {
    bramble_spec::load("bramble.yaml", &cluster.file).unwrap_or_else(|p| panic!("{p}"))
}

/// Waits until the store says so.
macro_rules! until {
    ($what:literal, $condition:expr) => {
        let begin = Instant::now();
        while !$condition {
            assert!(begin.elapsed() < LIMIT, $what);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_belong_to_one_cluster_until_it_is_gone() {
    let place = Place::new().await;
    for last in 1..=4 {
        place
            .machine(&format!("pi-{last}"), last, &[("rack", "a")])
            .await;
    }
    place.machine("other", 9, &[("rack", "b")]).await;
    let mut two = template(Origin::Pool, 1, 1);
    two.labels = [("rack".to_owned(), "a".to_owned())].into();
    place.template("two", two).await;

    let names = ["red", "green", "blue"];
    let made = names.map(|name| place.origins.make(wish(name, "two")));
    let made = futures::future::join_all(made).await;
    let (won, lost): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!(
        (won.len(), lost.len()),
        (2, 1),
        "four machines are two pairs"
    );
    let lost = lost.into_iter().next().unwrap().unwrap_err();
    assert!(
        matches!(
            &lost,
            Error::Few {
                free: 0,
                wanted: 2,
                ..
            }
        ),
        "{lost:?}"
    );
    assert_eq!(lost.to_string(), "0 of 2 machines are free (with rack=a)");
    let claims = place.claims().await;
    assert_eq!(claims.len(), 4);
    for made in won {
        let made = made.unwrap();
        let own = claims.values().filter(|c| **c == made.name).count();
        assert_eq!(own, 2);
        let file = loaded(&made.it);
        let roles: Vec<&[Role]> = file.machines.iter().map(|m| &m.roles[..]).collect();
        assert_eq!(roles, [[Role::ControlPlane], [Role::Worker]]);
        assert_eq!(file.machines[0].ssh.user, "admin");
        assert!(file.machines.iter().all(|m| claims[&m.name] == made.name));
    }
    place.keep();
    let first = place.store.all::<Cluster>().await.unwrap().remove(0).name;
    place.phase(&first, Phase::Gone).await;
    until!("its machines are free", place.claims().await.len() == 2);
    place.origins.make(wish("yellow", "two")).await.unwrap();
}

/// As after a daemon that was killed between the claim and the cluster.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_without_a_cluster_is_given_back() {
    let place = Place::new().await;
    place.machine("pi-1", 1, &[]).await;
    place.template("one", template(Origin::Pool, 1, 0)).await;
    place.origins.make(wish("red", "one")).await.unwrap();
    let key = Key::new(Kind::Cluster, "red");
    place.store.delete(&key, None).await.unwrap();
    assert_eq!(place.claims().await.len(), 1);
    place.keep();
    until!("it is free", place.claims().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_can_not_be_made_leaves_no_claim() {
    let place = Place::new().await;
    place.machine("pi-1", 1, &[]).await;
    let mut odd = template(Origin::Pool, 1, 0);
    odd.spec
        .insert("kubernetes".into(), json!({ "version": "v1.34.2" }));
    place.store.add("odd", odd.clone()).await.unwrap();
    let mut wished = wish("red", "odd");
    wished.plugin = Some("nothing-known");
    let error = place.origins.make(wished).await.unwrap_err();
    assert!(error.to_string().contains("podNetwork"), "{error}");
    assert!(place.claims().await.is_empty());
    place.origins.make(wish("red", "odd")).await.unwrap();
    let again = place.origins.make(wish("red", "odd")).await;
    assert!(matches!(again, Err(Error::Taken(_))), "{again:?}");
    let none = place.origins.make(wish("green", "nobody")).await;
    assert!(matches!(none, Err(Error::NoTemplate(_))), "{none:?}");
    assert_eq!(place.claims().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn labs_have_networks_of_their_own() {
    let place = Place::new().await;
    let mut three = template(Origin::Lab, 3, 2);
    three.spec.insert("addons".into(), json!(["demo"]));
    place.template("three", three).await;
    let mut networks = Vec::new();
    for name in ["red", "green"] {
        let made = place.origins.make(wish(name, "three")).await.unwrap();
        let file = loaded(&made.it);
        assert_eq!(file.machines.len(), 5);
        let net = file.network.lan.unwrap();
        assert!(file.machines.iter().all(|m| net.contains(&m.address)));
        let shared = file.api_endpoint();
        assert!(shared.contains(".250:"), "{shared}");
        networks.push(net);
    }
    assert_ne!(networks[0], networks[1]);
    place.phase("red", Phase::Gone).await;
    let made = place.origins.make(wish("blue", "three")).await.unwrap();
    assert_eq!(loaded(&made.it).network.lan, Some(networks[0]));
}

/// Neither knows the other's store, and no lab is up yet.
#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_of_one_computer_choose_different_networks() {
    let (one, two) = (Place::new().await, Place::new().await);
    let mut networks = Vec::new();
    for place in [&one, &two] {
        place.template("lab", template(Origin::Lab, 1, 0)).await;
        let made = place.origins.make(wish("red", "lab")).await.unwrap();
        networks.push(loaded(&made.it).network.lan.unwrap());
    }
    assert_ne!(networks[0], networks[1]);
    // A cluster that comes up again finds its own network, or is told that it is another's now.
    two.phase("red", Phase::Gone).await;
    let by = || Actor::User("anna".into());
    two.runs.accept("red", Verb::Up, by()).await.unwrap();
    let over = |it: &mut Run| {
        it.state = State::Ended(End::Done);
        Ok::<_, bramble_store::Error>(())
    };
    two.store.change("red-1", over).await.unwrap();
    let taken = |it: &mut Cluster| {
        let [one, two] = [networks[0], networks[1]].map(|net| net.to_string());
        let [one, two] = [one, two].map(|net| net.trim_end_matches("0/24").to_owned());
        it.file = it.file.replace(&two, &one);
        it.phase = Phase::Gone;
        Ok::<_, bramble_store::Error>(())
    };
    two.store.change("red", taken).await.unwrap();
    let refused = two.runs.accept("red", Verb::Up, by()).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("another daemon of this computer"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_taken_down_when_its_time_is_over() {
    let place = Place::new().await;
    place.template("lab", template(Origin::Lab, 1, 0)).await;
    let mut short = wish("short", "lab");
    short.lifetime = Some(0);
    let mut long = wish("long", "lab");
    long.lifetime = Some(3600);
    place.origins.make(long).await.unwrap();
    let made = place.origins.make(short).await.unwrap();
    place.keep();
    until!(
        "it is taken down",
        !place.store.all::<Run>().await.unwrap().is_empty()
    );
    let runs = place.store.all::<Run>().await.unwrap();
    assert_eq!(runs[0].name, "short-1");
    assert_eq!(runs[0].it.verb, Verb::Down);
    until!("a teardown that fails comes again", {
        let it = place.store.need::<Cluster>("short").await.unwrap().it;
        it.expires > made.it.expires
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teardown_that_is_due_waits_for_the_run_that_is_under_way() {
    let place = Place::new().await;
    place.template("lab", template(Origin::Lab, 1, 0)).await;
    let mut short = wish("short", "lab");
    short.lifetime = Some(0);
    let made = place.origins.make(short).await.unwrap();
    let by = Actor::User("anna".into());
    place.runs.accept("short", Verb::Up, by).await.unwrap();
    place.keep();
    // Once this one is taken down the keeper has been at the other as well, which comes before it.
    let mut later = wish("then", "lab");
    later.lifetime = Some(0);
    place.origins.make(later).await.unwrap();
    until!(
        "the other is taken down",
        place.store.find::<Run>("then-1").await.unwrap().is_some()
    );
    let short = place.store.need::<Cluster>("short").await.unwrap().it;
    assert_eq!(short.expires, made.it.expires, "it is looked at again soon");
    let over = |it: &mut Run| {
        it.state = State::Ended(End::Done);
        Ok::<_, bramble_store::Error>(())
    };
    place.store.change("short-1", over).await.unwrap();
    place.phase("short", Phase::Ready).await;
    until!(
        "it is taken down at the next look",
        place.store.find::<Run>("short-2").await.unwrap().is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_comes_up_again_has_its_whole_time() {
    let place = Place::new().await;
    place.template("lab", template(Origin::Lab, 1, 0)).await;
    let mut hour = wish("hour", "lab");
    hour.lifetime = Some(3600);
    place.origins.make(hour).await.unwrap();
    let past = |it: &mut Cluster| {
        it.expires = Some(jiff::Timestamp::UNIX_EPOCH);
        Ok::<_, bramble_store::Error>(())
    };
    place.store.change("hour", past).await.unwrap();
    place.phase("hour", Phase::Gone).await;
    let by = Actor::User("anna".into());
    let now = jiff::Timestamp::now();
    let run = place.runs.accept("hour", Verb::Up, by).await.unwrap();
    let it = place.store.need::<Cluster>("hour").await.unwrap().it;
    let left = it.expires.unwrap().duration_since(now);
    assert!((3600..3660).contains(&left.as_secs()), "{left:?}");
    assert_eq!(run.it.verb, Verb::Up);
}

#[test]
fn a_template_with_mistakes_is_named() {
    let wrong = |template: &Template| Origins::check(template).unwrap_err().to_string();
    assert!(wrong(&template(Origin::Lab, 2, 0)).contains("1, 3 or 5"));
    assert!(wrong(&template(Origin::Lab, 1, 1000)).contains("at most 200"));
    let said = |key: &str, value: serde_json::Value| {
        let mut template = template(Origin::Lab, 1, 1);
        template.spec.insert(key.into(), value);
        template
    };
    assert!(wrong(&said("machines", json!([]))).contains("spec.machines"));
    assert!(wrong(&said("kubernets", json!({}))).contains("kubernetes"));
    let files = said(
        "addons",
        json!([{ "name": "web", "manifests": "/etc/shadow" }]),
    );
    assert!(wrong(&files).contains("/etc/shadow, which the daemon does not have"));
}

fn platform() -> Template {
    let mut template = template(Origin::Ccp, 1, 1);
    let spec = json!({
        "url": "https://ccp.example.org", "api": "v2", "username": "admin", "passwordFile": "ccp.password",
        "network": { "plugin": "calico", "range": "172.20.0.0/16" }, "template": {},
    });
    template.spec = spec.as_object().unwrap().clone();
    template
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_makes_whole_clusters() {
    let place = Place::new().await;
    place.template("ccp", platform()).await;
    let made = place.origins.make(wish("red", "ccp")).await.unwrap().it;
    assert_eq!(made.origin, Some(Origin::Ccp));
    assert!(made.file.contains("kind: CcpCluster"), "{}", made.file);
    assert!(made.file.contains("/secrets/ccp.password"), "{}", made.file);
}

#[test]
fn a_template_of_a_platform_names_no_file_of_the_daemon() {
    for (key, value) in [
        ("passwordFile", json!("/etc/shadow")),
        ("passwordFile", json!("../bramble.db")),
        ("caFile", json!(".hidden")),
        ("templateFile", json!("calico.json")),
    ] {
        let mut wrong = platform();
        wrong.spec.insert(key.into(), value);
        let error = Origins::check(&wrong).unwrap_err().to_string();
        assert!(error.contains(&format!("spec.{key}")), "{error}");
    }
}

#[tokio::test]
async fn what_a_button_orders_is_in_the_audit_log() {
    let place = Place::new().await;
    place.machine("one", 1, &[]).await;
    let pool = template(Origin::Pool, 1, 0);
    place.store.add("pool", pool).await.unwrap();
    let profile = Profile {
        template: "pool".into(),
        plugin: None,
        lifetime: None,
        teardown: true,
    };
    let run = place.origins.begin("dash01", &profile, "red").await;
    assert_eq!(run.unwrap(), "red-1");
    let refused = place.origins.remove("dash01", "red").await;
    assert!(refused.is_err(), "its run is under way");
    let lines = place.store.read(&Log::Audit, 0, 10).await.unwrap();
    let [line] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let entry: serde_json::Value = serde_json::from_str(&line.text).unwrap();
    assert_eq!(entry["who"], "dash01");
    assert_eq!(entry["by"], "button");
    assert_eq!(entry["what"], "run red-1 asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_daemons_have_no_clusters_of_a_platform() {
    let place = Place::new().await;
    place.template("ccp", platform()).await;
    let replica = Replica::open(place.folder.path()).unwrap();
    let settings = place.runs.settings().clone();
    let runs = Runs::shared(place.store.clone(), settings, Arc::new(replica));
    let origins = Origins::new(place.store.clone(), runs);
    let refused = origins.make(wish("red", "ccp")).await.unwrap_err();
    assert!(matches!(refused, Error::Shared), "{refused}");
    assert!(matches!(
        origins.check_here(&platform()),
        Err(Error::Shared)
    ));
    place.origins.check_here(&platform()).unwrap();
}
