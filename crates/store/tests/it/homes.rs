//! What every home must do.

use bramble_store::{Change, Error, Key, Kind, Log, Sqlite, Store};
use serde_json::json;
use std::sync::Arc;
use tempfile::TempDir;

async fn home() -> (TempDir, Arc<Sqlite>) {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
    (folder, Arc::new(store))
}

fn key(name: &str) -> Key {
    Key::new(Kind::Cluster, name)
}

#[tokio::test]
async fn a_document_is_made_once() {
    let (_folder, store) = home().await;
    let made = store.create(&key("home"), json!({ "a": 1 })).await.unwrap();
    assert_eq!(store.get(&key("home")).await.unwrap(), Some(made));
    let again = store.create(&key("home"), json!({ "a": 2 })).await;
    assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
    // Another kind has its own names.
    let other = Key::new(Kind::Machine, "home");
    store.create(&other, json!({})).await.unwrap();
    assert_eq!(store.list(Kind::Cluster).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_who_make_the_same_one_succeeds() {
    let (_folder, store) = home().await;
    let all = (0..20).map(|i| {
        let store = store.clone();
        tokio::spawn(async move { store.create(&key("home"), json!({ "by": i })).await.is_ok() })
    });
    let mut made = 0;
    for one in all.collect::<Vec<_>>() {
        made += usize::from(one.await.unwrap());
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let (_folder, store) = home().await;
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

#[tokio::test]
async fn documents_are_listed_by_name() {
    let (_folder, store) = home().await;
    for name in ["c", "a", "b"] {
        store.create(&key(name), json!({})).await.unwrap();
    }
    let all = store.list(Kind::Cluster).await.unwrap();
    let names: Vec<&str> = all.iter().map(|d| d.key.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_log_only_grows_and_keeps_its_numbers() {
    let (_folder, store) = home().await;
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

#[tokio::test]
async fn changes_are_told() {
    let (_folder, store) = home().await;
    let mut changes = store.changes();
    let made = store.create(&key("home"), json!(1)).await.unwrap();
    store.replace(&made).await.unwrap();
    store.append(&Log::Audit, vec!["x".into()]).await.unwrap();
    store.delete(&key("home"), None).await.unwrap();
    let mut told = Vec::new();
    while let Ok(change) = changes.try_recv() {
        told.push(change);
    }
    assert_eq!(
        told,
        [
            Change::Put(key("home")),
            Change::Put(key("home")),
            Change::Grown(Log::Audit),
            Change::Deleted(key("home")),
        ]
    );
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
