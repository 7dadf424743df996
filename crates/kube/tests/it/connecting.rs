//! Reaching the server, and failing to.

use crate::fixture::{SERVER_NAME, cluster};
use bramble_kube::{Api, Error};
use bramble_secret::Secret;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};

/// Forwards a local address, as an SSH connection would.
async fn forward(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    local
}

#[tokio::test]
async fn a_forwarded_server_is_verified_by_the_name_in_the_kubeconfig() {
    let Some((cluster, _, _)) = cluster().await else {
        return;
    };
    let via = forward(cluster.address).await;
    let conf = cluster.kubeconfig(&format!("https://{SERVER_NAME}:6443"));
    let api = Api::connect(&conf, Some(via)).await.unwrap();
    assert_eq!(api.status().await.unwrap().version.get(..1), Some("v"));

    let conf = cluster.kubeconfig("https://somebody.else.test:6443");
    let error = Api::connect(&conf, Some(via)).await.unwrap_err();
    let Error::Unreachable { source, server } = &error else {
        panic!("{error:?}");
    };
    let mut chain = source.to_string();
    let mut next = source.source();
    while let Some(cause) = next {
        chain = format!("{chain}: {cause}");
        next = cause.source();
    }
    assert!(chain.contains("certificate"), "{chain}");
    assert!(server.contains("somebody.else.test") && server.contains(&via.to_string()));
    assert!(!format!("{error:?}{api:?}").contains(&cluster.key()));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let closed = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    let ca = rcgen::generate_simple_self_signed(vec!["x.test".into()]).unwrap();
    let pem = crate::fixture::base64(&ca.cert.pem());
    let key = crate::fixture::base64(&ca.signing_key.serialize_pem());
    let text = format!(
        "current-context: a\nclusters: [{{name: a, cluster: {{server: 'https://x.test:6443', certificate-authority-data: {pem}}}}}]\n\
         contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         users: [{{name: a, user: {{client-certificate-data: {pem}, client-key-data: {key}}}}}]\n"
    );
    let conf = Secret::new(text);
    let begin = Instant::now();
    let error = Api::connect(&conf, Some(closed)).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("control plane"));

    // Accepts, says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Api::connect(&conf, Some(silent.local_addr().unwrap()))
        .await
        .unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert!(
        matches!(error, Error::NoAnswer { .. } | Error::Unreachable { .. }),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains(&key));
}

#[tokio::test]
async fn kubeconfigs_that_need_more_than_themselves_are_refused() {
    let table = [
        ("kind: Config", "current-context"),
        ("current-context: a", "no context"),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: 'https://a', certificate-authority: /etc/ca}}], users: [{name: u, user: {token: geheim}}]}",
            "certificate-authority-data",
        ),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: 'http://a', certificate-authority-data: eA==}}], users: [{name: u, user: {token: geheim}}]}",
            "not https",
        ),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: 'https://a', insecure-skip-tls-verify: true}}], users: [{name: u, user: {token: geheim}}]}",
            "insecure-skip-tls-verify",
        ),
        ("a: [geheim\nb: }", "not valid YAML"),
    ];
    for (text, part) in table {
        let error = Api::connect(&Secret::new(text), None).await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
        assert!(error.hint().is_some());
    }
}

/// Whoever drives this runs it on several threads.
#[allow(dead_code)]
fn futures_can_move_between_threads(api: &Api, step: &bramble_machine::step::ApiStep) {
    fn is_send<T: Send>(_: T) {}
    is_send(api.plan(std::slice::from_ref(step)));
    is_send(api.apply(step, Duration::ZERO, |_| {}));
    is_send(api.prune("", &[], Duration::ZERO, |_| {}));
    is_send(api.status());
    is_send(api.drain("", &bramble_kube::DrainOptions::default(), |_| {}));
    is_send(api.node_ready("", Duration::ZERO, |_| {}));
}
