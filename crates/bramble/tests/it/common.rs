//! What the tests share: a folder of their own and a Bramble that sees nothing else.

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A cluster that is right.
pub const GOOD: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  kubernetes: { version: v1.34.2 }
  machines:
    - { name: one, roles: [control-plane], address: 192.168.1.11 }
    - { name: two, roles: [worker], address: 192.168.1.12 }
  addons: [demo]
";

/// A folder that is home, cache and place of work at once.
pub struct Place(TempDir);

impl Place {
    /// An empty one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One with `bramble.yaml`.
    pub fn with(text: &str) -> Self {
        let place = Self::new();
        std::fs::write(place.path("bramble.yaml"), text).unwrap();
        place
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The text of a file in it.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A call of Bramble in it, with arguments separated by spaces.
    pub fn bramble(&self, arguments: &str) -> Command {
        let mut command = Command::cargo_bin("bramble").unwrap();
        isolated(&mut command, self.0.path());
        command.args(arguments.split_whitespace());
        command
    }

    /// The same as a plain command, for tests that steer its pipes themselves.
    pub fn process(&self, program: impl AsRef<Path>) -> std::process::Command {
        let mut command = std::process::Command::new(program.as_ref());
        command
            .current_dir(self.0.path())
            .env("HOME", self.0.path());
        for name in HIDDEN {
            command.env_remove(name);
        }
        command
    }

    /// Bramble's path.
    pub fn program() -> PathBuf {
        assert_cmd::cargo::cargo_bin("bramble")
    }
}

/// Variables of the tester's own environment that would change what a test sees.
const HIDDEN: [&str; 9] = [
    "BRAMBLE_FILE",
    "BRAMBLE_BUNDLE",
    "BRAMBLE_SUDO_PASSWORD_FILE",
    "KUBECONFIG",
    "NO_COLOR",
    "SSH_AUTH_SOCK",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

fn isolated(command: &mut Command, home: &Path) {
    command
        .current_dir(home)
        .env("HOME", home)
        .timeout(std::time::Duration::from_secs(60));
    for name in HIDDEN {
        command.env_remove(name);
    }
}

/// Standard output as text.
pub fn out(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// Standard error as text.
pub fn err(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// Standard output as exactly one JSON document.
pub fn json(assert: &Assert) -> Value {
    let text = out(assert);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("not one JSON document ({e}):\n{text}"))
}

/// A port of this computer where nobody listens.
pub fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A file with a router behind a closed port that has this section, and a machine.
pub fn silent_router(section: &str) -> String {
    let port = closed_port();
    format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: home }}\nspec:\n  network: {{ lan: 10.77.0.0/24 }}\n  router: {section}\n  machines:\n    - {{ name: gate, roles: [router], address: 10.77.0.1, management: 127.0.0.1, ssh: {{ port: {port} }} }}\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n"
    )
}
