//! Programs: output, exit codes, limits, held programs, files, forwarding.

use crate::fixture::*;
use bramble_fleet::{Error, Exit, Fleet, Session};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn session(sshd: &Sshd) -> Session {
    let (fleet, target) = one(sshd);
    fleet.connect(&target).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_gets_its_lines_out_as_they_come() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
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

#[tokio::test]
async fn exits_signals_stdin_and_bad_programs() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let run = |program: &'static str| {
        let session = session.clone();
        async move {
            session
                .run(program.as_bytes(), LIMIT, "a program", |_| {})
                .await
                .unwrap()
        }
    };
    assert!(run("").await.success());
    assert!(run("# only a comment").await.success());
    assert_eq!(run("false").await.exit, Exit::Code(1));
    assert_eq!(
        run("kill -TERM $$").await.exit,
        Exit::Signal("TERM".to_owned())
    );
    // A command that reads stdin finds nothing, and doesn't eat the program.
    assert_eq!(run("cat\necho after").await.stdout, b"after\n");
    // Not a line of a program with a bad end is run.
    let broken = run("echo started\nif true; then\n").await;
    assert!(!broken.success() && broken.stdout.is_empty());
    assert!(
        broken.stderr_tail(1).contains("yntax"),
        "{:?}",
        broken.stderr_tail(1)
    );
    let big = run("head -c 20000000 /dev/zero; echo err >&2").await;
    assert!(big.truncated && big.stdout.len() == 16 * 1024 * 1024);
    assert_eq!(big.stderr, b"err\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_passes_its_limit_is_ended_on_the_machine() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let pid_file = sshd.path("pid");
    let program = format!(
        "sleep 300 & echo $! >{}; echo waiting; wait",
        pid_file.display()
    );
    let start = Instant::now();
    let error = session
        .run(
            program.as_bytes(),
            Duration::from_secs(1),
            "the long wait",
            |_| {},
        )
        .await
        .unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    let text = error.to_string();
    assert!(
        matches!(error, Error::TimedOut { .. }) && !error.is_unreachable(),
        "{error}"
    );
    for part in ["m1", "the long wait", "1s", "it was ended", "waiting"] {
        assert!(text.contains(part), "no {part} in: {text}");
    }
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    assert!(!running(&pid), "its child still runs");
    // The connection is good for more.
    assert!(
        session
            .run(b":", LIMIT, "nothing", |_| {})
            .await
            .unwrap()
            .success()
    );

    // A future that is dropped ends its program too.
    std::fs::remove_file(&pid_file).unwrap();
    let work = session.run(program.as_bytes(), LIMIT, "dropped", |_| {});
    assert!(
        tokio::time::timeout(Duration::from_secs(1), work)
            .await
            .is_err()
    );
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    tokio::task::block_in_place(|| eventually("the child's end", || !running(&pid)));
}

fn running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // A zombie that nobody has waited for yet has ended.
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_program_ends_when_it_is_let_go_or_cut_off() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let lock = sshd.path("lock");
    let program = format!(
        "exec 9>{}; flock -n 9 || {{ echo taken; exit; }}; echo got it; cat >/dev/null",
        lock.display()
    );
    let hold = || session.hold(program.as_bytes(), LIMIT);
    let (line, held) = hold().await.unwrap();
    assert_eq!(line, "got it");
    assert!(held.is_held());
    assert_eq!(hold().await.unwrap().0, "taken");
    held.release().await;
    let (line, held) = hold().await.unwrap();
    assert_eq!(line, "got it");
    drop(held);
    let free = || {
        std::process::Command::new("flock")
            .arg("-n")
            .arg(&lock)
            .arg("true")
            .status()
            .unwrap()
            .success()
    };
    tokio::task::block_in_place(|| eventually("the lock after a drop", free));

    let (_, held) = hold().await.unwrap();
    sshd.cut_connections();
    tokio::time::timeout(LIMIT, held.lost()).await.unwrap();
    assert!(!held.is_held());
    tokio::task::block_in_place(|| eventually("the lock after a cut", free));
}

#[tokio::test]
async fn a_held_program_without_a_first_line_is_an_error() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let error = session
        .hold(b"echo no room >&2; exit 3", LIMIT)
        .await
        .err()
        .unwrap();
    let text = error.to_string();
    assert!(
        text.contains("exit code 3") && text.contains("no room"),
        "{text}"
    );
    let error = session
        .hold(b"sleep 60", Duration::from_millis(500))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

