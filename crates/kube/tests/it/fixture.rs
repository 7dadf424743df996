//! One real API server for the whole binary: etcd, kube-apiserver and kube-controller-manager on
//! loopback, started by the first test that needs it. A watching shell ends them and removes their
//! files when this process ends, however it ends.

use bramble_kube::{Api, Progress};
use bramble_machine::api::ApiResource;
use bramble_machine::step::ApiStep;
use bramble_secret::Secret;
use http::Request;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A name that no resolver knows, in the server's certificate.
pub const SERVER_NAME: &str = "kube.bramble.test";
/// Long enough for a slow computer.
pub const LONG: Duration = Duration::from_secs(60);

static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();

/// A running cluster.
pub struct Cluster {
    pub address: SocketAddr,
    ca: String,
    admin: (String, String),
    dir: PathBuf,
    /// Its standard input is the line that the processes live by.
    _watch: Mutex<Child>,
}

/// Where the programs are; says why not once.
fn programs() -> Option<PathBuf> {
    let found = match std::env::var_os("BRAMBLE_KUBE_BIN") {
        Some(dir) => Some(PathBuf::from(dir)).filter(|dir| dir.join("kube-apiserver").exists()),
        None => search(Path::new("/var/cache/bramble/build"), 4),
    };
    if found.is_none() {
        println!("skipped: kube-apiserver absent (BRAMBLE_KUBE_BIN, /var/cache/bramble/build)");
        return None;
    }
    if !Path::new("/usr/bin/etcd").exists() {
        println!("skipped: etcd absent (Debian package etcd-server)");
        return None;
    }
    found
}

