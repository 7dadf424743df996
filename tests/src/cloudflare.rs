//! A stand-in for Cloudflare's API, version 4, as its documentation describes zones and DNS records
//! (developers.cloudflare.com/api): filters, envelope, required fields, error codes.

use crate::http::{Request, Response, Server};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};

/// Where the API begins.
const BASE: &str = "/client/v4";

/// The API with its zones and records.
pub struct Cloudflare {
    server: Server,
    held: Arc<Mutex<Held>>,
}

struct Held {
    token: String,
    zones: Vec<Value>,
    records: Vec<Value>,
    made: usize,
    trouble: Option<Response>,
}

impl Cloudflare {
    /// Listens at an address (port 0: a free one); `token` may do everything.
    pub fn start(at: &str, token: &str) -> Self {
        let held = Arc::new(Mutex::new(Held {
            token: token.to_owned(),
            zones: Vec::new(),
            records: Vec::new(),
            made: 0,
            trouble: None,
        }));
        let own = Arc::clone(&held);
        let server = Server::start(at, move |request| {
            let mut held = own.lock().unwrap_or_else(|e| e.into_inner());
            held.answer(request)
        });
        Self { server, held }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        format!("{}{BASE}", self.server.url())
    }

    /// The URL of the API by another address of this computer.
    pub fn url_at(&self, host: &str) -> String {
        format!("http://{host}:{}{BASE}", self.server.port())
    }

    /// Adds a zone; gives its id.
    pub fn zone(&self, name: &str, status: &str) -> String {
        let mut held = self.held();
        let id = held.id();
        held.zones
            .push(json!({ "id": id, "name": name, "status": status }));
        id
    }

    /// Adds a record as somebody else would, by the dashboard.
    pub fn record(&self, zone: &str, record: Value) {
        let mut held = self.held();
        let mut new = json!({ "id": held.id(), "zone_id": zone, "ttl": 1, "proxied": false });
        merge(&mut new, &record);
        held.records.push(new);
    }

    /// Changes all records of a type and name, as somebody else would.
    pub fn meddle(&self, kind: &str, name: &str, change: &Value) {
        let mut held = self.held();
        let own = |r: &&mut Value| r["type"] == kind && r["name"] == name;
        held.records
            .iter_mut()
            .filter(own)
            .for_each(|r| merge(r, change));
    }

    /// The records of a type and name: content, TTL, proxied.
    pub fn records(&self, kind: &str, name: &str) -> Vec<(String, u64, bool)> {
        let held = self.held();
        let own = |r: &&Value| r["type"] == kind && r["name"] == name;
        held.records
            .iter()
            .filter(own)
            .map(|r| {
                let content = r["content"].as_str().unwrap_or_default().to_owned();
                (
                    content,
                    r["ttl"].as_u64().unwrap_or(0),
                    r["proxied"] == true,
                )
            })
            .collect()
    }

    /// Answers everything with this from now on; `None` ends the trouble.
    pub fn trouble(&self, answer: Option<Response>) {
        self.held().trouble = answer;
    }

    /// Only another token is good from now on.
    pub fn token(&self, token: &str) {
        token.clone_into(&mut self.held().token);
    }

    /// What was asked since the last call.
    pub fn asked(&self) -> Vec<Request> {
        self.server.asked()
    }

    /// The changes among what was asked since the last call: method, and content of the record.
    pub fn changes(&self) -> Vec<(String, Value)> {
        let all = self.asked().into_iter().filter(|r| r.method != "GET");
        all.map(|r| {
            let body = serde_json::from_str(&r.body).unwrap_or(Value::Null);
            (r.method, body)
        })
        .collect()
    }
}

fn merge(into: &mut Value, from: &Value) {
    if let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) {
        into.extend(from.clone());
    }
}

fn fine(result: Value) -> Response {
    let mut out = json!({ "success": true, "errors": [], "messages": [], "result": result });
    if let Some(count) = out["result"].as_array().map(Vec::len) {
        out["result_info"] = json!({ "page": 1, "per_page": 100, "count": count, "total_count": count, "total_pages": 1 });
    }
    Response::new(200, out.to_string())
}

fn refuse(status: u16, error: Value) -> Response {
    let out = json!({ "success": false, "errors": [error], "messages": [], "result": null });
    Response::new(status, out.to_string())
}

fn error(status: u16, code: u32, message: &str) -> Response {
    refuse(status, json!({ "code": code, "message": message }))
}

impl Held {
    /// 32 hexadecimal digits, as identifiers are.
    fn id(&mut self) -> String {
        self.made += 1;
        format!("{:032x}", 0x023e_105f_4ece_f8ad_u64 + self.made as u64)
    }