fn sha256(path: &Path) -> String {
    sh("sha256sum", &[path.to_str().unwrap()])[..64].to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_put_resumed_and_checked() {
    use std::os::unix::fs::PermissionsExt;
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let source = sshd.path("source");
    let size = 9_000_001_u64;
    let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
    std::fs::write(&source, &bytes).unwrap();
    let sum = sha256(&source);
    let there = sshd.path("it's there");
    let remote = there.to_str().unwrap().to_owned();
    let part = sshd.path("it's there.part");

    let put = async |sum: &str, progress: &mut Vec<u64>| {
        let progress = |at| progress.push(at);
        session
            .put(&source, &remote, size, sum, 0o640, LIMIT, progress)
            .await
    };
    let mut progress = Vec::new();
    put(&sum, &mut progress).await.unwrap();
    assert_eq!(std::fs::read(&there).unwrap(), bytes);
    assert_eq!(
        std::fs::metadata(&there).unwrap().permissions().mode() & 0o7777,
        0o640
    );
    assert!(!part.exists());
    assert!(progress.is_sorted() && progress.last() == Some(&size));

    // What is right already isn't sent again.
    progress.clear();
    put(&sum, &mut progress).await.unwrap();
    assert_eq!(progress, [size]);

    // A part is gone on with.
    std::fs::remove_file(&there).unwrap();
    std::fs::write(&part, &bytes[..8_000_000]).unwrap();
    progress.clear();
    put(&sum, &mut progress).await.unwrap();
    assert!(progress[0] > 8_000_000, "{progress:?}");
    assert_eq!(std::fs::read(&there).unwrap(), bytes);

    // A part of something else, too long or not, is started again.
    for wrong in [vec![7; 5000], vec![7; size as usize + 1]] {
        std::fs::remove_file(&there).unwrap();
        std::fs::write(&part, wrong).unwrap();
        put(&sum, &mut progress).await.unwrap();
        assert_eq!(std::fs::read(&there).unwrap(), bytes);
    }

    // A wrong sum leaves what was there.
    let wrong = "0".repeat(64);
    let error = put(&wrong, &mut progress).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    assert!(text.contains(&sum) && text.contains(&wrong), "{text}");
    let named = format!("{} is damaged", source.display());
    assert!(text.contains(&named), "{text}");
    assert_eq!(std::fs::read(&there).unwrap(), bytes);
    assert!(!part.exists());

    let nowhere = sshd.path("none/file");
    let nowhere = nowhere.to_str().unwrap();
    let error = session
        .put(&source, nowhere, size, &sum, 0o644, LIMIT, |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Put { .. }), "{error}");
    assert!(error.to_string().contains("none/file"), "{error}");
    let error = session
        .put(&source, &remote, 5, &sum, 0o644, LIMIT, |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_cut_off_goes_on_where_it_was() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let (fleet, target) = one(&sshd);
    let source = sshd.path("source");
    let size = 64 * 1024 * 1024_u64;
    let file = std::fs::File::create(&source).unwrap();
    file.set_len(size).unwrap();
    let sum = sha256(&source);
    let there = sshd.path("there");
    let remote = there.to_str().unwrap();
    let session = fleet.connect(&target).await.unwrap();
    let mut cut = false;
    let error = session
        .put(&source, remote, size, &sum, 0o644, LIMIT, |at| {
            if at > size / 2 && !cut {
                cut = true;
                sshd.cut_connections();
            }
        })
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    let part = std::fs::metadata(sshd.path("there.part")).unwrap().len();
    assert!(part > 0);

    let session = fleet.connect(&target).await.unwrap();
    let mut first = None;
    session
        .put(&source, remote, size, &sum, 0o644, LIMIT, |at| {
            first.get_or_insert(at);
        })
        .await
        .unwrap();
    assert!(first.unwrap() > part);
    assert_eq!(std::fs::metadata(&there).unwrap().len(), size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_goes_through_a_machine() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    // Says what it got, backwards, when the other side is done.
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                all.reverse();
                stream.write_all(&all).await.unwrap();
            });
        }
    });
    async fn ask(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) -> Vec<u8> {
        let mut all: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 253) as u8).collect();
        stream.write_all(&all).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        all.reverse();
        assert_eq!(answer.len(), all.len());
        assert!(answer == all);
        answer
    }
    ask(session.open_tcp("127.0.0.1", port).await.unwrap()).await;

    let forward = session.forward("127.0.0.1", port).await.unwrap();
    assert!(forward.local.ip().is_loopback());
    let connect = || tokio::net::TcpStream::connect(forward.local);
    let (one, two) = (connect().await.unwrap(), connect().await.unwrap());
    tokio::join!(ask(one), ask(two));
    let local = forward.local;
    drop(forward);
    tokio::task::block_in_place(|| {
        eventually("the port's end", || {
            std::net::TcpStream::connect(local).is_err()
        });
    });

    let error = session
        .open_tcp("127.0.0.1", free_port())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_eq!(sshd.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_does_not_stop_the_machine() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let session = session(&sshd).await;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let unread = session.open_tcp("127.0.0.1", port).await.unwrap();
    let (mut stream, _) = server.accept().await.unwrap();
    stream.write_all(&vec![1; 8 * 1024 * 1024]).await.unwrap();
    let finished = session
        .run(b"echo alive", LIMIT, "a program", |_| {})
        .await
        .unwrap();
    assert_eq!(finished.stdout, b"alive\n");
    drop(unread);
}

#[tokio::test]
async fn sixteen_machines_at_once() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let mut options = sshd.options();
    options.accept_new_host_keys = true;
    let fleet = Fleet::new(options);
    let all = (1..=16).map(|n| {
        let mut target = sshd.target(&format!("m{n}"));
        target.host_key = None;
        target.host = format!("127.0.2.{n}");
        let fleet = fleet.clone();
        async move {
            let session = fleet.connect(&target).await?;
            session
                .run(b"echo $SSH_CONNECTION", LIMIT, "look", |_| {})
                .await
        }
    });
    for (n, finished) in futures::future::join_all(all).await.into_iter().enumerate() {
        let said = String::from_utf8(finished.unwrap().stdout).unwrap();
        assert!(said.contains(&format!("127.0.2.{}", n + 1)), "{said}");
    }
    let known = std::fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 16, "{known}");
}
