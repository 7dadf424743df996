//! Questions that the program answers.

use crate::daemon::{Daemon, FILE};
use bramble_server::api::{App, Limits};
use bramble_store::record::Role;
use serde_json::{Value, json};

/// Says how it was called, and with what file.
const ECHO: &str =
    "echo \"$@\"; while [ $# -gt 1 ]; do shift; done; cat \"$1\"; echo beside >&2; exit 3";

async fn asked(daemon: &Daemon, token: &str, question: Value) -> crate::daemon::Answer {
    let path = "/clusters/home/questions";
    daemon.as_token(token, "POST", path, Some(question)).await
}

#[tokio::test]
async fn the_program_answers_as_at_a_terminal() {
    let daemon = Daemon::new(ECHO).await;
    let operator = daemon.token("olga", Role::Operator).await;
    let viewer = daemon.token("vera", Role::Viewer).await;
    let made = Some(json!({ "file": FILE }));
    daemon
        .as_token(&operator, "POST", "/clusters", made)
        .await
        .is(201);

    let plan =
        json!({ "about": "planDown", "steps": ["base"], "machines": ["--yes"], "json": true });
    let answer = asked(&daemon, &viewer, plan).await.is(200).json();
    assert_eq!(answer["code"], 3);
    assert_eq!(answer["stderr"], "beside\n");
    let said = answer["stdout"].as_str().unwrap();
    let words = "plan --down --step=base --machine=--yes --output=json --file ";
    assert!(said.starts_with(words), "{said}");
    assert!(said.ends_with(FILE), "{said}");
    let left = std::fs::read_dir(daemon.folder.path().join("questions")).unwrap();
    assert_eq!(left.count(), 0, "no file stays");
}

#[tokio::test]
async fn secrets_and_files_are_for_operators() {
    let daemon = Daemon::new(ECHO).await;
    let operator = daemon.token("olga", Role::Operator).await;
    let viewer = daemon.token("vera", Role::Viewer).await;
    let made = Some(json!({ "file": FILE }));
    daemon
        .as_token(&operator, "POST", "/clusters", made)
        .await
        .is(201);

    let access = json!({ "about": "kubeconfig" });
    asked(&daemon, &viewer, access.clone()).await.is(403);
    asked(&daemon, &operator, access).await.is(200);
    let audit = daemon.token("anna", Role::Admin).await;
    let audit = daemon.as_token(&audit, "GET", "/audit", None).await.is(200);
    assert!(
        audit
            .text
            .contains("administrator's access to cluster home given out")
    );

    let other = FILE.replace("192.168.7.11", "192.168.7.12");
    let own = json!({ "about": "status", "file": other });
    let refused = asked(&daemon, &viewer, own.clone()).await.is(403).json();
    let hint = refused["hint"].as_str().unwrap();
    assert!(hint.ends_with("--cluster home"), "what they may: {hint}");
    let answer = asked(&daemon, &operator, own).await.is(200).json();
    assert!(answer["stdout"].as_str().unwrap().contains("192.168.7.12"));
    let secrets = format!("{FILE}  addons: [{{ name: web, manifests: /etc }}]\n");
    let reading = json!({ "about": "status", "file": secrets });
    let refused = asked(&daemon, &operator, reading).await.is(422);
    assert!(refused.text.contains("names /etc"), "{}", refused.text);
    asked(
        &daemon,
        &operator,
        json!({ "about": "status", "steps": ["base"] }),
    )
    .await
    .is(422);
    asked(&daemon, &operator, json!({ "about": "up" }))
        .await
        .is(422);
}

#[tokio::test]
async fn what_a_killed_daemon_left_of_its_questions_is_deleted() {
    let daemon = Daemon::new("").await;
    let left = daemon.folder.path().join("questions/.tmpX");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("bramble.yaml"), FILE).unwrap();
    let (store, runs) = (daemon.app.store.clone(), daemon.app.runs.clone());
    let _again = App::new(store, runs, Limits::default());
    assert!(!left.exists());
}
