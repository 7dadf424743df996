//! The operator's hooks, read by a shell before any machine is touched: a missing `fi` is said now,
//! not after half of a run.

use crate::error::CliError;
use bramble_spec::Cluster;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How long a shell may take to read one program.
const LIMIT: Duration = Duration::from_secs(10);

/// Has `sh -n` read every program of every hook.
///
/// # Errors
/// The hooks that are no shell programs, with what the shell says; as wrong use.
pub async fn check(cluster: &Cluster) -> Result<(), CliError> {
    let mut problems = Vec::new();
    for hook in &cluster.hooks {
        for (part, text) in [
            ("check", &hook.check),
            ("run", &hook.run),
            ("undo", &hook.undo),
        ] {
            if let Some(said) = wrong(text).await {
                problems.push(format!("{} ({part}): {said}", hook.name));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let what = "these hooks are no shell programs";
    Err(
        CliError::usage(format!("{what}: {}", problems.join("\n  ")))
            .hint("the machines' /bin/sh reads them; nothing was changed"),
    )
}

/// What the shell has against a program. Without a shell here, only the machine's own can tell.
async fn wrong(text: &str) -> Option<String> {
    let mut shell = Command::new("sh")
        .arg("-n")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let stdin = shell.stdin.take();
    let read = async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // A shell that has found a mistake reads no further.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
        };
        futures::join!(write, shell.wait_with_output()).1
    };
    match tokio::time::timeout(LIMIT, read).await {
        Err(_) => Some(format!(
            "the shell did not read it in {} s",
            LIMIT.as_secs()
        )),
        Ok(Err(error)) => Some(error.to_string()),
        Ok(Ok(done)) if done.status.success() => None,
        Ok(Ok(done)) => {
            let said = String::from_utf8_lossy(&done.stderr);
            let said = said.trim();
            Some(match said {
                "" => done.status.to_string(),
                said => said.replace('\n', "; "),
            })
        }
    }
}
