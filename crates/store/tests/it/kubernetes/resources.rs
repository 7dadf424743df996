//! Records as resources that people look at.

use crate::apiserver::{ApiServer, LONG};
use bramble_store::record::{
    Actor, Button, Claim, Cluster, End, Host, Machine, Origin, Phase, Profile, Progress, Role, Run,
    State, Template, User, Verb,
};
use bramble_store::{Error, Key, Kind, Kubernetes, Record, Store, Stored, Typed};
use serde_json::{Value, json};
use std::time::Instant;

const FILE: &str = "\
# Of the house.
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  machines:
    - { name: one, address: 192.168.1.11, roles: [control-plane] }
";

pub fn cluster() -> Cluster {
    Cluster {
        file: FILE.into(),
        origin: None,
        claim: None,
        owner: "anna".into(),
        created: "2026-11-26T10:00:00.123456789Z".parse().unwrap(),
        expires: None,
        lifetime: None,
        phase: Phase::New,
        message: None,
        address: None,
        runs: 0,
    }
}

pub fn button() -> Button {
    Button {
        key: "00ff".into(),
        profile: Profile {
            template: "small".into(),
            plugin: None,
            lifetime: Some(3600),
            teardown: true,
        },
        cluster: None,
        last: 0,
        nonce: String::new(),
        created: "2026-11-26T10:00:00Z".parse().unwrap(),
    }
}

async fn fresh() -> Option<(&'static ApiServer, String, Kubernetes)> {
    let server = ApiServer::shared()?;
    let namespace = server.namespace();
    let store = server.store(&namespace).await;
    Some((server, namespace, store))
}

/// A record comes back as it was written, made and changed in every part at once.
async fn kept<T: Record + Clone + PartialEq>(store: &Kubernetes, name: &str, first: T, second: T)
where
    Stored<T>: PartialEq,
{
    let in_place = || in_place(store.namespace(), T::KIND, name);
    let made = store.add(name, first).await.unwrap();
    assert!(
        store.find::<T>(name).await.unwrap() == Some(made.clone()),
        "{name} as made"
    );
    in_place();
    let late = made.clone();
    let changed = Stored { it: second, ..made };
    let changed = store.save(changed).await.unwrap();
    assert!(
        store.find::<T>(name).await.unwrap() == Some(changed.clone()),
        "{name} as changed"
    );
    assert!(
        store.all::<T>().await.unwrap() == [changed.clone()],
        "{name} in a list"
    );
    in_place();
    let late = store.save(late).await;
    assert!(
        matches!(late, Err(Error::Changed(_))),
        "{name} nobody overwrites"
    );
    let key = Key::new(T::KIND, name);
    assert!(store.delete(&key, Some(&changed.version)).await.unwrap());
    assert!(
        store.find::<T>(name).await.unwrap().is_none(),
        "{name} is gone"
    );
}

/// A status that came with a spec is where people look for it.
fn in_place(namespace: &str, kind: Kind, name: &str) {
    let server = ApiServer::shared().unwrap();
    let kind = format!("{kind}.bramble.dev");
    let text = server.says(&["-n", namespace, "get", &kind, name, "-o", "json"]);
    let object: Value = serde_json::from_str(&text).unwrap();
    if let Some(change) = object["metadata"]["annotations"]["bramble.dev/change"].as_str() {
        let change: Value = serde_json::from_str(change).unwrap();
        assert_eq!(object["status"]["change"], change["at"], "{object:#}");
    }
}

#[tokio::test]
async fn every_record_is_kept_whole() {
    let Some((_, _, store)) = fresh().await else {
        return;
    };
    let now = "2026-11-26T10:00:00Z".parse().unwrap();
    let ready = Cluster {
        file: FILE.replace("one", "eins"),
        origin: Some(Origin::Pool),
        claim: Some("00ff".into()),
        expires: Some(now),
        lifetime: Some(3600),
        phase: Phase::Ready,
        message: Some("größer".into()),
        address: Some("https://10.0.0.1:6443".into()),
        runs: 3,
        ..cluster()
    };
    kept(&store, "home", cluster(), ready.clone()).await;
    kept(&store, "home", ready, cluster()).await;
    let machine = Machine {
        address: "10.0.0.9".parse().unwrap(),
        user: None,
        host_key: None,
        labels: Default::default(),
        claim: None,
    };
    let claimed = Machine {
        user: Some("root".into()),
        labels: [("disk".to_owned(), "ssd".to_owned())].into(),
        claim: Some(Claim {
            cluster: "home".into(),
            id: Some("00ff".into()),
            since: now,
        }),
        ..machine.clone()
    };
    kept(&store, "nine", machine, claimed).await;
    let template = Template {
        origin: Origin::Lab,
        control_planes: 1,
        workers: 2,
        labels: Default::default(),
        spec: Default::default(),
    };
    let other = Template {
        spec: json!({ "kubernetes": { "maxPods": 50 }, "deep": [{ "a": 1.5, "b": true }] })
            .as_object()
            .unwrap()
            .clone(),
        ..template.clone()
    };
    kept(&store, "small", template, other).await;
    let run = Run {
        cluster: "home".into(),
        verb: Verb::Up,
        by: Actor::Button("b1".into()),
        file: FILE.into(),
        asked: now,
        state: State::Accepted,
        cancel: false,
        started: None,
        ended: None,
        progress: Progress::default(),
        reason: None,
        tries: 0,
        host: None,
    };
    let over = Run {
        state: State::Ended(End::Cancelled),
        cancel: true,
        started: Some(now),
        ended: Some(now),
        progress: Progress {
            done: 3,
            total: 4,
            step: "base on one".into(),
        },
        reason: Some("no".into()),
        tries: 2,
        host: Some(Host {
            replica: "a".into(),
            behind: 17,
        }),
        ..run.clone()
    };
    kept(&store, "home-1", run, over).await;
}

