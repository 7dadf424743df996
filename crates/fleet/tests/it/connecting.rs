//! Host keys, authentication, jump hosts, machines that don't answer.

use crate::fixture::*;
use bramble_fleet::{Error, Fleet, Target};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A long program that ends when nobody takes its output any more.
const TICKING: &str = "while sleep 0.1; do echo tick; done";

async fn says(fleet: &Fleet, target: &Target, program: &str) -> Result<String, Error> {
    let session = fleet.connect(target).await?;
    let finished = session
        .run(program.as_bytes(), LIMIT, "a test program", |_| {})
        .await?;
    Ok(String::from_utf8(finished.stdout).unwrap())
}

async fn refused(fleet: &Fleet, target: &Target) -> Error {
    match fleet.connect(target).await {
        Ok(_) => panic!("{} let us in", target.name),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_then_learned_then_known() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let print = fingerprint(&sshd.path("host.pub"));
    let mut target = sshd.target("m1");
    target.host_key = None;

    let error = refused(&Fleet::new(sshd.options()), &target).await;
    assert!(matches!(error, Error::UnknownHostKey { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&print), "{text}");
    assert!(
        text.contains("--accept-new-host-keys") && text.contains("ssh.hostKey"),
        "{text}"
    );
    assert!(!sshd.path("known_hosts").exists());

    let mut accepting = sshd.options();
    accepting.accept_new_host_keys = true;
    assert_eq!(
        says(&Fleet::new(accepting), &target, "echo hi")
            .await
            .unwrap(),
        "hi\n"
    );
    let known = std::fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert!(
        known.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", sshd.port)),
        "{known}"
    );

    // Known from now on, also when ssh has hashed the file.
    assert!(Fleet::new(sshd.options()).connect(&target).await.is_ok());
    let file = sshd.path("known_hosts");
    sh("ssh-keygen", &["-q", "-H", "-f", file.to_str().unwrap()]);
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("|1|"));
    assert!(Fleet::new(sshd.options()).connect(&target).await.is_ok());
    // Or when it's the user's own file.
    let mut options = bramble_fleet::Options::new(sshd.path("other"));
    options.user_known_hosts = Some(file);
    assert!(Fleet::new(options).connect(&target).await.is_ok());
}

#[tokio::test]
async fn a_changed_host_key_is_refused_whatever_the_options() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let mut target = sshd.target("m1");
    target.host_key = None;
    keygen(&sshd.path("old"), "ed25519");
    let old = std::fs::read_to_string(sshd.path("old.pub")).unwrap();
    let line = format!("# a comment\n[127.0.0.1]:{} {old}", sshd.port);
    std::fs::write(sshd.path("known_hosts"), &line).unwrap();
    let mut options = sshd.options();
    options.accept_new_host_keys = true;

    let error = refused(&Fleet::new(options), &target).await;
    assert!(matches!(error, Error::ChangedHostKey { .. }), "{error}");
    let text = error.to_string();
    for part in [
        fingerprint(&sshd.path("old.pub")),
        fingerprint(&sshd.path("host.pub")),
        "known_hosts line 2".to_owned(),
    ] {
        assert!(text.contains(&part), "no {part} in: {text}");
    }
    assert_eq!(
        std::fs::read_to_string(sshd.path("known_hosts")).unwrap(),
        line
    );

    // A pinned key needs no file; another pinned key is refused.
    let pinned = sshd.target("m1");
    assert!(Fleet::new(sshd.options()).connect(&pinned).await.is_ok());
    target.host_key = Some(fingerprint(&sshd.path("old.pub")));
    let error = refused(&Fleet::new(sshd.options()), &target).await;
    assert!(matches!(error, Error::ChangedHostKey { .. }), "{error}");

    // Revoked beats pinned.
    let own = std::fs::read_to_string(sshd.path("host.pub")).unwrap();
    std::fs::write(sshd.path("known_hosts"), format!("@revoked * {own}")).unwrap();
    let error = refused(&Fleet::new(sshd.options()), &pinned).await;
    assert!(matches!(error, Error::RevokedHostKey { .. }), "{error}");
}

