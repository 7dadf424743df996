//! A real API server, watched: through a door that can be shut.

use crate::common::rules_of;
use crate::fixture::{LONG, Raw, cluster};
use bramble_kube::Api;
use bramble_lights::{Lights, Panel, watch as lights_watch};
use bramble_secret::Secret;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A way to the API server that can be shut: connections through it break.
struct Door {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Door {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, state) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut state = state.clone();
                tokio::spawn(async move {
                    if !*state.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(target).await else {
                        return;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { address, open }
    }
}

/// A panel that watches; what it says.
struct Watching {
    panel: Arc<Panel>,
    said: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Watching {
    async fn begin(conf: &Secret, rules: &str) -> Self {
        let panel = Panel::new(rules_of(rules));
        let api = Api::connect(conf, None).await.unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (here, words) = (panel.clone(), said.clone());
        let task = tokio::spawn(async move {
            let timer = here.run();
            let watch = lights_watch::run(&api, &here, |text| words.lock().unwrap().push(text));
            tokio::join!(timer, watch);
        });
        Self {
            panel,
            said,
            task: task.abort_handle(),
        }
    }

    /// Waits until the lights fit; how long that took.
    async fn until(&self, what: &str, fits: impl Fn(&Lights) -> bool) -> Duration {
        let begin = Instant::now();
        let mut shown = self.panel.shown();
        let waited = tokio::time::timeout(LONG, shown.wait_for(|lights| fits(lights))).await;
        if waited.is_err() {
            panic!(
                "{what}: {:#?}\n{:?}",
                self.panel.lights(),
                self.said.lock().unwrap()
            );
        }
        begin.elapsed()
    }

    fn has(lights: &Lights, name: &str, reason: &str) -> bool {
        let mut all = lights.reasons.iter().map(|r| &r.signal);
        all.any(|signal| signal.name == name && signal.reason == reason)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const RULES: &str = "alive: [{ source: watch, within: 2s, always: true }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_real_cluster_is_watched_and_missed_when_it_is_gone() {
    let Some((cluster, _, raw)) = cluster().await else {
        return;
    };
    let door = Door::to(cluster.address).await;
    let conf = cluster.kubeconfig(&format!("https://{}", door.address));
    let node = raw.node("lamp", Value::Null).await;
    let watching = Watching::begin(&conf, RULES).await;
    let fine = |lights: &Lights| lights.word() == "green";
    watching.until("all is well", fine).await;

    raw.ready("lamp", "False").await;
    let bad = |lights: &Lights| lights.word() == "red" && Watching::has(lights, "lamp", "NotReady");
    let took = watching.until("the node", bad).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    raw.ready("lamp", "True").await;
    watching.until("the node is well", fine).await;

    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "x"}]}});
    raw.post(pods, pod).await;
    let crash = json!({"status": {"phase": "Running", "containerStatuses": [{"name": "app", "ready": false,
        "restartCount": 3, "image": "x", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
    raw.merge(&format!("{pods}/web/status"), crash).await;
    let crashed = |l: &Lights| l.word() == "yellow" && Watching::has(l, "web", "CrashLoopBackOff");
    watching.until("the pod", crashed).await;
    raw.delete(&format!("{pods}/web")).await;
    watching.until("the pod is gone", fine).await;

    let event = json!({"metadata": {"name": "lamp.1"}, "type": "Warning", "reason": "TooHot", "message": "91 degrees",
        "involvedObject": {"kind": "Node", "name": "lamp"}});
    raw.post("/api/v1/namespaces/default/events", event).await;
    watching
        .until("the warning", |l| Watching::has(l, "lamp", "TooHot"))
        .await;

    // The way to it breaks: unknown within the limit, by time alone.
    door.open.send(false).unwrap();
    let silent = |lights: &Lights| lights.unknown == ["watch"];
    let took = watching.until("it is missed", silent).await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    // What happens meanwhile is seen afterwards.
    raw.ready("lamp", "Unknown").await;
    door.open.send(true).unwrap();
    watching
        .until("what was missed", |l| l.unknown.is_empty() && bad(l))
        .await;
    assert!(
        !watching.said.lock().unwrap().is_empty(),
        "somebody is told why"
    );
    raw.delete(&node).await;
    watching
        .until("the node is gone", |l| {
            !Watching::has(l, "lamp", "NotReady")
        })
        .await;
}

/// Documents of the manifest, with where they are made.
fn role() -> Vec<(&'static str, Value)> {
    let text = include_str!("../../../../examples/manifests/lights-reader.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let place = |object: &Value| match object["kind"].as_str().unwrap() {
        "ServiceAccount" => "/api/v1/namespaces/kube-system/serviceaccounts".to_owned(),
        "Secret" => "/api/v1/namespaces/kube-system/secrets".to_owned(),
        "ClusterRole" => format!("{rbac}/clusterroles"),
        "ClusterRoleBinding" => format!("{rbac}/clusterrolebindings"),
        kind => panic!("{kind}"),
    };
    objects
        .into_iter()
        .map(|o| (&*place(&o).leak(), o))
        .collect()
}

async fn token(raw: &Raw) -> String {
    use base64::Engine;
    let path = "/api/v1/namespaces/kube-system/secrets/bramble-lights";
    let secret = raw
        .until(path, |secret| secret["data"]["token"].is_string())
        .await;
    let engine = base64::engine::general_purpose::STANDARD;
    let token = engine
        .decode(secret["data"]["token"].as_str().unwrap())
        .unwrap();
    String::from_utf8(token).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_the_examples_is_enough_and_less_is_unknown() {
    let Some((cluster, _, raw)) = cluster().await else {
        return;
    };
    for (place, object) in role() {
        raw.post(place, object).await;
    }
    let admin = cluster.kubeconfig(&format!("https://{}", cluster.address));
    let text = admin.expose();
    let user = text.find("    client-certificate-data").unwrap();
    let conf = Secret::new(format!(
        "{}    token: {}\n",
        &text[..user],
        token(&raw).await
    ));
    let watching = Watching::begin(&conf, RULES).await;
    watching
        .until("it may watch", |lights| lights.unknown.is_empty())
        .await;
    drop(watching);
    // Somebody takes the pods away from the role: what the lights can't see they don't call green.
    let rules = json!({"rules": [{"apiGroups": [""], "resources": ["nodes", "events"], "verbs": ["list", "watch"]}]});
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/bramble-lights";
    raw.merge(path, rules).await;
    let watching = Watching::begin(&conf, RULES).await;
    let told = async {
        while !watching
            .said
            .lock()
            .unwrap()
            .iter()
            .any(|s| s.contains("Pod") && s.contains("403"))
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, told)
        .await
        .expect("somebody is told");
    assert_eq!(watching.panel.lights().unknown, ["watch"]);
}
