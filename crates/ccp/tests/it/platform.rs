//! A platform for tests, made from descriptions of Cisco Container Platform's REST API and from what its public
//! clients send and read, not from Bramble's client.
//!
//! Version 2: `POST /2/system/login` takes a form and sets the cookie `CXAccessToken`; `GET|POST /2/clusters`,
//! `GET /2/clusters/NAME`, `GET|DELETE /2/clusters/UUID`, `GET /2/clusters/UUID/env`. A `POST` is answered once the
//! cluster exists. `network_plugin.details` is a text that holds JSON.
//! Version 3: `POST /v3/system/login` answers with the header `X-Auth-Token`; `GET|POST /v3/clusters/` (202, at once),
//! `GET|DELETE /v3/clusters/ID` (204); a cluster has `status` and, once it is ready, `kubeconfig`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_server::tls_rustls::RustlsConfig;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub const USER: &str = "admin";
pub const PASSWORD: &str = "s3cret & \"quoted\" +100%";
pub const VIP: &str = "10.10.20.30";

/// How a platform behaves beyond the usual.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// States that a new cluster goes through, one with every look; the last one stays. By default it is ready after
    /// three looks.
    pub states: Option<Vec<&'static str>>,
    /// Sessions end after so many requests.
    pub session_requests: Option<u32>,
    /// So many requests in a row are answered 503, once `after` have been answered.
    pub outage: Option<Outage>,
    /// A version 2 order is cut off by a proxy that doesn't wait: 504, while the platform goes on.
    pub impatient_proxy: bool,
    /// Orders are refused with this.
    pub refuse: Option<(u16, &'static str)>,
    /// No shared address: machines have public ones.
    pub no_vip: bool,
    /// Every answer but those of logins is this.
    pub garbage: Option<&'static str>,
    /// An order is accepted and forgotten.
    pub forgets: bool,
    /// A cluster that is to be deleted stays.
    pub keeps: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Outage {
    pub after: u32,
    pub requests: u32,
}

#[derive(Debug, Clone)]
struct Entry {
    id: String,
    body: Value,
    looks: usize,
    deleting: Option<usize>,
}

#[derive(Debug, Default)]
pub struct Record {
    /// Bodies of orders that were accepted.
    pub orders: Vec<Value>,
    /// Logins, good and bad ones.
    pub logins: u32,
    /// Ids of clusters whose deletion was asked.
    pub deletions: Vec<String>,
    /// All requests, as method and path.
    pub requests: Vec<String>,
}

#[derive(Debug, Default)]
struct World {
    manner: Manner,
    clusters: Vec<Entry>,
    sessions: BTreeSet<String>,
    left: u32,
    answered: u32,
    made: u32,
    record: Record,
}

/// A platform that runs.
pub struct Platform {
    pub address: SocketAddr,
    pub authority: String,
    world: Arc<Mutex<World>>,
    handle: axum_server::Handle<SocketAddr>,
}

type Shared = State<Arc<Mutex<World>>>;

impl Platform {
    pub async fn start(manner: Manner) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = bramble_keys::authority("test platform").unwrap();
        let names = ["localhost".to_owned()];
        let pair = bramble_keys::signed(&authority, "platform", &names).unwrap();
        let key = pair.key.expose().as_bytes().to_vec();
        let config = RustlsConfig::from_pem(pair.certificate.into_bytes(), key);
        let config = config.await.unwrap();
        let world = Arc::new(Mutex::new(World {
            manner,
            ..World::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let handle = axum_server::Handle::new();
        let server = axum_server::from_tcp_rustls(listener, config).unwrap();
        let app = routes(Arc::clone(&world)).into_make_service();
        tokio::spawn(server.handle(handle.clone()).serve(app));
        Self {
            address,
            authority: authority.certificate,
            world,
            handle,
        }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub fn record<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.lock().record)
    }

    /// Puts a cluster there that somebody else made, ready.
    pub fn add(&self, body: Value) {
        let mut world = self.lock();
        let looks = usize::MAX / 2;
        let id = world.id();
        world.clusters.push(Entry {
            id,
            body,
            looks,
            deleting: None,
        });
    }

    pub fn behave(&self, manner: Manner) {
        self.lock().manner = manner;
    }

    pub fn names(&self) -> Vec<String> {
        let name = |entry: &Entry| entry.body["name"].as_str().unwrap().to_owned();
        self.lock().clusters.iter().map(name).collect()
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

fn routes(world: Arc<Mutex<World>>) -> Router {
    Router::new()
        .route("/2/system/login", post(login_v2))
        .route("/v3/system/login", post(login_v3))
        .route("/2/clusters", get(list_v2).post(order_v2))
        .route("/2/clusters/{key}", get(one_v2).delete(delete_v2))
        .route("/2/clusters/{key}/env", get(env_v2))
        .route("/v3/clusters/", get(list_v3).post(order_v3))
        .route("/v3/clusters/{key}", get(one_v3).delete(delete_v3))
        .with_state(world)
}

impl World {
    fn id(&mut self) -> String {
        self.made += 1;
        format!("c0ffee00-0000-4000-8000-{:012}", self.made)
    }

    fn login(&mut self, body: &[u8]) -> Option<String> {
        self.record.logins += 1;
        let text = String::from_utf8(body.to_vec()).unwrap();
        let field = |name: &str| {
            let mut pairs = text.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, _)| *key == name)
                .map(|(_, value)| decoded(value))
        };
        if field("username")? != USER || field("password")? != PASSWORD {
            return None;
        }
        let token = format!("token-{}", self.record.logins);
        self.sessions = [token.clone()].into();
        self.left = self.manner.session_requests.unwrap_or(u32::MAX);
        Some(token)
    }

    /// What every request passes first.
    fn enter(&mut self, request: String, token: Option<&str>) -> Result<(), Box<Response>> {
        self.record.requests.push(request);
        self.answered += 1;
        if let Some(Outage { after, requests }) = self.manner.outage
            && (after..after.saturating_add(requests)).contains(&(self.answered - 1))
        {
            return Err(Box::new(
                (StatusCode::SERVICE_UNAVAILABLE, "upstream is away").into_response(),
            ));
        }
        let known = token.is_some_and(|token| self.sessions.contains(token));
        if !known || self.left == 0 {
            return Err(Box::new(StatusCode::UNAUTHORIZED.into_response()));
        }
        self.left -= 1;
        match self.manner.garbage {
            Some(text) => Err(Box::new((StatusCode::OK, text).into_response())),
            None => Ok(()),
        }
    }

    fn states(&self) -> Vec<&'static str> {
        let usual = || vec!["CREATING", "CREATING", "READY"];
        self.manner.states.clone().unwrap_or_else(usual)
    }

    fn state(&self, entry: &Entry) -> &'static str {
        if entry.deleting.is_some() {
            return "DELETING";
        }
        let states = self.states();
        states[entry.looks.min(states.len() - 1)]
    }

    /// A look: time passes by it.
    fn look(&mut self) {
        let keeps = self.manner.keeps;
        for entry in &mut self.clusters {
            entry.looks += 1;
            if let Some(left) = &mut entry.deleting {
                *left = left.saturating_sub(1);
            }
        }
        self.clusters
            .retain(|entry| keeps || entry.deleting != Some(0));
    }

    fn order(&mut self, body: &Value) -> Result<String, Box<Response>> {
        if let Some((status, text)) = self.manner.refuse {
            return Err(Box::new(
                (StatusCode::from_u16(status).unwrap(), text).into_response(),
            ));
        }
        if self
            .clusters
            .iter()
            .any(|entry| entry.body["name"] == body["name"])
        {
            let text = json!({ "error": "cluster name is in use" }).to_string();
            return Err(Box::new((StatusCode::CONFLICT, text).into_response()));
        }
        self.record.orders.push(body.clone());
        let id = self.id();
        if !self.manner.forgets {
            self.clusters.push(Entry {
                id: id.clone(),
                body: body.clone(),
                looks: 0,
                deleting: None,
            });
        }
        Ok(id)
    }

    fn delete(&mut self, id: &str) -> StatusCode {
        self.record.deletions.push(id.to_owned());
        let found = self.clusters.iter_mut().find(|entry| entry.id == id);
        match found {
            None => StatusCode::NOT_FOUND,
            Some(entry) => {
                entry.deleting = Some(3);
                StatusCode::NO_CONTENT
            }
        }
    }

    fn host(&self, index: usize) -> String {
        format!("10.10.20.{}", 100 + index)
    }

    fn as_v2(&self, entry: &Entry) -> Value {
        let state = self.state(entry);
        let count = |key: &str| entry.body[key].as_u64().unwrap_or(0);
        let (masters, all) = (count("masters"), count("masters") + count("workers"));
        let node = |index: u64| {
            let place = usize::try_from(index).unwrap();
            // One more machine is ready with every look.
            let ready = state == "READY" || entry.looks > place;
            json!({
                "uuid": format!("node-{index}"),
                "name": format!("{}-{index}", entry.body["name"].as_str().unwrap()),
                "public_ip": self.host(place),
                "private_ip": format!("192.168.0.{index}"),
                "is_master": index < masters,
                "state": if ready { "READY" } else { "CREATING" },
                "error_log": if state == "ERROR" { json!("first\nno space left on datastore\n") } else { Value::Null },
            })
        };
        let mut out = entry.body.clone();
        out["uuid"] = json!(entry.id);
        out["state"] = json!(state);
        out["nodes"] = (0..all).map(node).collect();
        out["master_vip"] = if self.manner.no_vip {
            json!("")
        } else {
            json!(VIP)
        };
        out
    }

    fn as_v3(&self, entry: &Entry) -> Value {
        let state = self.state(entry);
        let mut out = entry.body.clone();
        out["id"] = json!(entry.id);
        out["status"] = json!(state);
        out["master_vip"] = if self.manner.no_vip {
            json!("")
        } else {
            json!(VIP)
        };
        out["kubeconfig"] = json!(if state == "READY" {
            kubeconfig()
        } else {
            String::new()
        });
        let name = entry.body["name"].as_str().unwrap();
        let node = |group: &str, index: usize| {
            json!({
                "name": format!("{name}-{group}-{index}"),
                "status": if state == "READY" || entry.looks > index { "READY" } else { "CREATING" },
                "phase": "x",
                "public_ip": self.host(index),
                "private_ip": "192.168.0.1",
            })
        };
        let size = |group: &Value| usize::try_from(group["size"].as_u64().unwrap_or(0)).unwrap();
        if out["master_group"].is_object() {
            out["master_group"]["nodes"] = (0..size(&out["master_group"]))
                .map(|i| node("master", i))
                .collect();
        }
        for group in out["node_groups"].as_array_mut().into_iter().flatten() {
            group["nodes"] = (0..size(group)).map(|i| node("worker", i)).collect();
        }
        out
    }
}