#[tokio::test]
async fn any_of_a_machines_keys_can_be_pinned() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let keys = ["rsa", "ecdsa"].map(|kind| dir.path().join(kind));
    keygen(&keys[0], "rsa");
    keygen(&keys[1], "ecdsa");
    let lines = keys
        .each_ref()
        .map(|k| format!("HostKey {}\n", k.display()));
    let sshd = Sshd::with(&lines.concat());
    let own = fingerprint(&sshd.path("host.pub"));
    for key in &keys {
        let mut target = sshd.target("m1");
        target.host_key = Some(fingerprint(&key.with_extension("pub")));
        let fleet = Fleet::new(sshd.options());
        assert!(fleet.connect(&target).await.is_ok(), "{}", key.display());
    }
    // None of them: the message has the key that the machine shows first.
    let mut target = sshd.target("m1");
    keygen(&dir.path().join("other"), "rsa");
    target.host_key = Some(fingerprint(&dir.path().join("other.pub")));
    let error = refused(&Fleet::new(sshd.options()), &target).await;
    assert!(matches!(error, Error::ChangedHostKey { .. }), "{error}");
    assert!(error.to_string().contains(&own), "{error}");
}

#[tokio::test]
async fn a_known_kind_of_host_key_is_asked_for() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for kind in ["rsa", "ecdsa"] {
        let key = dir.path().join(kind);
        keygen(&key, kind);
        let sshd = Sshd::with(&format!("HostKey {}", key.display()));
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let line = format!("[127.0.0.1]:{} {public}", sshd.port);
        std::fs::write(sshd.path("known_hosts"), line).unwrap();
        let mut target = sshd.target("m1");
        target.host_key = None;
        let connected = Fleet::new(sshd.options()).connect(&target).await;
        assert!(connected.is_ok(), "{kind}: {:?}", connected.err());
    }
}

#[tokio::test]
async fn wrong_keys_are_named_and_the_agent_is_next() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    keygen(&sshd.path("wrong"), "ed25519");
    let locked = sshd.path("locked");
    sh(
        "ssh-keygen",
        &[
            "-q",
            "-t",
            "ed25519",
            "-N",
            "secret",
            "-f",
            locked.to_str().unwrap(),
        ],
    );
    let mut target = sshd.target("m1");
    target.keys = vec![sshd.path("wrong"), locked, sshd.path("absent")];

    let error = refused(&Fleet::new(sshd.options()), &target).await;
    let Error::Auth { tried, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(tried.len(), 3, "{tried:?}");
    assert!(tried[0].contains("wrong: refused"), "{tried:?}");
    assert!(
        tried[1].contains("passphrase") && tried[1].contains("ssh-add"),
        "{tried:?}"
    );
    assert!(tried[2].contains("absent"), "{tried:?}");
    assert!(!error.is_unreachable());

    let agent = Agent::start(sshd.dir.path());
    keygen(&sshd.path("other"), "rsa");
    agent.add(&sshd.path("other"));
    agent.add(&sshd.path("user"));
    let mut options = sshd.options();
    options.agent = Some(agent.socket.clone());
    let fleet = Fleet::new(options);
    assert_eq!(says(&fleet, &target, "id -u").await.unwrap(), "0\n");

    // What worked is tried first on the next machine.
    let mut next = target.clone();
    next.host = "127.0.0.2".to_owned();
    let before = sshd.log().matches("Failed publickey").count();
    assert_eq!(says(&fleet, &next, "id -u").await.unwrap(), "0\n");
    assert_eq!(sshd.log().matches("Failed publickey").count(), before);
}