    fn answer(&mut self, request: &Request) -> Response {
        if let Some(trouble) = &self.trouble {
            return trouble.clone();
        }
        if let Some(refused) = self.login(request) {
            return refused;
        }
        let Some(path) = request.path.strip_prefix(BASE) else {
            return error(404, 7000, "No route for that URI");
        };
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["zones"]) => fine(self.find(&self.zones, &[], request)),
            ("GET", ["zones", zone, "dns_records"]) => {
                fine(self.find(&self.records, &[("zone_id", zone)], request))
            }
            ("POST", ["zones", zone, "dns_records"]) => self.create(zone, &request.body),
            ("PATCH", ["zones", zone, "dns_records", id]) => self.update(zone, id, request),
            ("PUT", ["zones", zone, "dns_records", id]) => self.update(zone, id, request),
            _ => error(
                400,
                7003,
                "Could not route to that, perhaps your object identifier is invalid?",
            ),
        }
    }

    fn login(&self, request: &Request) -> Option<Response> {
        let header = request.headers.get("authorization");
        let token = header.and_then(|h| h.strip_prefix("Bearer "));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match token {
            Some(token) if token == self.token => None,
            Some(token) if token.len() == 40 && token.chars().all(plain) => {
                Some(error(403, 9109, "Invalid access token"))
            }
            _ => Some(refuse(
                400,
                json!({
                    "code": 6003, "message": "Invalid request headers",
                    "error_chain": [{ "code": 6111, "message": "Invalid format for Authorization header" }],
                }),
            )),
        }
    }

    /// `name` is an operator with a value, equality where there is none; records have `name.exact`.
    fn find(&self, all: &[Value], more: &[(&str, &str)], request: &Request) -> Value {
        let fits = |object: &&Value| {
            let name = object["name"].as_str().unwrap_or_default();
            let by_query = request.query.iter().all(|(key, value)| match key.as_str() {
                "name" => match value.split_once(':') {
                    Some(("starts_with", start)) => name.starts_with(start),
                    Some(("contains", part)) => name.contains(part),
                    _ => name == value,
                },
                "name.exact" => name == value,
                "name.startswith" => name.starts_with(value.as_str()),
                "type" | "status" | "content" => object[key] == *value.as_str(),
                _ => true,
            });
            by_query && more.iter().all(|(key, value)| object[*key] == **value)
        };
        Value::Array(all.iter().filter(fits).cloned().collect())
    }

    fn create(&mut self, zone: &str, body: &str) -> Response {
        if !self.zones.iter().any(|z| z["id"] == zone) {
            return error(
                404,
                7003,
                "Could not route to the zone, perhaps your object identifier is invalid?",
            );
        }
        let wanted: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
        if let Some(refused) = check(&wanted, true) {
            return refused;
        }
        let same_name = |r: &&Value| r["zone_id"] == zone && wanted.get("name") == r.get("name");
        for record in self.records.iter().filter(same_name) {
            if record["type"] == "CNAME" {
                let message = "An A, AAAA, or CNAME record with that host already exists.";
                return error(400, 81053, message);
            }
            let same = |key: &str| wanted.get(key) == record.get(key);
            if same("type") && same("content") {
                return error(400, 81058, "An identical record already exists.");
            }
        }
        let mut record = json!({ "id": self.id(), "zone_id": zone, "ttl": 1, "proxied": false });
        merge(&mut record, &Value::Object(wanted));
        self.records.push(record.clone());
        fine(record)
    }

    /// PATCH changes what it names; PUT replaces all of it.
    fn update(&mut self, zone: &str, id: &str, request: &Request) -> Response {
        let wanted: Map<String, Value> = serde_json::from_str(&request.body).unwrap_or_default();
        let whole = request.method == "PUT";
        if let Some(refused) = check(&wanted, whole) {
            return refused;
        }
        let own = |r: &&mut Value| r["zone_id"] == zone && r["id"] == id;
        let Some(record) = self.records.iter_mut().find(own) else {
            return error(404, 81044, "Record does not exist.");
        };
        if whole {
            *record = json!({ "id": id, "zone_id": zone, "ttl": 1, "proxied": false });
        }
        merge(record, &Value::Object(wanted));
        fine(record.clone())
    }
}

/// What the documentation says of a record's fields.
fn check(record: &Map<String, Value>, whole: bool) -> Option<Response> {
    let invalid = |message: &str| Some(error(400, 9005, message));
    if whole
        && !["type", "name", "content"]
            .iter()
            .all(|k| record.contains_key(*k))
    {
        return invalid("DNS record needs a type, a name and a content.");
    }
    let content = record.get("content").and_then(Value::as_str);
    let good = match (record.get("type").and_then(Value::as_str), content) {
        (Some("A"), Some(text)) => text.parse::<std::net::Ipv4Addr>().is_ok(),
        (Some("AAAA"), Some(text)) => text.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    };
    if !good {
        return invalid("Content for A record must be a valid IPv4 address, for AAAA an IPv6 one.");
    }
    let ttl = record.get("ttl").map(|t| t.as_u64().unwrap_or(0));
    if ttl.is_some_and(|t| t != 1 && !(60..=86_400).contains(&t)) {
        return Some(error(
            400,
            9021,
            "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.",
        ));
    }
    None
}