/// What a cluster's administrator gets.
pub fn kubeconfig() -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: kubernetes\n  cluster:\n    server: https://{VIP}:6443\n\
         users:\n- name: admin\n  user: {{ token: kube-secret }}\n"
    )
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("cookie")?.to_str().ok()?;
    let mut cookies = text
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='));
    cookies
        .find(|(name, _)| *name == "CXAccessToken")
        .map(|(_, token)| token)
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-auth-token")?.to_str().ok()
}

/// A value of a form (WHATWG URL, 5.1).
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => {
                let hex = &value[at + 1..at + 3];
                out.push(u8::from_str_radix(hex, 16).unwrap());
                at += 2;
            }
            other => out.push(other),
        }
        at += 1;
    }
    String::from_utf8(out).unwrap()
}

async fn login_v2(State(world): Shared, body: Bytes) -> Response {
    match world.lock().unwrap().login(&body) {
        Some(token) => {
            let cookies = [
                ("set-cookie", "other=1".to_owned()),
                (
                    "set-cookie",
                    format!("CXAccessToken={token}; Path=/; Secure; HttpOnly"),
                ),
            ];
            (StatusCode::OK, axum::response::AppendHeaders(cookies), "{}").into_response()
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn login_v3(State(world): Shared, body: Bytes) -> Response {
    match world.lock().unwrap().login(&body) {
        Some(token) => ([("x-auth-token", token)], "").into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn list_v2(State(world): Shared, headers: HeaderMap) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter("GET /2/clusters".into(), cookie(&headers)) {
        return *answer;
    }
    let all: Vec<Value> = world
        .clusters
        .iter()
        .map(|entry| world.as_v2(entry))
        .collect();
    axum::Json(all).into_response()
}

async fn order_v2(State(world): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let (id, hurried) = {
        let mut world = world.lock().unwrap();
        if let Err(answer) = world.enter("POST /2/clusters".into(), cookie(&headers)) {
            return *answer;
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        match world.order(&body) {
            Ok(id) => (id, world.manner.impatient_proxy),
            Err(answer) => return *answer,
        }
    };
    if hurried {
        return (StatusCode::GATEWAY_TIMEOUT, "<html>504</html>").into_response();
    }
    // Answered once the cluster exists.
    loop {
        {
            let world = world.lock().unwrap();
            let found = world.clusters.iter().find(|entry| entry.id == id);
            match found {
                None => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                Some(entry) if world.state(entry) == "READY" => {
                    return axum::Json(world.as_v2(entry)).into_response();
                }
                Some(entry) if world.state(entry) == "ERROR" => {
                    return (StatusCode::INTERNAL_SERVER_ERROR, "creation failed").into_response();
                }
                Some(_) => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn one_v2(State(world): Shared, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter(format!("GET /2/clusters/{key}"), cookie(&headers)) {
        return *answer;
    }
    let found = world
        .clusters
        .iter()
        .find(|entry| entry.id == key || entry.body["name"] == key.as_str());
    let answer = match found {
        Some(entry) => axum::Json(world.as_v2(entry)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    world.look();
    answer
}

async fn env_v2(State(world): Shared, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter(format!("GET /2/clusters/{key}/env"), cookie(&headers)) {
        return *answer;
    }
    match world.clusters.iter().any(|entry| entry.id == key) {
        true => kubeconfig().into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn delete_v2(State(world): Shared, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter(format!("DELETE /2/clusters/{key}"), cookie(&headers)) {
        return *answer;
    }
    world.delete(&key).into_response()
}

async fn list_v3(State(world): Shared, headers: HeaderMap) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter("GET /v3/clusters/".into(), token(&headers)) {
        return *answer;
    }
    let all: Vec<Value> = world
        .clusters
        .iter()
        .map(|entry| world.as_v3(entry))
        .collect();
    world.look();
    axum::Json(all).into_response()
}

async fn order_v3(State(world): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter("POST /v3/clusters/".into(), token(&headers)) {
        return *answer;
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    match world.order(&body) {
        Ok(id) => (
            StatusCode::ACCEPTED,
            axum::Json(json!({ "id": id, "status": "CREATING" })),
        )
            .into_response(),
        Err(answer) => *answer,
    }
}

async fn one_v3(State(world): Shared, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter(format!("GET /v3/clusters/{key}"), token(&headers)) {
        return *answer;
    }
    let found = world.clusters.iter().find(|entry| entry.id == key);
    match found {
        Some(entry) => axum::Json(world.as_v3(entry)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn delete_v3(State(world): Shared, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(answer) = world.enter(format!("DELETE /v3/clusters/{key}"), token(&headers)) {
        return *answer;
    }
    world.delete(&key).into_response()
}
