//! What every home must do.

use crate::apiserver::{ApiServer, LONG};
use bramble_store::{Change, Error, Key, Kind, Log, Sqlite, Store};
use serde_json::json;
use std::sync::Arc;
use tempfile::TempDir;

/// One of all homes, with what it is in.
pub struct Home {
    _folder: Option<TempDir>,
    pub store: Arc<dyn Store>,
}

async fn home() -> (TempDir, Arc<Sqlite>) {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
    (folder, Arc::new(store))
}

/// Each home, empty; without the Kubernetes API where that can't run.
pub async fn homes() -> Vec<Home> {
    let (folder, store) = home().await;
    let mut homes = vec![Home {
        _folder: Some(folder),
        store,
    }];
    if let Some(server) = ApiServer::shared() {
        let store = server.store(&server.namespace()).await;
        homes.push(Home {
            _folder: None,
            store: Arc::new(store),
        });
    }
    homes
}

/// Of a kind whose documents may say anything.
fn key(name: &str) -> Key {
    Key::new(Kind::Setting, name)
}

#[tokio::test]
async fn a_document_is_made_once() {
    for Home { store, .. } in &homes().await {
        let made = store.create(&key("home"), json!({ "a": 1 })).await.unwrap();
        assert_eq!(store.get(&key("home")).await.unwrap(), Some(made));
        let again = store.create(&key("home"), json!({ "a": 2 })).await;
        assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
        // Another kind has its own names.
        let other = Key::new(Kind::User, "home");
        store.create(&other, json!({})).await.unwrap();
        assert_eq!(store.list(Kind::Setting).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn of_many_who_make_the_same_one_succeeds() {
    for Home { store, .. } in &homes().await {
        let all = (0..20).map(|i| {
            let store = store.clone();
            tokio::spawn(
                async move { store.create(&key("home"), json!({ "by": i })).await.is_ok() },
            )
        });
        let mut made = 0;
        for one in all.collect::<Vec<_>>() {
            made += usize::from(one.await.unwrap());
        }
        assert_eq!(made, 1);
    }
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    for Home { store, .. } in &homes().await {
        let first = store.create(&key("home"), json!(1)).await.unwrap();
        let mut mine = first.clone();
        mine.body = json!(2);
        let second = store.replace(&mine).await.unwrap();
        assert_ne!(first.version, second.version);
        let late = store.replace(&mine).await;
        assert!(matches!(late, Err(Error::Changed(_))), "{late:?}");
        let late = store.delete(&key("home"), Some(&first.version)).await;
        assert!(matches!(late, Err(Error::Changed(_))), "{late:?}");
        assert!(
            store
                .delete(&key("home"), Some(&second.version))
                .await
                .unwrap()
        );
        assert!(
            !store.delete(&key("home"), None).await.unwrap(),
            "it is gone"
        );
        let gone = store.replace(&second).await;
        assert!(matches!(gone, Err(Error::Missing(_))), "{gone:?}");
        // Made anew it is another one, also for who still has the old.
        let third = store.create(&key("home"), json!(3)).await.unwrap();
        assert!(![&first.version, &second.version].contains(&&third.version));
    }
}

#[tokio::test]
async fn documents_are_listed_by_name() {
    for Home { store, .. } in &homes().await {
        for name in ["c", "a", "b"] {
            store.create(&key(name), json!({})).await.unwrap();
        }
        let all = store.list(Kind::Setting).await.unwrap();
        let names: Vec<&str> = all.iter().map(|d| d.key.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn a_log_only_grows_and_keeps_its_numbers() {
    for Home { store, .. } in &homes().await {
        let log = Log::Run("home-1".into());
        let lines = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(store.append(&log, lines(&["a", "b"])).await.unwrap(), 2);
        assert_eq!(store.append(&Log::Audit, lines(&["x"])).await.unwrap(), 1);
        assert_eq!(store.append(&log, lines(&["c"])).await.unwrap(), 3);
        let read = store.read(&log, 1, 10).await.unwrap();
        let texts: Vec<(u64, &str)> = read.iter().map(|l| (l.at, l.text.as_str())).collect();
        assert_eq!(texts, [(2, "b"), (3, "c")]);
        assert_eq!(store.read(&log, 0, 1).await.unwrap().len(), 1);
        store.prune(&log, u64::MAX).await.unwrap();
        assert!(store.read(&log, 0, 10).await.unwrap().is_empty());
        assert_eq!(store.append(&log, lines(&["d"])).await.unwrap(), 4);
        assert_eq!(store.read(&Log::Audit, 0, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_log_that_is_forgotten_begins_anew() {
    for Home { store, .. } in &homes().await {
        let log = Log::Run("home-1".into());
        store
            .append(&log, vec!["a".into(), "b".into()])
            .await
            .unwrap();
        store.append(&Log::Audit, vec!["x".into()]).await.unwrap();
        store.forget(&log).await.unwrap();
        assert!(store.read(&log, 0, 10).await.unwrap().is_empty());
        assert_eq!(store.append(&log, vec!["c".into()]).await.unwrap(), 1);
        assert_eq!(store.read(&log, 0, 10).await.unwrap()[0].text, "c");
        assert_eq!(store.append(&Log::Audit, Vec::new()).await.unwrap(), 1);
        store.forget(&Log::Run("never".into())).await.unwrap();
    }
}

#[tokio::test]
async fn a_part_of_a_log_is_dropped() {
    for Home { store, .. } in &homes().await {
        let lines: Vec<String> = (1..=40)
            .map(|i| format!("{i} {}", "x".repeat(5000)))
            .collect();
        for some in lines.chunks(7) {
            store.append(&Log::Audit, some.to_vec()).await.unwrap();
        }
        let read = store.read(&Log::Audit, 0, usize::MAX).await.unwrap();
        let texts: Vec<&String> = read.iter().map(|line| &line.text).collect();
        assert_eq!(texts, lines.iter().collect::<Vec<_>>());
        let back = store.read_back(&Log::Audit, u64::MAX, usize::MAX).await;
        let back: Vec<String> = back.unwrap().into_iter().rev().map(|l| l.text).collect();
        assert_eq!(back, lines, "over all parts");
        store.prune(&Log::Audit, 33).await.unwrap();
        let read = store.read(&Log::Audit, 0, 3).await.unwrap();
        let at: Vec<u64> = read.iter().map(|line| line.at).collect();
        assert_eq!(at, [34, 35, 36]);
        assert!(read[0].text.starts_with("34 "));
        assert_eq!(
            store.append(&Log::Audit, vec!["y".into()]).await.unwrap(),
            41
        );
        assert_eq!(store.read(&Log::Audit, 39, 9).await.unwrap().len(), 2);
        let places = async |before, limit| {
            let read = store.read_back(&Log::Audit, before, limit).await.unwrap();
            read.iter().map(|line| line.at).collect::<Vec<_>>()
        };
        assert_eq!(places(u64::MAX, 2).await, [41, 40]);
        assert_eq!(places(40, 3).await, [39, 38, 37]);
        assert_eq!(
            places(36, 9).await,
            [35, 34],
            "what was dropped is not there"
        );
        assert!(places(34, 9).await.is_empty());
        let run = Log::Run("home-1".into());
        assert!(store.read_back(&run, 9, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn many_who_add_to_a_log_lose_nothing() {
    for Home { store, .. } in &homes().await {
        let all = (0..30).map(|i| {
            let store = store.clone();
            tokio::spawn(async move { store.append(&Log::Audit, vec![format!("{i}")]).await })
        });
        let mut places = Vec::new();
        for one in all.collect::<Vec<_>>() {
            places.push(one.await.unwrap().unwrap());
        }
        places.sort_unstable();
        assert_eq!(places, (1..=30).collect::<Vec<_>>());
        let read = store.read(&Log::Audit, 0, 100).await.unwrap();
        let mut texts: Vec<u32> = read.iter().map(|l| l.text.parse().unwrap()).collect();
        texts.sort_unstable();
        assert_eq!(texts, (0..30).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn changes_are_told() {
    for Home { store, .. } in &homes().await {
        let mut changes = store.changes();
        let mut made = store.create(&key("home"), json!(1)).await.unwrap();
        made.body = json!(2);
        store.replace(&made).await.unwrap();
        store.append(&Log::Audit, vec!["x".into()]).await.unwrap();
        store.delete(&key("home"), None).await.unwrap();
        let mut told = Vec::new();
        for _ in 0..4 {
            let change = tokio::time::timeout(LONG, changes.recv()).await;
            told.push(change.unwrap().unwrap());
        }
        // Of different things in any order, of one in the order of what happened to it.
        let log = told.iter().position(|c| *c == Change::Grown(Log::Audit));
        told.remove(log.unwrap());
        assert_eq!(
            told,
            [
                Change::Put(key("home")),
                Change::Put(key("home")),
                Change::Deleted(key("home")),
            ]
        );
    }
}

#[tokio::test]
async fn it_is_there_again_after_a_restart_and_belongs_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, store) = home().await;
    let path = folder.path().join("b.db");
    let made = store.create(&key("home"), json!("größer")).await.unwrap();
    let second = Sqlite::open(&path).await;
    assert!(
        matches!(second, Err(Error::Taken { .. })),
        "one daemon only"
    );
    drop(store);
    let again = Sqlite::open(&path).await.unwrap();
    assert_eq!(again.get(&key("home")).await.unwrap(), Some(made));
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let (folder, store) = home().await;
    drop(store);
    let path = folder.path().join("b.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let error = Sqlite::open(&path).await.err().unwrap();
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_folder_that_is_missing_is_named() {
    let error = Sqlite::open("/nowhere/b.db".as_ref()).await.err().unwrap();
    assert!(error.to_string().contains("/nowhere/b.db"), "{error}");
}
