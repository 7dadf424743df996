//! The bundle's kubectl, run on this computer.

use crate::program::{Done, Running};
use crate::site::{Site, VERSION};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// kubectl with a kubeconfig.
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// For a site whose cluster is up; the kubeconfig is the one that `bramble kubeconfig` writes.
    ///
    /// # Panics
    /// When there is no bundle or no cluster.
    pub fn new(site: &Site) -> Self {
        let kubeconfig = site.folder().join("kubeconfig");
        let file = kubeconfig.display().to_string();
        site.bramble(&["kubeconfig", "--into", &file]).expect(0);
        let program = site.folder().join("kubectl");
        std::fs::copy(blob("kubectl"), &program).expect("kubectl is copied");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, executable).expect("kubectl is executable");
        Self {
            program,
            kubeconfig,
        }
    }

    /// Runs it; what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        let done = self.done(args);
        assert_eq!(done.code, Some(0), "kubectl {args:?}:\n{}", done.said());
        done.stdout.trim_end().to_owned()
    }

    fn done(&self, args: &[&str]) -> Done {
        let mut command = Command::new(&self.program);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .arg("--request-timeout=20s")
            .args(args);
        command.env("no_proxy", "*").env("NO_PROXY", "*");
        Running::start(&mut command).finish()
    }

    /// Runs it while what it asks may be away; what it printed, or what it said instead.
    ///
    /// # Errors
    /// When it fails.
    pub fn try_run(&self, args: &[&str]) -> Result<String, String> {
        let done = self.done(args);
        match done.code {
            Some(0) => Ok(done.stdout),
            _ => Err(done.said()),
        }
    }

    /// Objects as JSON: the items of a list.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn items(&self, args: &[&str]) -> Vec<Value> {
        let mut all = vec!["get", "-o", "json"];
        all.extend(args);
        let list: Value = serde_json::from_str(&self.run(&all)).expect("kubectl prints JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Nodes that are ready.
    #[track_caller]
    pub fn ready(&self) -> Vec<String> {
        ready(&self.items(&["nodes"]))
    }

    /// The same while the API may be away; none then.
    pub fn try_ready(&self) -> Vec<String> {
        let done = self.done(&["get", "-o", "json", "nodes"]);
        let list: Value = serde_json::from_str(&done.stdout).unwrap_or_default();
        ready(list["items"].as_array().map_or(&[], Vec::as_slice))
    }

    /// The demo's running pods.
    #[track_caller]
    pub fn demo(&self) -> Vec<Pod> {
        let pods = self.items(&["pods", "-l", "app.kubernetes.io/name=demo"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        pods.iter()
            .filter(|p| {
                p["status"]["phase"] == "Running" && p["metadata"]["deletionTimestamp"].is_null()
            })
            .map(|p| Pod {
                name: name(p),
                node: text(&p["spec"]["nodeName"]),
                address: text(&p["status"]["podIP"]),
            })
            .collect()
    }
}

/// A pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub node: String,
    /// Its address.
    pub address: String,
}

fn ready(nodes: &[Value]) -> Vec<String> {
    let ready = |node: &&Value| {
        let conditions = node["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    nodes.iter().filter(ready).map(name).collect()
}

/// An object's name.
pub fn name(object: &Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The bundle's folder.
pub fn bundle() -> PathBuf {
    std::env::var_os("BRAMBLE_BUNDLE").map_or_else(
        || format!("/var/cache/bramble/bundles/debian-{VERSION}").into(),
        PathBuf::from,
    )
}

/// The file of one of the bundle's programs for this computer.
///
/// # Panics
/// When there is no bundle.
pub fn blob(name: &str) -> PathBuf {
    let dir = bundle();
    let index = std::fs::read(dir.join("bundle.json")).unwrap_or_else(|e| {
        panic!(
            "{}: {e} (make it: bramble bundle build --from debian)",
            dir.display()
        )
    });
    let index: Value = serde_json::from_slice(&index).expect("the bundle's index is JSON");
    let list = index["artefacts"].as_array().cloned().unwrap_or_default();
    let found = list
        .iter()
        .find(|a| a["kind"] == "binary" && a["name"] == name);
    let digest = found.and_then(|a| a["sha256"].as_str()).unwrap_or_default();
    dir.join("blobs/sha256").join(digest)
}
