//! Programs: output, exit codes, limits.

use crate::fixture::*;
use bramble_fleet::{Error, Exit};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_gets_its_lines_out_as_they_come() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let (fleet, target) = one(&sshd);
    let session = fleet.connect(&target).await.unwrap();
    let gate = sshd.path("gate");
    let program = format!(
        "echo one; while [ ! -e {} ]; do sleep 0.05; done; echo two >&2; printf 'three'; exit 7",
        gate.display()
    );
    let mut lines = Vec::new();
    let finished = session
        .run(program.as_bytes(), LIMIT, "a program", |line| {
            // The program goes on only after its first line was seen.
            std::fs::write(&gate, "").unwrap();
            lines.push(line.to_owned());
        })
        .await
        .unwrap();
    assert_eq!(lines, ["one", "three"]);
    assert_eq!(finished.exit, Exit::Code(7));
    assert_eq!(finished.stdout, b"one\nthree");
    assert_eq!(finished.stderr, b"two\n");
}