#[tokio::test]
async fn a_buttons_key_is_in_a_secret_alone() {
    let Some((server, namespace, store)) = fresh().await else {
        return;
    };
    let other = Button {
        key: "c0ffee".into(),
        cluster: Some("home".into()),
        last: 1_800_000_000,
        nonce: "n".into(),
        ..button()
    };
    kept(&store, "b1", button(), other).await;
    let kept = store.add("b2", button()).await.unwrap();
    let again = store.add("b2", button()).await;
    assert!(matches!(again, Err(Error::Exists(_))));
    let get = |what: &str| server.says(&["-n", &namespace, "get", what, "-o", "json"]);
    assert!(!get("buttons").contains("00ff"));
    // Those that were replaced, deleted or in vain are gone.
    let secrets: Value = serde_json::from_str(&get("secrets")).unwrap();
    let keys = secrets["items"].as_array().unwrap().iter();
    let keys: Vec<&Value> = keys
        .filter(|s| s["type"] == "bramble.dev/button-key")
        .collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let name = keys[0]["metadata"]["name"].as_str().unwrap();
    server.says(&["-n", &namespace, "delete", "secret", name]);
    let broken = store.find::<Button>("b2").await.err().unwrap();
    assert!(matches!(broken, Error::Unfit { .. }), "{broken:?}");
    assert!(store.all::<Button>().await.unwrap().is_empty());
    // One that somebody made by hand is as good.
    let literal = "--from-literal=key=beef";
    server.says(&[
        "-n", &namespace, "create", "secret", "generic", name, literal,
    ]);
    assert_eq!(store.need::<Button>("b2").await.unwrap().it.key, "beef");
    assert_eq!(store.all::<Button>().await.unwrap()[0].it.key, "beef");
    assert!(
        store
            .delete(&Key::new(Kind::Button, "b2"), Some(&kept.version))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn people_are_secrets_whatever_their_names() {
    let Some((server, namespace, store)) = fresh().await else {
        return;
    };
    let user = User {
        role: Role::Admin,
        password: "$argon2id$hash".into(),
        created: "2026-11-26T10:00:00Z".parse().unwrap(),
    };
    for name in ["anna", "anna@example.org", "a_b", "-"] {
        store.add(name, user.clone()).await.unwrap();
        assert!(store.need::<User>(name).await.unwrap().it == user);
    }
    let names = store
        .all::<User>()
        .await
        .unwrap()
        .into_iter()
        .map(|u| u.name);
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["-", "a_b", "anna", "anna@example.org"]
    );
    let types = server.says(&[
        "-n",
        &namespace,
        "get",
        "secrets",
        "-l",
        "bramble.dev/kind=user",
        "-o",
        "jsonpath={.items[*].type}",
    ]);
    assert_eq!(types, ["bramble.dev/user"; 4].join(" "));
}

#[tokio::test]
async fn kubectl_shows_what_there_is() {
    let Some((server, namespace, store)) = fresh().await else {
        return;
    };
    store.add("home", cluster()).await.unwrap();
    store
        .change::<Cluster, Error, _>("home", |it| {
            it.phase = Phase::Ready;
            it.address = Some("https://192.168.1.11:6443".into());
            Ok(())
        })
        .await
        .unwrap();
    let shown = server.says(&["-n", &namespace, "get", "clusters"]);
    let mut lines = shown.lines();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(lines.next().unwrap()),
        ["NAME", "PHASE", "ADDRESS", "AGE"]
    );
    let line = words(lines.next().unwrap());
    assert_eq!(line[..3], ["home", "Ready", "https://192.168.1.11:6443"]);
    server.says(&[
        "-n",
        &namespace,
        "wait",
        "--for=condition=Ready",
        "bc/home",
        "--timeout=5s",
    ]);
    assert_eq!(store.need::<Cluster>("home").await.unwrap().it.file, FILE);
}

#[tokio::test]
async fn what_strangers_break_hides_nothing_else() {
    let Some((server, namespace, store)) = fresh().await else {
        return;
    };
    let mut changes = store.changes();
    let machine = |name: &str, address: &str| {
        let path = std::env::temp_dir().join(format!("{namespace}-{name}.yaml"));
        let text = format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Machine\nmetadata: {{ name: {name} }}\nspec: {{ address: {address} }}\n"
        );
        std::fs::write(&path, text).unwrap();
        server.says(&["-n", &namespace, "apply", "-f", path.to_str().unwrap()]);
        std::fs::remove_file(path).unwrap();
    };
    machine("good", "10.0.0.1");
    machine("bad", "nowhere");
    let all = store.all::<Machine>().await.unwrap();
    let names: Vec<&str> = all.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    let error = store.find::<Machine>("bad").await.err().unwrap();
    assert!(error.to_string().contains("machine \"bad\""), "{error}");
    let begin = Instant::now();
    while begin.elapsed() < LONG {
        if changes.recv().await.unwrap()
            == bramble_store::Change::Put(Key::new(Kind::Machine, "bad"))
        {
            return;
        }
    }
    panic!("what others do is told");
}
