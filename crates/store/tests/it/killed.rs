//! A daemon that is killed: what it had answered is there.

use bramble_store::{Key, Kind, Log, Sqlite, Store};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Names the database for the process that will be killed.
const DATABASE: &str = "BRAMBLE_STORE_TEST_DATABASE";

/// The process that will be killed; as a test of its own it does nothing.
#[tokio::test]
async fn writer() {
    let Some(path) = std::env::var_os(DATABASE) else {
        return;
    };
    let store = Sqlite::open(Path::new(&path)).await.unwrap();
    let begin = store.list(Kind::Run).await.unwrap().len();
    for i in begin.. {
        let key = Key::new(Kind::Run, format!("home-{i}"));
        store.create(&key, json!({ "i": i })).await.unwrap();
        let line = format!("line {i}");
        store.append(&Log::Audit, vec![line]).await.unwrap();
        // Told at once, and by whoever will be killed.
        writeln!(std::io::stdout(), "answered {i}").unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.db");
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::writer", "--nocapture"])
            .env(DATABASE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut last = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(number) = line.split("answered ").nth(1) {
                last = number.parse::<usize>().ok();
                if last.is_some_and(|n| n >= round * 7) {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        let last = last.unwrap();
        let store = Sqlite::open(&path).await.unwrap();
        let kept = store.list(Kind::Run).await.unwrap().len();
        assert!(kept > last, "{kept} are there, {last} was answered");
        let lines = store.read(&Log::Audit, 0, usize::MAX).await.unwrap();
        let wanted = format!("line {last}");
        assert!(lines.iter().any(|l| l.text == wanted), "{wanted}");
    }
}
