//! Templates, machines and buttons in the API.

use crate::daemon::Daemon;
use bramble_store::Typed;
use bramble_store::record::{Button, Role};
use serde_json::{Value, json};

fn template(name: &str, origin: &str) -> Option<Value> {
    Some(json!({
        "name": name, "origin": origin, "controlPlanes": 1, "workers": 1, "labels": {}, "spec": {},
    }))
}

#[tokio::test]
async fn a_cluster_comes_from_the_pool_and_keeps_its_machines() {
    let daemon = Daemon::new("").await;
    let admin = daemon.token("anna", Role::Admin).await;
    let post =
        async |path: &str, body: Option<Value>| daemon.as_token(&admin, "POST", path, body).await;
    post("/templates", template("two", "pool")).await.is(201);
    post("/templates", template("two", "pool")).await.is(409);
    let wish = Some(json!({ "name": "red", "template": "two" }));
    let few = post("/clusters/from-template", wish.clone()).await.is(409);
    assert!(
        few.text.contains("0 of 2 machines are free"),
        "{}",
        few.text
    );
    assert!(few.text.contains("register more machines"), "{}", few.text);
    for last in [1, 2] {
        let key = "SHA256:uNiVztksCsDhcc0u9e8BrJQXVUpKZIDTMczCvj3tD2s";
        let machine = json!({ "name": format!("pi-{last}"), "address": format!("192.0.2.{last}"), "hostKey": key });
        post("/machines", Some(machine)).await.is(201);
    }
    for lifetime in [0, u64::MAX] {
        let wish = json!({ "name": "red", "template": "two", "lifetime": lifetime });
        let refused = post("/clusters/from-template", Some(wish)).await.is(422);
        assert!(refused.text.contains("lifetime: 60 to"), "{}", refused.text);
    }
    let made = post("/clusters/from-template", wish).await.is(201).json();
    let file = made["file"].as_str().unwrap();
    assert!(
        file.contains("hostKey: \"SHA256:") || file.contains("hostKey: SHA256:"),
        "{file}"
    );
    daemon
        .as_token(&admin, "DELETE", "/machines/pi-1", None)
        .await
        .is(409);

    let put = async |file: String| {
        let body = json!({ "file": file, "version": made["version"] });
        daemon
            .as_token(&admin, "PUT", "/clusters/red", Some(body))
            .await
    };
    let others = put(file.replace("192.0.2.2", "192.0.2.3")).await.is(422);
    assert!(others.text.contains("other machines"), "{}", others.text);
    put(format!("# mine\n{file}")).await.is(200);
}

#[tokio::test]
async fn a_machine_that_no_cluster_could_have_is_not_registered() {
    let daemon = Daemon::new("").await;
    let admin = daemon.token("anna", Role::Admin).await;
    for (field, value, why) in [
        ("user", "not a login", "can't be a login name"),
        (
            "hostKey",
            "SHA256:short",
            "not the fingerprint of a host key",
        ),
        ("address", "0.0.0.0", "0.0.0.0"),
    ] {
        let mut machine = json!({ "name": "pi-1", "address": "192.0.2.1" });
        machine[field] = value.into();
        let refused = daemon.as_token(&admin, "POST", "/machines", Some(machine));
        let refused = refused.await.is(422);
        assert!(refused.text.contains(why), "{}", refused.text);
    }
    let all = daemon.as_token(&admin, "GET", "/machines", None).await;
    assert_eq!(all.is(200).json(), json!([]));
}

#[tokio::test]
async fn the_key_of_a_button_is_told_once() {
    let daemon = Daemon::new("").await;
    let admin = daemon.token("anna", Role::Admin).await;
    let post =
        async |path: &str, body: Value| daemon.as_token(&admin, "POST", path, Some(body)).await;
    post("/templates", template("small", "lab").unwrap())
        .await
        .is(201);
    let profile =
        json!({ "template": "small", "plugin": "routed", "lifetime": 3600, "teardown": true });
    let made = post("/buttons", json!({ "id": "kitchen", "profile": profile }))
        .await
        .is(201)
        .json();
    let key = made["key"].as_str().unwrap().to_owned();
    assert_eq!((key.len(), made["signed"].as_bool()), (64, Some(true)));
    let kept = daemon.app.store.need::<Button>("kitchen").await.unwrap().it;
    assert_eq!(kept.key, key);
    let old = post(
        "/buttons",
        json!({ "id": "old", "profile": profile, "signed": false }),
    )
    .await;
    assert!(old.is(201).json().get("key").is_none());

    let all = daemon
        .as_token(&admin, "GET", "/buttons", None)
        .await
        .is(200);
    assert!(!all.text.contains(&key));
    let mut wrong = profile.clone();
    wrong["template"] = "nobody".into();
    let body = Some(json!({ "profile": wrong }));
    let refused = daemon
        .as_token(&admin, "PUT", "/buttons/kitchen", body)
        .await
        .is(422);
    assert!(refused.text.contains("no template"), "{}", refused.text);
    let mut short = profile.clone();
    short["lifetime"] = 5.into();
    let body = Some(json!({ "profile": short }));
    daemon
        .as_token(&admin, "PUT", "/buttons/kitchen", body)
        .await
        .is(422);
    let body = Some(json!({ "profile": { "template": "small" } }));
    let changed = daemon
        .as_token(&admin, "PUT", "/buttons/kitchen", body)
        .await
        .is(200);
    assert!(!changed.text.contains(&key));
    assert_eq!(
        daemon
            .app
            .store
            .need::<Button>("kitchen")
            .await
            .unwrap()
            .it
            .key,
        key
    );

    daemon
        .as_token(&admin, "DELETE", "/templates/small", None)
        .await
        .is(409);
    daemon
        .as_token(&admin, "DELETE", "/buttons/kitchen", None)
        .await
        .is(204);
    daemon
        .as_token(&admin, "DELETE", "/buttons/kitchen", None)
        .await
        .is(404);
    post(
        "/buttons",
        json!({ "id": "Not A Label!", "profile": profile }),
    )
    .await
    .is(422);
}

#[tokio::test]
async fn of_two_who_change_a_template_the_second_is_told() {
    let daemon = Daemon::new("").await;
    let admin = daemon.token("anna", Role::Admin).await;
    let ask = async |method: &str, path: &str, body: Value| {
        daemon.as_token(&admin, method, path, Some(body)).await
    };
    let made = ask("POST", "/templates", template("small", "pool").unwrap()).await;
    let read = made.is(201).json();
    let with = |workers: u16| {
        let mut changed = read.clone();
        changed["workers"] = workers.into();
        changed
    };
    let first = ask("PUT", "/templates/small", with(3)).await.is(200).json();
    assert_ne!(first["version"], read["version"]);
    let second = ask("PUT", "/templates/small", with(5)).await.is(409);
    assert!(
        second.text.contains("by someone else meanwhile"),
        "{}",
        second.text
    );
    let all = daemon.as_token(&admin, "GET", "/templates", None).await;
    assert_eq!(all.is(200).json(), json!([first]));
    // Who has read it again may.
    let mut again = with(5);
    again["version"] = first["version"].clone();
    ask("PUT", "/templates/small", again).await.is(200);
    let gone = ask("PUT", "/templates/large", with(5)).await;
    gone.is(404);
}
