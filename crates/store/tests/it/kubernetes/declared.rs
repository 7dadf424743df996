//! Clusters that somebody declares with kubectl.

use super::resources::cluster;
use crate::apiserver::ApiServer;
use bramble_store::record::{Cluster, Phase};
use bramble_store::{Declared, Error, Key, Kind, Kubernetes, Store, Typed};

const MINIMAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/minimal.yaml");
const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/full.yaml");

async fn only(store: &Kubernetes) -> Declared {
    let mut all = store.declared().await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn runs(store: &Kubernetes, name: &str, runs: u64) {
    let counted = store.change::<Cluster, Error, _>(name, |it| {
        it.runs = runs;
        it.phase = Phase::Building;
        Ok(())
    });
    counted.await.unwrap();
}

fn observed(server: &ApiServer, namespace: &str) -> (String, String) {
    let of = |path: &str| {
        let path = format!("jsonpath={{{path}}}");
        server.says(&["-n", namespace, "get", "cluster", "home", "-o", &path])
    };
    (of(".metadata.generation"), of(".status.observedGeneration"))
}

#[tokio::test]
async fn an_applied_file_is_a_cluster() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    let store = server.store(&namespace).await;
    for (file, name) in [(MINIMAL, "home"), (FULL, "ceil")] {
        server.says(&["-n", &namespace, "apply", "-f", file]);
        let found = store.need::<Cluster>(name).await.unwrap().it;
        assert_eq!((found.phase, found.runs), (Phase::New, 0));
        assert_eq!(found.owner, "kubernetes");
        let text = std::fs::read_to_string(file).unwrap();
        let wanted = bramble_spec::load("f", &text).unwrap();
        assert_eq!(bramble_spec::load("f", &found.file).unwrap(), wanted);
        // Bookkeeping of the daemon is no change of the wish.
        runs(&store, name, 1).await;
        let after = store.need::<Cluster>(name).await.unwrap().it;
        assert_eq!(after.file, found.file);
        assert_eq!((after.owner, after.created), (found.owner, found.created));
    }
    let all = store.declared().await.unwrap();
    assert!(
        all.iter()
            .all(|one| one.wanted && !one.unwanted && !one.held),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_wrong_file_is_refused_by_the_server() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    let path = std::env::temp_dir().join(format!("{namespace}.yaml"));
    let text = std::fs::read_to_string(MINIMAL).unwrap();
    std::fs::write(&path, text.replace("control-plane", "boss")).unwrap();
    let refused = server.kubectl(&["-n", &namespace, "apply", "-f", path.to_str().unwrap()]);
    std::fs::remove_file(path).unwrap();
    assert!(!refused.status.success());
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(
        why.contains("boss") && why.contains("control-plane"),
        "{why}"
    );
}

#[tokio::test]
async fn who_wrote_the_spec_last_is_known() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    let store = server.store(&namespace).await;
    let kubectl = |words: &[&str]| server.says(&[&["-n", namespace.as_str()], words].concat());
    store.add("home", cluster()).await.unwrap();
    assert!(!only(&store).await.wanted, "the daemon was asked");
    runs(&store, "home", 1).await;
    assert!(!only(&store).await.wanted);
    let (generation, seen) = observed(server, &namespace);
    assert_eq!(generation, seen);
    // Somebody changes the resource.
    let patch = r#"{"spec":{"kubernetes":{"maxPods":60}}}"#;
    kubectl(&["patch", "cluster", "home", "--type=merge", "-p", patch]);
    assert!(only(&store).await.wanted, "the resource was changed");
    let found = store.need::<Cluster>("home").await.unwrap().it;
    assert!(
        found.file.contains("maxPods") && found.owner == "anna",
        "{found:?}"
    );
    let (generation, seen) = observed(server, &namespace);
    assert_ne!(generation, seen);
    runs(&store, "home", 2).await;
    assert!(only(&store).await.wanted);
    // Also back to what it was when the daemon was asked.
    let patch = r#"{"spec":{"kubernetes":null}}"#;
    kubectl(&["patch", "cluster", "home", "--type=merge", "-p", patch]);
    assert!(only(&store).await.wanted, "it was changed again");
    // Somebody asks the daemon.
    let file = cluster().file;
    let asked = store.change::<Cluster, Error, _>("home", |it| {
        it.file = file.replace("one", "eins");
        Ok(())
    });
    asked.await.unwrap();
    assert!(!only(&store).await.wanted, "the daemon was asked");
    // Labels are nobody's wish.
    kubectl(&["label", "cluster", "home", "room=kitchen"]);
    assert!(!only(&store).await.wanted);
}

#[tokio::test]
async fn a_deleted_cluster_waits_until_it_is_let_go() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    let store = server.store(&namespace).await;
    let key = Key::new(Kind::Cluster, "home");
    let delete = || {
        server.says(&[
            "-n",
            &namespace,
            "delete",
            "cluster",
            "home",
            "--wait=false",
        ])
    };
    for daemon in [false, true] {
        store.add("home", cluster()).await.unwrap();
        store.hold("home").await.unwrap();
        store.hold("home").await.unwrap();
        assert!(only(&store).await.held);
        delete();
        let declared = only(&store).await;
        assert!(declared.unwanted && declared.held, "{declared:?}");
        // It can still be written.
        runs(&store, "home", 1).await;
        match daemon {
            false => store.release("home").await.unwrap(),
            true => assert!(store.delete(&key, None).await.unwrap()),
        }
        assert_eq!(store.get(&key).await.unwrap(), None);
        store.release("home").await.unwrap();
    }
    // The daemon's own deletion waits for nobody.
    store.add("home", cluster()).await.unwrap();
    store.hold("home").await.unwrap();
    let version = store.need::<Cluster>("home").await.unwrap().version;
    assert!(store.delete(&key, Some(&version)).await.unwrap());
    assert_eq!(store.get(&key).await.unwrap(), None);
}
