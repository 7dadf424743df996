//! The API is tried with whatever its description allows, and more, by a program that knows nothing else of it.

use crate::serve::{Daemon, NAMES};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// See `scripts/setup.sh`.
const PROGRAM: &str = "/var/cache/bramble/schemathesis/bin/schemathesis";

/// How long it may take: six seconds on a quiet computer.
const LIMIT: Duration = Duration::from_secs(400);

/// What would end the very right that it tries with, streams that never end, and what is to count tries.
const LEFT_OUT: [&str; 6] = [
    "DELETE /tokens/{id}",
    "DELETE /users/{name}",
    "PATCH /users/{name}",
    "GET /events",
    "GET /runs/{run}/events",
    "GET /buttons/{id}/virtual/screen",
];

async fn token(daemon: &Daemon) -> String {
    let cookie = daemon.first_user("anna").await;
    let wish = json!({ "label": "tried", "role": "admin" });
    let post = daemon.client().post(daemon.url("/tokens"));
    let post = post
        .header("cookie", cookie)
        .header("origin", daemon.origin());
    let made: Value = post.json(&wish).send().await.unwrap().json().await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_makes_the_daemon_fail() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        Path::new(PROGRAM).exists(),
        "{PROGRAM} is missing: scripts/setup.sh --test installs it"
    );
    let daemon = Daemon::start(&folder.path().join("data"), &NAMES).await;
    // It makes clusters and runs of whatever it finds: none of them may be a lab of this computer's.
    let token = token(&daemon).await;
    let delete = daemon.client().delete(daemon.url("/templates/lab"));
    delete
        .bearer_auth(&token)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &daemon.authority).unwrap();
    let settings = format!("tls-verify = {ca:?}\n[headers]\nAuthorization = \"Bearer {token}\"\n");
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, settings).unwrap();

    let mut command = tokio::process::Command::new(PROGRAM);
    let url = format!(
        "https://127.0.0.1:{}/api/openapi.json",
        daemon.address.port()
    );
    command
        .arg("--config-file")
        .arg(&config)
        .args(["run", &url, "--checks", "not_a_server_error"])
        .args(["--phases", "coverage,fuzzing", "--max-examples", "15"])
        .args([
            "--request-timeout",
            "20",
            "--continue-on-failure",
            "--no-color",
            "--seed",
            "7",
        ])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for name in LEFT_OUT {
        command.args(["--exclude-name", name]);
    }
    let done = tokio::time::timeout(LIMIT, command.output()).await;
    let done = done.unwrap_or_else(|_| panic!("it takes longer than {LIMIT:?}"));
    let done = done.unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let beside = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() || only_cut_off(&said),
        "{said}\n{beside}"
    );
    // That it was refused everything would say nothing.
    assert!(!said.contains("Authentication failed"), "{said}");
    daemon.end().await;
}

/// Whether nothing went wrong but that a connection ended while it was still sending: a body that is refused before it is
/// read ends the connection, and whoever sends it may see that before the answer. All others were answered.
fn only_cut_off(said: &str) -> bool {
    let count = |text: &str| said.matches(text).count();
    let (wrong, cut) = (
        count("Network Error"),
        count("EOF occurred in violation of protocol"),
    );
    !said.contains("FAILURES") && wrong > 0 && wrong == cut && wrong <= 5
}
