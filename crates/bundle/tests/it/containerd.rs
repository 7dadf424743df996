//! A real containerd for a test, where this computer has one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use crate::programs::{in_path, until};

/// A containerd of its own for one test.
pub struct Containerd {
    child: Child,
    dir: tempfile::TempDir,
}

impl Containerd {
    /// `None`, with a line that says so, where it can't run.
    pub fn start() -> Option<Containerd> {
        for program in ["containerd", "ctr", "runc"] {
            if !in_path(program) {
                println!("skipped: {program} absent");
                return None;
            }
        }
        if !rustix::process::geteuid().is_root() {
            println!("skipped: not root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let text = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n[grpc]\n  address = {:?}\n",
            at("root"),
            at("state"),
            at("sock")
        );
        std::fs::write(at("config.toml"), text).unwrap();
        let log = std::fs::File::create(at("log")).unwrap();
        let child = Command::new("containerd")
            .arg("-c")
            .arg(at("config.toml"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let containerd = Containerd { child, dir };
        until("containerd answers", || {
            containerd.ctr(&["version"]).status.success()
        });
        Some(containerd)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    pub fn ctr(&self, args: &[&str]) -> Output {
        let mut ctr = Command::new("ctr");
        ctr.arg("-a")
            .arg(self.socket())
            .args(["-n", "k8s.io"])
            .args(args)
            .output()
            .unwrap()
    }

    pub fn crictl(&self, args: &[&str]) -> (bool, String) {
        let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/debian/assets/crictl.sh");
        let endpoint = format!("unix://{}", self.socket().display());
        let out = Command::new("sh")
            .arg(shim)
            .args(["-r", &endpoint])
            .args(args)
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
        )
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        for id in String::from_utf8_lossy(&self.ctr(&["tasks", "ls", "-q"]).stdout).lines() {
            self.ctr(&["tasks", "rm", "-f", id]);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
