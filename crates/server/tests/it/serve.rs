//! The whole daemon, over real TLS.

use bramble_server::{Error, Serving, Settings, serve};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Once;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub struct Daemon {
    pub address: std::net::SocketAddr,
    pub first: Option<bramble_secret::Secret>,
    pub authority: Vec<u8>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Error>>,
}

pub fn settings(data: &Path, names: &[&str]) -> Settings {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        data: data.into(),
        home: Default::default(),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        program: "/bin/false".into(),
        kubernetes: None,
        buttons: None,
        watches_clusters: false,
        limits: Default::default(),
    }
}

impl Daemon {
    pub async fn start(data: &Path, names: &[&str]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (ready, started) = oneshot::channel();
        let told = move |serving: Serving| assert!(ready.send(serving).is_ok());
        let task = tokio::spawn(serve(settings(data, names), told, stopped));
        let serving = started.await.expect("it starts");
        Self {
            address: serving.address,
            first: serving.first,
            authority: std::fs::read(serving.authority).unwrap(),
            stop,
            task,
        }
    }

    pub fn client(&self) -> reqwest::Client {
        let authority = reqwest::Certificate::from_pem(&self.authority).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([authority])
            .resolve("bramble.home.arpa", self.address)
            .build()
            .unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!(
            "https://bramble.home.arpa:{}/api/v1{path}",
            self.address.port()
        )
    }

    /// Makes the first user and logs them in; their cookie.
    pub async fn first_user(&self, name: &str) -> String {
        let link = self.first.as_ref().expect("nobody is there yet");
        let client = self.client();
        let first = json!({ "link": link.expose(), "name": name, "password": "correct horse" });
        let made = client.post(self.url("/first")).json(&first).send().await;
        assert_eq!(made.unwrap().status(), 204);
        let login = json!({ "name": name, "password": "correct horse" });
        let post = client
            .post(self.url("/login"))
            .header("origin", self.origin());
        let answer = post.json(&login).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// What a browser calls the daemon's page.
    pub fn origin(&self) -> String {
        format!("https://bramble.home.arpa:{}", self.address.port())
    }

    pub async fn end(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

pub const NAMES: [&str; 2] = ["bramble.home.arpa", "127.0.0.1"];

#[tokio::test]
async fn it_is_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let daemon = Daemon::start(&data, &NAMES).await;
    let cookie = daemon.first_user("anna").await;
    let authority = daemon.authority.clone();
    daemon.end().await;

    let daemon = Daemon::start(&data, &NAMES).await;
    assert!(daemon.first.is_none());
    assert_eq!(daemon.authority, authority);
    let me = daemon
        .client()
        .get(daemon.url("/me"))
        .header("cookie", cookie);
    let me: Value = me.send().await.unwrap().json().await.unwrap();
    assert_eq!(me["name"], "anna");
    daemon.end().await;
}

#[tokio::test]
async fn another_name_gets_another_certificate_of_the_same_authority() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), &["else.home.arpa"]).await;
    let health = daemon.client().get(daemon.url("/health")).send().await;
    assert!(health.is_err(), "it is not its name");
    let authority = daemon.authority.clone();
    daemon.end().await;
    let daemon = Daemon::start(folder.path(), &NAMES).await;
    assert_eq!(daemon.authority, authority);
    let health = daemon
        .client()
        .get(daemon.url("/health"))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    daemon.end().await;
}

#[tokio::test]
async fn only_its_owner_reads_its_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Daemon::start(&data, &NAMES).await.end().await;
    let mut folders = vec![data];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // SQLite deletes its own beside the database when it closes.
            let Ok(meta) = std::fs::metadata(&path) else {
                continue;
            };
            let mode = meta.permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
            seen += 1;
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(seen > 4, "{seen} files");
}

#[tokio::test]
async fn what_is_in_its_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), &NAMES).await;
    let (_stop, stopped) = watch::channel(false);
    let second = serve(settings(folder.path(), &NAMES), |_| (), stopped.clone()).await;
    let said = second.unwrap_err().to_string();
    assert!(said.contains("another daemon has this database"), "{said}");
    let other = tempfile::tempdir().unwrap();
    let there = Settings {
        listen: daemon.address,
        ..settings(other.path(), &NAMES)
    };
    let second = serve(there, |_| (), stopped).await.unwrap_err();
    assert!(
        second.to_string().contains("can't be listened at"),
        "{second}"
    );
    assert!(second.hint().is_some());
    daemon.end().await;
}

/// Over HTTP/2 some clients show an error of the stream where the answer comes before the request has ended.
#[tokio::test]
async fn a_request_with_a_small_body_is_refused_after_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), &NAMES).await;
    for (path, status) in [("/clusters", 401), ("/health", 405)] {
        let (end, mut ended) = watch::channel(false);
        let parts = futures::stream::unfold((0, end), async |(number, end)| match number {
            0 => Some((Ok::<_, std::io::Error>("{ \"file\":"), (1, end))),
            1 => {
                // An answer that does not wait for this comes before it.
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                Some((Ok("\"\" }"), (2, end)))
            }
            _ => {
                end.send_replace(true);
                None
            }
        });
        let post = daemon.client().post(daemon.url(path));
        let post = post.header("origin", daemon.origin());
        let answer = post.body(reqwest::Body::wrap_stream(parts)).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        assert_eq!(answer.status(), status, "{path}");
        assert!(*ended.borrow_and_update(), "{path}: answered too early");
    }
    daemon.end().await;
}
