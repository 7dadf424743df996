//! One of several leads.

use crate::apiserver::ApiServer;
use bramble_store::{Kubernetes, Renewal, Terms};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A tenth of the usual, to be quick; whole seconds where the API has no others.
fn terms() -> Terms {
    Terms {
        duration: Duration::from_secs(2),
        renew: Duration::from_millis(300),
        request: Duration::from_millis(500),
        give_up: Duration::from_millis(1200),
        look: Duration::from_millis(50),
    }
}

async fn place() -> Option<(&'static ApiServer, Arc<Kubernetes>)> {
    let server = ApiServer::shared()?;
    let store = server.store(&server.namespace()).await;
    Some((server, Arc::new(store)))
}

#[tokio::test]
async fn of_many_who_would_lead_one_does() {
    let Some((server, store)) = place().await else {
        return;
    };
    let all = (0..6).map(|i| {
        let candidate = store.candidate(&format!("r{i}"), terms());
        tokio::spawn(tokio::time::timeout(
            Duration::from_secs(1),
            candidate.lead(),
        ))
    });
    let mut leads = 0;
    for one in all.collect::<Vec<_>>() {
        leads += usize::from(one.await.unwrap().is_ok());
    }
    assert_eq!(leads, 1);
    let shown = server.says(&["-n", store.namespace(), "get", "leases"]);
    assert!(shown.contains("bramble"), "{shown}");
}

#[tokio::test]
async fn a_lead_that_is_not_renewed_goes_to_another() {
    let Some((_, store)) = place().await else {
        return;
    };
    let mut first = store.candidate("a", terms()).lead().await;
    let other = tokio::spawn(store.candidate("b", terms()).lead());
    for _ in 0..8 {
        tokio::time::sleep(terms().renew).await;
        assert_eq!(first.renew().await, Renewal::Done);
    }
    assert!(!other.is_finished(), "it is renewed");
    let begin = Instant::now();
    let mut other = other.await.unwrap();
    let took = begin.elapsed();
    assert!(
        took > terms().give_up && took < terms().duration * 2,
        "{took:?}"
    );
    assert_eq!(first.renew().await, Renewal::Lost, "it is the other's");
    assert_eq!(other.renew().await, Renewal::Done);
    // Who is told to stop lets the next one lead at once.
    other.release().await;
    let begin = Instant::now();
    store.candidate("a", terms()).lead().await;
    assert!(begin.elapsed() < terms().give_up);
}

#[tokio::test]
async fn who_comes_back_under_its_name_leads_on() {
    let Some((_, store)) = place().await else {
        return;
    };
    store.candidate("a", terms()).lead().await;
    let begin = Instant::now();
    store.candidate("a", terms()).lead().await;
    assert!(begin.elapsed() < terms().give_up);
}
