//! The web page in a real browser, against the whole daemon. The browser's side is `web/e2e`. Runs are a script that
//! says what `bramble` says, so that a test decides when they go on; the program itself is run in the whole-system tests.

use crate::serve::settings;
use bramble_server::api::Limits;
use bramble_server::{Broker, Buttons, Error, Serving, Settings, serve};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long all of the browser's tests may take.
const LIMIT: Duration = Duration::from_secs(240);

/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(20);

/// A script in the place of `bramble`. It goes on where the browser's side puts files beside it: `half`, `go`;
/// with `fail` it fails.
const PROGRAM: &str = include_str!("page/program.sh");

struct Daemon {
    serving: Serving,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Error>>,
}

impl Daemon {
    async fn start(folder: &Path, listen: SocketAddr) -> Result<Self, Error> {
        let many = NonZeroU32::new(1000).unwrap();
        let settings = Settings {
            listen,
            program: folder.join("program"),
            limits: Limits {
                tries: many,
                a_minute: many,
            },
            buttons: Some(Buttons {
                handler: "bramble".parse().unwrap(),
                broker: Broker::Own {
                    tls: ([127, 0, 0, 1], 0).into(),
                    plain: None,
                },
                old: None,
            }),
            ..settings(&folder.join("data"), &["127.0.0.1"])
        };
        let (stop, stopped) = watch::channel(false);
        let (ready, started) = oneshot::channel();
        let told = move |serving: Serving| assert!(ready.send(serving).is_ok());
        let task = tokio::spawn(serve(settings, told, stopped));
        match started.await {
            Ok(serving) => Ok(Self {
                serving,
                stop,
                task,
            }),
            Err(_) => Err(task.await.unwrap().unwrap_err()),
        }
    }

    /// Another one in its place, once that is free.
    async fn again(folder: &Path, listen: SocketAddr) -> Self {
        loop {
            match Self::start(folder, listen).await {
                Ok(daemon) => return daemon,
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn end(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

/// The page's folder, with the page built and what its tests need.
fn web() -> PathBuf {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    for (path, remedy) in [
        ("dist/index.html", "make web"),
        ("node_modules/playwright-core", "make web"),
    ] {
        let there = web.join(path).exists();
        assert!(there, "web/{path} is missing; remedy: {remedy}");
    }
    let browser = Path::new("/usr/bin/chromium").exists();
    assert!(
        browser,
        "chromium is missing; remedy: scripts/setup.sh --test"
    );
    web
}

#[tokio::test(flavor = "multi_thread")]
async fn people_use_the_page_in_a_browser() {
    let web = web();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, PROGRAM).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();

    let anywhere = ([127, 0, 0, 1], 0).into();
    let mut daemon = Daemon::start(folder.path(), anywhere).await.unwrap();
    let address = daemon.serving.address;
    let first = daemon.serving.first.as_ref().expect("nobody is there yet");
    let mut browser = Command::new("node")
        .args(["--test", "--test-reporter=spec", "e2e/page.test.js"])
        .current_dir(web)
        .env("BRAMBLE_URL", format!("https://{address}"))
        .env("BRAMBLE_FIRST", first.expose())
        .env("BRAMBLE_FOLDER", folder.path())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts; remedy: scripts/setup.sh --test");

    let watched = async {
        loop {
            tokio::select! {
                status = browser.wait() => break (status.unwrap(), daemon),
                () = tokio::time::sleep(LOOK) => {}
            }
            // A test wants to see what the page does while the daemon is away.
            let wish = folder.path().join("restart");
            if wish.exists() {
                daemon.end().await;
                std::fs::rename(&wish, folder.path().join("away")).unwrap();
                while !folder.path().join("back").exists() {
                    tokio::time::sleep(LOOK).await;
                }
                daemon = Daemon::again(folder.path(), address).await;
            }
        }
    };
    let ended = tokio::time::timeout(LIMIT, watched).await;
    let (status, daemon) = ended.unwrap_or_else(|_| panic!("it takes longer than {LIMIT:?}"));
    daemon.end().await;
    assert!(
        status.success(),
        "the browser's tests say above what failed"
    );
}
