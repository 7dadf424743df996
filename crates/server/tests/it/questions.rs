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
    let words = "plan --down --step=base --machine=--yes --output=json --file bramble.yaml\n";
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

/// What `bramble ccp` does with its kubeconfig, with the path that the file says.
const PLATFORM: &str = r#"for file; do :; done
place=$(sed -n 's/^ *kubeconfig: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$file")
case $2 in up) echo access >"$place" ;; down) rm "$place" ;; esac || exit 1
echo '{"event":"begin","changes":1,"steps":1}'
echo '{"event":"end","changes":1,"failed":[],"skipped":[],"stopped":false,"unreachable":{},"obstacles":[],"took":0.2}'"#;

async fn ran(daemon: &Daemon, token: &str, wish: Value) {
    let made = daemon.as_token(token, "POST", "/clusters/home/runs", Some(wish));
    let run = made.await.is(202).json()["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let begin = std::time::Instant::now();
    loop {
        let path = format!("/runs/{run}");
        let run = daemon.as_token(token, "GET", &path, None).await.is(200);
        match run.json()["state"].as_str().unwrap() {
            "done" => return,
            "accepted" | "running" => {}
            _ => panic!("{}", run.text),
        }
        assert!(begin.elapsed().as_secs() < 30, "{}", run.text);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_cluster_has_a_kubeconfig_until_it_is_down() {
    let daemon = Daemon::new(PLATFORM).await;
    let admin = daemon.token("anna", Role::Admin).await;
    let viewer = daemon.token("vera", Role::Viewer).await;
    let spec = json!({
        "url": "https://ccp.example.org", "api": "v2", "username": "admin", "passwordFile": "ccp.password",
        "network": { "plugin": "calico", "range": "172.20.0.0/16" }, "template": {},
    });
    let template =
        json!({ "name": "ccp", "origin": "ccp", "controlPlanes": 1, "workers": 0, "spec": spec });
    let made = daemon.as_token(&admin, "POST", "/templates", Some(template));
    made.await.is(201);
    let wish = json!({ "name": "home", "template": "ccp" });
    let made = daemon.as_token(&admin, "POST", "/clusters/from-template", Some(wish));
    made.await.is(201);
    let question = json!({ "about": "kubeconfig" });
    let none = asked(&daemon, &admin, question.clone()).await.is(409);
    assert!(none.text.contains("once it is up"), "{}", none.text);

    ran(&daemon, &admin, json!({ "verb": "up" })).await;
    let said = asked(&daemon, &admin, question.clone())
        .await
        .is(200)
        .json();
    assert_eq!(
        (&said["code"], &said["stdout"]),
        (&json!(0), &json!("access\n"))
    );
    asked(&daemon, &viewer, question.clone()).await.is(403);
    let audit = daemon.as_token(&admin, "GET", "/audit", None).await.is(200);
    assert!(
        audit.text.contains("access to cluster home given out"),
        "{}",
        audit.text
    );
    for about in [
        "plan",
        "planDown",
        "check",
        "status",
        "certificates",
        "etcdMembers",
    ] {
        let refused = asked(&daemon, &admin, json!({ "about": about }))
            .await
            .is(422);
        assert!(
            refused.text.contains("Cisco Container Platform"),
            "{}",
            refused.text
        );
    }
    ran(
        &daemon,
        &admin,
        json!({ "verb": "down", "confirm": "home" }),
    )
    .await;
    asked(&daemon, &admin, question).await.is(409);
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
