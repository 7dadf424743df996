//! The API goes away and comes back; daemons are killed.

use super::resources::cluster;
use crate::apiserver::{ApiServer, LONG};
use bramble_store::record::Cluster;
use bramble_store::{Change, Error, Key, Kind, Kubernetes, KubernetesSettings, Log, Store, Typed};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tells the process that will be killed where to write.
const KUBECONFIG: &str = "BRAMBLE_STORE_TEST_KUBECONFIG";
const NAMESPACE: &str = "BRAMBLE_STORE_TEST_NAMESPACE";

fn setting(name: &str) -> Key {
    Key::new(Kind::Setting, name)
}

#[tokio::test]
async fn what_changes_is_told_after_the_server_was_away() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let namespace = server.namespace();
    let store = server.store(&namespace).await;
    let other = server.store(&namespace).await;
    let mut changes = store.changes();
    server.stop();
    let refused = store.list(Kind::Setting).await;
    assert!(matches!(refused, Err(Error::Home { .. })), "{refused:?}");
    server.restart();
    server.wait();
    other.create(&setting("home"), json!(1)).await.unwrap();
    other.append(&Log::Audit, vec!["x".into()]).await.unwrap();
    let mut wanted = vec![Change::Put(setting("home")), Change::Grown(Log::Audit)];
    while !wanted.is_empty() {
        let change = tokio::time::timeout(LONG, changes.recv()).await;
        let change = change.unwrap().unwrap();
        wanted.retain(|one| *one != change);
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_bramble_is_named() {
    let Some(server) = ApiServer::start() else {
        return;
    };
    let connect = |kubeconfig| async move {
        let settings = KubernetesSettings {
            kubeconfig: Some(kubeconfig),
            ..KubernetesSettings::default()
        };
        Kubernetes::connect(&settings).await.err().unwrap()
    };
    server.says(&["delete", "crd", "runs.bramble.dev"]);
    let begin = Instant::now();
    loop {
        // The server forgets a moment later.
        let settings = KubernetesSettings {
            kubeconfig: Some(server.kubeconfig()),
            ..KubernetesSettings::default()
        };
        match Kubernetes::connect(&settings).await.err() {
            Some(Error::Undefined("runs")) => break,
            other => assert!(begin.elapsed() < LONG, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let error = connect(server.kubeconfig()).await;
    assert!(error.hint().unwrap().contains("kubectl apply"), "{error}");
    let error = connect("/nowhere".into()).await;
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn two_daemons_write_one_log_without_losing_a_line() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    let stores = [
        server.store(&namespace).await,
        server.store(&namespace).await,
    ];
    let stores = stores.map(Arc::new);
    let text = "x".repeat(3000);
    let all = (0..60).map(|i| {
        let (store, line) = (stores[i % 2].clone(), format!("{i} {text}"));
        tokio::spawn(async move { store.append(&Log::Audit, vec![line]).await })
    });
    let mut places = Vec::new();
    for one in all.collect::<Vec<_>>() {
        places.push(one.await.unwrap().unwrap());
    }
    places.sort_unstable();
    assert_eq!(places, (1..=60).collect::<Vec<_>>());
    for store in &stores {
        let read = store.read(&Log::Audit, 0, usize::MAX).await.unwrap();
        let at: Vec<u64> = read.iter().map(|line| line.at).collect();
        assert_eq!(at, (1..=60).collect::<Vec<_>>());
        let mut numbers: Vec<usize> = read
            .iter()
            .map(|line| line.text.split(' ').next().unwrap().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..60).collect::<Vec<_>>());
    }
    let sizes = server.says(&[
        "-n",
        &namespace,
        "get",
        "logs.bramble.dev",
        "-o",
        "jsonpath={.items[*].spec.first}",
    ]);
    assert!(sizes.split(' ').count() > 2, "{sizes}");
}

#[tokio::test]
async fn of_two_daemons_one_changes_and_none_is_overwritten() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    let stores = [
        server.store(&namespace).await,
        server.store(&namespace).await,
    ];
    let stores = stores.map(Arc::new);
    let all = (0..20).map(|i| {
        let store = stores[i % 2].clone();
        tokio::spawn(async move { store.add("home", cluster()).await.is_ok() })
    });
    let mut made = 0;
    for one in all.collect::<Vec<_>>() {
        made += usize::from(one.await.unwrap());
    }
    assert_eq!(made, 1);
    // Spec, annotations and status at once, by both.
    let all = (0..8).map(|i| {
        let store = stores[i % 2].clone();
        tokio::spawn(async move {
            let change = |it: &mut Cluster| {
                it.runs += 1;
                it.file = it
                    .file
                    .replace("machines:", "machines:\n    # another line");
                Ok::<_, Error>(())
            };
            store.change("home", change).await.unwrap();
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let found = stores[0].need::<Cluster>("home").await.unwrap().it;
    assert_eq!(found.runs, 8);
    assert_eq!(found.file.matches("another line").count(), 8);
}

/// The process that will be killed; as a test of its own it does nothing.
#[tokio::test]
async fn writer() {
    let (Some(kubeconfig), Ok(namespace)) =
        (std::env::var_os(KUBECONFIG), std::env::var(NAMESPACE))
    else {
        return;
    };
    let settings = KubernetesSettings {
        kubeconfig: Some(kubeconfig.into()),
        context: None,
        namespace: Some(namespace),
    };
    let store = Kubernetes::connect(&settings).await.unwrap();
    if store.find::<Cluster>("home").await.unwrap().is_none() {
        store.add("home", cluster()).await.unwrap();
    }
    loop {
        let changed = store.change::<Cluster, Error, _>("home", |it| {
            it.runs += 1;
            // Another part says the same.
            it.expires = i64::try_from(it.runs)
                .ok()
                .and_then(|s| jiff::Timestamp::from_second(s).ok());
            Ok(())
        });
        let runs = changed.await.unwrap().it.runs;
        store
            .append(&Log::Audit, vec![format!("line {runs}")])
            .await
            .unwrap();
        writeln!(std::io::stdout(), "answered {runs}").unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_daemon_answered_is_there_and_nothing_is_half_written() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    let store = server.store(&namespace).await;
    for round in 1..=6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kubernetes::outages::writer", "--nocapture"])
            .env(KUBECONFIG, server.kubeconfig())
            .env(NAMESPACE, &namespace)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let last = watched(&mut child, round * 4);
        child.wait().unwrap();
        let found = store.need::<Cluster>("home").await.unwrap().it;
        assert!(
            found.runs >= last,
            "{} are there, {last} was answered",
            found.runs
        );
        let expires = found.expires.map_or(0, |at| at.as_second());
        assert_eq!(
            u64::try_from(expires).unwrap(),
            found.runs,
            "half of a change"
        );
        let lines = store.read(&Log::Audit, 0, usize::MAX).await.unwrap();
        let wanted = format!("line {last}");
        assert!(lines.iter().any(|line| line.text == wanted), "{wanted}");
    }
}

/// Kills a writer once it has answered so often; the last that it answered.
fn watched(child: &mut Child, until: u64) -> u64 {
    let mut last = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.split("answered ").nth(1) {
            last = number.parse().unwrap();
            if last >= until {
                child.kill().unwrap();
            }
        }
    }
    last
}