fn search(dir: &Path, depth: u32) -> Option<PathBuf> {
    let has = |name: &str| dir.join(name).is_file();
    if has("kube-apiserver") && has("kube-controller-manager") {
        return Some(dir.to_owned());
    }
    let entries = std::fs::read_dir(dir).ok().filter(|_| depth > 0)?;
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .find_map(|entry| search(&entry.path(), depth - 1))
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn signed(
    issuer: &Issuer<'_, KeyPair>,
    names: &[&str],
    user: &str,
    group: Option<&str>,
) -> (String, String) {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (certificate.pem(), key.serialize_pem())
}

const WATCH: &str = r#"
cd "$DIR" || exit 1
etcd --data-dir etcd --unsafe-no-fsync --listen-client-urls "$ETCD" --advertise-client-urls "$ETCD" \
  --listen-peer-urls "$PEER" --initial-advertise-peer-urls "$PEER" --initial-cluster "default=$PEER" \
  >etcd.log 2>&1 </dev/null & pids=$!
"$BIN/kube-apiserver" --etcd-servers="$ETCD" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 \
  --secure-port="$PORT" --authorization-mode=RBAC --client-ca-file=ca.crt --tls-cert-file=server.crt \
  --tls-private-key-file=server.key --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key \
  --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 \
  >apiserver.log 2>&1 </dev/null & pids="$pids $!"
"$BIN/kube-controller-manager" --kubeconfig=kcm.conf --bind-address=127.0.0.1 --port=0 --secure-port="$KCM" \
  --controllers='*,-nodelifecycle,-nodeipam' --service-account-private-key-file=sa.key --root-ca-file=ca.crt \
  --use-service-account-credentials --leader-elect=false --authentication-kubeconfig=kcm.conf \
  --authorization-kubeconfig=kcm.conf >kcm.log 2>&1 </dev/null & pids="$pids $!"
read -r _
kill -9 $pids
wait
rm -rf "$DIR"
"#;

impl Cluster {
    fn start(bin: &Path) -> Cluster {
        let dir = tempfile::Builder::new()
            .prefix("bramble-kube-")
            .tempdir()
            .unwrap()
            .keep();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "test CA");
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let server = signed(&issuer, &["127.0.0.1", SERVER_NAME], "kube-apiserver", None);
        let admin = signed(&issuer, &[], "admin", Some("system:masters"));
        let account = KeyPair::generate().unwrap();
        let port = free_port();
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        let mut cluster = Cluster {
            address,
            ca,
            admin,
            dir: dir.clone(),
            _watch: Mutex::new(Command::new("true").spawn().unwrap()),
        };
        let conf = cluster.kubeconfig(&format!("https://{address}"));
        let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
        write("ca.crt", &cluster.ca);
        write("server.crt", &server.0);
        write("server.key", &server.1);
        write("sa.key", &account.serialize_pem());
        write("sa.pub", &account.public_key_pem());
        write("kcm.conf", conf.expose());
        let watch = Command::new("sh")
            .args(["-c", WATCH])
            .env("DIR", &dir)
            .env("BIN", bin)
            .env("ETCD", format!("http://127.0.0.1:{}", free_port()))
            .env("PEER", format!("http://127.0.0.1:{}", free_port()))
            .env("PORT", port.to_string())
            .env("KCM", free_port().to_string())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        cluster._watch = Mutex::new(watch);
        cluster
    }

    /// An admin's kubeconfig as kubeadm writes it, for that address.
    pub fn kubeconfig(&self, server: &str) -> Secret {
        Secret::new(format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: kubernetes\n  cluster:\n    server: {server}\n    \
             certificate-authority-data: {}\ncontexts:\n- name: admin@kubernetes\n  context:\n    \
             cluster: kubernetes\n    user: admin\ncurrent-context: admin@kubernetes\nusers:\n- name: admin\n  \
             user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
            base64(&self.ca),
            base64(&self.admin.0),
            base64(&self.admin.1)
        ))
    }

    /// A secret part of the kubeconfig.
    pub fn key(&self) -> String {
        base64(&self.admin.1)
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.dir.join("apiserver.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

pub fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The cluster and a connection to it; `None` (and a line that says so) where it can't run.
pub async fn cluster() -> Option<(&'static Cluster, Api, Raw)> {
    let cluster = CLUSTER
        .get_or_init(|| programs().map(|bin| Cluster::start(&bin)))
        .as_ref()?;
    let conf = cluster.kubeconfig(&format!("https://{}", cluster.address));
    let begin = Instant::now();
    let api = loop {
        match Api::connect(&conf, None).await {
            Ok(api) => break api,
            Err(error) => assert!(begin.elapsed() < LONG, "{error:?}\n{}", cluster.log()),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    api.wait_ready(LONG, |_| {}).await.unwrap();
    let options = kube::config::KubeConfigOptions::default();
    let parsed = kube::config::Kubeconfig::from_yaml(conf.expose()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(parsed, &options)
        .await
        .unwrap();
    let raw = Raw(kube::Client::try_from(config).unwrap());
    // The controller manager makes it once it runs.
    raw.until("/api/v1/namespaces/default/serviceaccounts/default", |o| {
        o["secrets"].is_array()
    })
    .await;
    Some((cluster, api, raw))
}

/// The API as somebody else uses it.
#[derive(Clone)]
pub struct Raw(kube::Client);

impl Raw {
    async fn send(&self, method: &str, path: &str, kind: &str, body: Value) -> Option<Value> {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(body)
            .unwrap();
        match self.0.request(request).await {
            Ok(value) => Some(value),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    pub async fn get(&self, path: &str) -> Option<Value> {
        self.send("GET", path, "application/json", Value::Null)
            .await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.send("POST", path, "application/json", body)
            .await
            .unwrap()
    }

    pub async fn merge(&self, path: &str, body: Value) -> Value {
        self.send("PATCH", path, "application/merge-patch+json", body)
            .await
            .unwrap()
    }

    pub async fn delete(&self, path: &str) {
        self.send("DELETE", path, "application/json", Value::Null)
            .await;
    }

    /// The object's version, which every write moves.
    pub async fn version(&self, path: &str) -> String {
        let object = self.get(path).await.unwrap();
        object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Waits until the object is there and as it should be.
    pub async fn until(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let found = self.get(path).await;
            if let Some(object) = found.as_ref().filter(|o| fits(o)) {
                return object.clone();
            }
            assert!(begin.elapsed() < LONG, "waited for {path}: {found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Makes a node that reports itself ready.
    pub async fn node(&self, name: &str, extra: Value) -> String {
        let mut node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": name, "labels": { "stranger": "yes" } },
        });
        if !extra.is_null() {
            node["spec"] = extra;
        }
        self.post("/api/v1/nodes", node).await;
        let path = format!("/api/v1/nodes/{name}");
        self.ready(name, "True").await;
        path
    }

    pub async fn ready(&self, name: &str, status: &str) {
        let condition = json!({
            "type": "Ready", "status": status, "reason": "Test", "message": format!("ready is {status}"),
        });
        self.merge(
            &format!("/api/v1/nodes/{name}/status"),
            json!({ "status": { "conditions": [condition] } }),
        )
        .await;
    }

    pub async fn namespace(&self, name: &str) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.post("/api/v1/namespaces", body).await;
        self.until(
            &format!("/api/v1/namespaces/{name}/serviceaccounts/default"),
            |_| true,
        )
        .await;
    }
}

pub fn step(name: &str, resources: Vec<ApiResource>) -> ApiStep {
    ApiStep {
        name: name.into(),
        resources,
        needs: Vec::new(),
    }
}

pub fn object(manifest: Value) -> ApiResource {
    ApiResource::Object {
        manifest,
        wait: false,
    }
}

pub fn config_map(namespace: &str, name: &str, data: Value) -> ApiResource {
    object(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace }, "data": data,
    }))
}

/// One step's plan.
pub async fn plan(api: &Api, step: &ApiStep) -> Vec<bramble_kube::Planned> {
    api.plan(std::slice::from_ref(step))
        .await
        .unwrap()
        .remove(0)
}

/// Applies with a generous limit; gives for each resource whether it was changed.
pub async fn apply(api: &Api, step: &ApiStep) -> Vec<bool> {
    let applied = api.apply(step, LONG, |_| {}).await.unwrap();
    applied.into_iter().map(|a| a.changed).collect()
}

/// What was waited for, in order.
pub fn waits(said: &[Progress]) -> Vec<String> {
    said.iter()
        .filter_map(|p| match p {
            Progress::Waiting { what, .. } => Some(what.clone()),
            _ => None,
        })
        .collect()
}
