//! What openssl, which most servers and clients use, says of a certificate.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::certificate::serial;
use std::process::Command;

/// Its words about a certificate that this authority has signed, which may be itself.
pub(crate) fn verify(authority: &str, leaf: &str, args: &[&str]) -> String {
    let folder = std::env::temp_dir().join(format!("bramble-keys-{:?}", serial().unwrap()));
    std::fs::create_dir(&folder).unwrap();
    let (ca, file) = (folder.join("ca.pem"), folder.join("cert.pem"));
    std::fs::write(&ca, authority).unwrap();
    std::fs::write(&file, leaf).unwrap();
    let out = Command::new("openssl")
        .args(["verify", "-CAfile"])
        .arg(&ca)
        .args(args)
        .arg(&file)
        .output()
        .expect("openssl");
    std::fs::remove_dir_all(&folder).unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}
