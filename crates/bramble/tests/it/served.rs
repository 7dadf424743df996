//! `bramble serve` as a process of its own, and somebody who is logged in there.

use crate::common::Place;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

/// A daemon whose folder is in a place; it is killed when this goes.
pub struct Served {
    pub child: Child,
    pub url: String,
}

impl Served {
    /// Starts one at an address, with further arguments.
    pub fn start(place: &Place, listen: &str, arguments: &str) -> Self {
        let mut command = place.process(Place::program());
        command.args(["serve", "--data", "data", "--output", "json"]);
        command.args(["--name", "127.0.0.1", "--listen", listen]);
        command.args(arguments.split_whitespace());
        let log = std::fs::File::create(place.path("serve.log")).unwrap();
        command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("{e}: {line}{}", place.read("serve.log")));
        let url = said["url"].as_str().unwrap().to_owned();
        Self { child, url }
    }

    /// Starts it again where it was.
    pub fn again(&mut self, place: &Place, arguments: &str) {
        let listen = self.url.strip_prefix("https://").unwrap().to_owned();
        *self = Self::start(place, &listen, arguments);
    }

    /// Sends it a signal by its name.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Ends it as a power failure does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Makes the first user, and logs them in at the place.
    pub async fn log_in(&self, place: &Place) {
        let link = place.read("data/first-user");
        let link = link.trim().split_once('#').unwrap().1.to_owned();
        let first = json!({ "link": link, "name": "anna", "password": "correct horse" });
        let made = self
            .client(place)
            .post(format!("{}/api/v1/first", self.url));
        assert_eq!(made.json(&first).send().await.unwrap().status(), 204);
        std::fs::write(place.path("password"), "correct horse\n").unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(place.path("password"), mode).unwrap();
        let words = format!(
            "login {} --ca data/tls/ca.pem --user anna --password-file password",
            self.url
        );
        let mut command = place.bramble(&words);
        let done = tokio::task::spawn_blocking(move || command.assert().success());
        done.await.unwrap();
    }

    /// Hands an alert in.
    pub async fn alert(&self, place: &Place, body: &str) {
        let known: Value =
            serde_json::from_str(&place.read(".config/bramble/servers.json")).unwrap();
        let token = known[&self.url]["token"].as_str().unwrap();
        let post = self
            .client(place)
            .post(format!("{}/api/v1/hooks/alertmanager", self.url));
        let post = post.bearer_auth(token).body(body.to_owned());
        assert_eq!(post.send().await.unwrap().status(), 204);
    }

    /// Somebody who trusts its authority.
    pub fn client(&self, place: &Place) -> reqwest::Client {
        crate::world::provider();
        let authority = reqwest::Certificate::from_pem(place.read("data/tls/ca.pem").as_bytes());
        let builder = reqwest::Client::builder().tls_certs_only([authority.unwrap()]);
        builder.build().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