#[tokio::test]
async fn keys_of_every_kind_and_certificates_are_accepted() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    for kind in ["rsa", "ecdsa"] {
        keygen(&sshd.path(kind), kind);
        let public = sshd.path(kind).with_extension("pub");
        std::fs::copy(public, sshd.path("authorized_keys")).unwrap();
        let mut target = sshd.target("m1");
        target.keys = vec![sshd.path(kind)];
        assert_eq!(
            says(&Fleet::new(sshd.options()), &target, "id -u")
                .await
                .unwrap(),
            "0\n"
        );
    }

    keygen(&sshd.path("ca"), "ed25519");
    keygen(&sshd.path("signed"), "ed25519");
    let mut target = sshd.target("m1");
    target.keys = vec![sshd.path("signed")];
    let error = refused(&Fleet::new(sshd.options()), &target).await;
    assert!(matches!(error, Error::Auth { .. }), "{error}");
    sh(
        "ssh-keygen",
        &[
            "-q",
            "-s",
            sshd.path("ca").to_str().unwrap(),
            "-I",
            "test",
            "-n",
            "root",
            sshd.path("signed.pub").to_str().unwrap(),
        ],
    );
    assert!(sshd.path("signed-cert.pub").exists());
    assert_eq!(
        says(&Fleet::new(sshd.options()), &target, "id -u")
            .await
            .unwrap(),
        "0\n"
    );

    // The agent serves certificates as well.
    let agent = Agent::start(sshd.dir.path());
    agent.add(&sshd.path("signed"));
    let mut options = sshd.options();
    options.agent = Some(agent.socket.clone());
    target.keys = Vec::new();
    assert_eq!(
        says(&Fleet::new(options), &target, "id -u").await.unwrap(),
        "0\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_share_one_connection_and_a_dead_one_is_replaced() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let (fleet, target) = one(&sshd);
    let all = (0..20).map(|n| {
        let (fleet, target) = (fleet.clone(), target.clone());
        // More at a time than sshd's MaxSessions.
        async move { says(&fleet, &target, &format!("echo {n}")).await.unwrap() }
    });
    let said = futures::future::join_all(all).await;
    assert_eq!(said, (0..20).map(|n| format!("{n}\n")).collect::<Vec<_>>());
    assert_eq!(sshd.connections(), 1);

    let session = fleet.connect(&target).await.unwrap();
    let running = session.run(TICKING.as_bytes(), LIMIT, "a long program", |_| {
        sshd.cut_connections();
    });
    let error = running.await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("a long program"), "{error}");
    assert!(!session.is_open());
    assert_eq!(
        says(&fleet, &target, "echo again").await.unwrap(),
        "again\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_machines_behind_one_jump_host_cost_it_one_connection() {
    if !can_run() {
        return;
    }
    let jump = Sshd::with("MaxStartups 2");
    let behind = Sshd::start();
    let mut options = jump.options();
    options.handshakes_per_jump = 4;
    let fleet = Fleet::new(options);
    let via = Arc::new(jump.target("gate"));
    let all = (1..=20).map(|n| {
        let mut target = behind.target(&format!("m{n}"));
        target.host = format!("127.0.1.{n}");
        let (fleet, target) = (fleet.clone(), through(target, &via));
        async move { says(&fleet, &target, "echo ok").await }
    });
    for said in futures::future::join_all(all).await {
        assert_eq!(said.unwrap(), "ok\n");
    }
    assert_eq!(jump.connections(), 1);
    assert_eq!(behind.connections(), 20);
    // The jump host itself is on the same connection.
    assert_eq!(says(&fleet, &via, "echo gate").await.unwrap(), "gate\n");
    assert_eq!(jump.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_a_busy_sshd_drops_are_tried_again() {
    if !can_run() {
        return;
    }
    let sshd = Arc::new(Sshd::with("MaxStartups 2"));
    let fleet = Fleet::new(sshd.options());
    // Two unfinished handshakes of others take all places.
    let other = || tokio::net::TcpStream::connect(("127.0.0.1", sshd.port));
    let others = (other().await.unwrap(), other().await.unwrap());
    tokio::task::block_in_place(|| eventually("two connections", || sshd.connections() == 2));
    let target = sshd.target("m1");
    let connecting = tokio::spawn(async move { fleet.connect(&target).await });
    tokio::task::block_in_place(|| {
        eventually("a dropped connection", || {
            sshd.log().contains("MaxStartups throttling")
        });
    });
    drop(others);
    assert!(connecting.await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jump_hosts_chain_and_their_errors_name_them() {
    if !can_run() {
        return;
    }
    let (first, second, last) = (Sshd::start(), Sshd::start(), Sshd::start());
    let fleet = Fleet::new(first.options());
    let one = Arc::new(first.target("first"));
    let two = Arc::new(through(second.target("second"), &one));
    let three = through(last.target("last"), &two);
    assert_eq!(says(&fleet, &three, "echo far").await.unwrap(), "far\n");

    let mut nobody = last.target("nobody");
    nobody.port = free_port();
    let error = refused(&fleet, &through(nobody, &two)).await;
    assert!(error.is_unreachable(), "{error}");
    let text = format!("{error}");
    assert!(text.contains("nobody") && text.contains("second"), "{text}");

    let mut closed = first.target("shut");
    closed.port = free_port();
    let error = refused(&fleet, &through(last.target("last"), &Arc::new(closed))).await;
    assert!(
        error.is_unreachable() && error.to_string().contains("shut"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_data_both_ways_through_a_jump_host_does_not_block() {
    if !can_run() {
        return;
    }
    let (jump, behind) = (Sshd::start(), Sshd::start());
    let fleet = Fleet::new(jump.options());
    let target = through(behind.target("m1"), &Arc::new(jump.target("gate")));
    let session = fleet.connect(&target).await.unwrap();
    let big = format!("cat >/dev/null <<'END'\n{}END\n", "x\n".repeat(2_000_000));
    let program = format!("head -c 12000000 /dev/zero | tr '\\0' '\\n'; {big}");
    let all = (0..4).map(|_| session.run(program.as_bytes(), LIMIT * 3, "much data", |_| {}));
    for finished in futures::future::join_all(all).await {
        let finished = finished.unwrap();
        assert!(finished.success());
        assert_eq!(finished.stdout.len(), 12_000_000);
    }
}

#[tokio::test]
async fn machines_that_do_not_answer_are_named_within_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = bramble_fleet::Options::new(dir.path().join("known_hosts"));
    options.connect_limit = Duration::from_millis(700);
    let fleet = Fleet::new(options);
    let target = |port| Target {
        name: "lost".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        user: "root".to_owned(),
        keys: Vec::new(),
        jump: None,
        host_key: None,
        sudo: bramble_fleet::Sudo::No,
    };
    let port = free_port();
    let error = refused(&fleet, &target(port)).await;
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_unreachable(),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("lost") && text.contains(&format!("127.0.0.1:{port}")),
        "{text}"
    );

    // Takes the connection and never says a word.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let error = refused(&fleet, &target(hole.local_addr().unwrap().port())).await;
    assert!(
        matches!(error, Error::TimedOut { .. }) && error.is_unreachable(),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("handshake") && text.contains("700ms"),
        "{text}"
    );
    assert!(start.elapsed() < Duration::from_secs(5));

    let mut nameless = target(22);
    nameless.host = "no-such-host.invalid".to_owned();
    let error = refused(&fleet, &nameless).await;
    assert!(error.is_unreachable(), "{error}");
}

#[tokio::test]
async fn what_does_not_speak_ssh_is_an_error_of_that_machine() {
    use tokio::io::AsyncWriteExt;
    let dir = tempfile::tempdir().unwrap();
    let mut options = bramble_fleet::Options::new(dir.path().join("known_hosts"));
    options.connect_limit = Duration::from_secs(2);
    let fleet = Fleet::new(options);
    let garbage: Vec<u8> = (0..100_000_u32).map(|n| (n * 7 + n / 256) as u8).collect();
    for (kind, said) in [
        (
            "another protocol",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        ),
        ("garbage", garbage.clone()),
        (
            "garbage after a greeting",
            [b"SSH-2.0-x\r\n".as_slice(), &garbage].concat(),
        ),
        (
            "zeros after a greeting",
            [b"SSH-2.0-x\r\n".as_slice(), &[0; 50_000]].concat(),
        ),
        (
            "a short packet",
            b"SSH-2.0-x\r\n\0\0\0\x01\x05\x14".to_vec(),
        ),
    ] {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target {
            name: "odd".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: server.local_addr().unwrap().port(),
            user: "root".to_owned(),
            keys: Vec::new(),
            jump: None,
            host_key: None,
            sudo: bramble_fleet::Sudo::No,
        };
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = server.accept().await {
                let _ = stream.write_all(&said).await;
            }
        });
        let error = refused(&fleet, &target).await;
        assert!(error.is_unreachable(), "{kind}: {error}");
        assert!(
            error.to_string().contains("odd (127.0.0.1:"),
            "{kind}: {error}"
        );
        serving.abort();
    }
}

#[tokio::test]
async fn a_silent_program_keeps_its_connection() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let mut options = sshd.options();
    options.keepalive = Duration::from_millis(100);
    options.connect_limit = Duration::from_millis(500);
    let session = Fleet::new(options)
        .connect(&sshd.target("m1"))
        .await
        .unwrap();
    let finished = session.run(b"sleep 1.5; echo done", LIMIT, "a silent program", |_| {});
    assert_eq!(finished.await.unwrap().stdout, b"done\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_machine_is_noticed() {
    if !can_run() {
        return;
    }
    let sshd = Sshd::start();
    let mut options = sshd.options();
    options.keepalive = Duration::from_millis(200);
    let fleet = Fleet::new(options);
    let session = fleet.connect(&sshd.target("m1")).await.unwrap();
    let start = Instant::now();
    let running = session.run(TICKING.as_bytes(), LIMIT, "a long program", |_| {
        sshd.freeze_connections();
    });
    let error = running.await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert!(error.to_string().contains("no sign of life"), "{error}");
    assert!(start.elapsed() < LIMIT);
}
