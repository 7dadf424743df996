//! Small bodies are read before it is looked at who asks and for what.
//!
//! An answer that comes before the request has ended looks like a fault of the connection to some clients: over HTTP/2
//! curl may show an error of the stream in place of a 401, over HTTP/1.1 the connection ends while they still write.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Most bytes that are read for somebody who may be a stranger.
const SMALL: usize = 64 * 1024;

/// How long they may take to come.
const LIMIT: Duration = Duration::from_secs(5);

/// Bodies that are held at once, 16 MiB together. Further ones are handed on as they come.
const MANY: usize = 256;

/// How many bodies may still be held.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MANY)))
    }
}

/// Hands a request on once its body is here. One that is big, slow or has no room is handed on as it comes: whoever may
/// send it has it read then.
pub(super) async fn whole(State(room): State<Room>, request: Request, next: Next) -> Response {
    let hint = request.body().size_hint();
    if request.body().is_end_stream() || hint.lower() > SMALL as u64 {
        return next.run(request).await;
    }
    // Held until the answer is there: the body is, too.
    let Ok(_held) = room.0.try_acquire() else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let body = read(body, LIMIT).await;
    next.run(Request::from_parts(parts, body)).await
}

/// A body, read as far as it comes in time and is small. It is copied: each part may hold on to much more than itself,
/// and strangers choose how many parts there are.
async fn read(body: Body, limit: Duration) -> Body {
    let until = Instant::now() + limit;
    let mut rest = body.into_data_stream();
    let mut read = Vec::new();
    let mut failed = None;
    while read.len() <= SMALL {
        match timeout_at(until, rest.next()).await {
            Ok(Some(Ok(part))) => read.extend_from_slice(&part),
            // Whoever reads it is told.
            Ok(Some(Err(error))) => {
                failed = Some(Err(error));
                break;
            }
            Ok(None) => return Body::from(read),
            Err(_) => break,
        }
    }
    let begin = std::iter::once(Ok(Bytes::from(read))).chain(failed);
    Body::from_stream(futures::stream::iter(begin).chain(rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower::ServiceExt;

    /// Parts of 1 KiB, and how many were taken.
    fn parts(number: usize) -> (Body, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let parts = futures::stream::iter(0..number).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(vec![b'a'; 1024])
        });
        (Body::from_stream(parts), taken)
    }

    #[tokio::test]
    async fn many_small_parts_are_one_and_what_comes_late_follows() {
        let (send, parts) = futures::channel::mpsc::unbounded::<Result<Bytes, std::io::Error>>();
        for _ in 0..1000 {
            send.unbounded_send(Ok(Bytes::from_static(b"a"))).unwrap();
        }
        let read = read(Body::from_stream(parts), Duration::from_millis(50)).await;
        let mut read = read.into_data_stream();
        assert_eq!(read.next().await.unwrap().unwrap().len(), 1000);
        send.unbounded_send(Ok(Bytes::from_static(b"b"))).unwrap();
        drop(send);
        assert_eq!(read.next().await.unwrap().unwrap(), "b");
        assert!(read.next().await.is_none());
    }

    fn router(room: Room) -> Router {
        Router::new()
            .route("/refuses", post(async || StatusCode::UNAUTHORIZED))
            .route("/reads", post(async |body: Bytes| body.len().to_string()))
            .layer(axum::middleware::from_fn_with_state(room, whole))
    }

    async fn asked(room: &Room, path: &str, body: Body) -> (StatusCode, String) {
        let request = Request::post(path).body(body).unwrap();
        let answer = router(room.clone()).oneshot(request).await.unwrap();
        let status = answer.status();
        let text = axum::body::to_bytes(answer.into_body(), SMALL).await;
        (status, String::from_utf8(text.unwrap().into()).unwrap())
    }

    #[tokio::test]
    async fn a_small_body_is_read_before_its_request_is_refused() {
        let room = Room::new();
        let (body, taken) = parts(64);
        assert_eq!(asked(&room, "/refuses", body).await.0, 401);
        assert_eq!(taken.load(Ordering::Relaxed), 64);
        // Nobody reads for a stranger what is bigger.
        let (body, taken) = parts(1000);
        assert_eq!(asked(&room, "/refuses", body).await.0, 401);
        assert_eq!(taken.load(Ordering::Relaxed), 65);
        assert_eq!(room.0.available_permits(), MANY);
    }

    #[tokio::test]
    async fn nothing_of_a_body_is_lost_whatever_its_size() {
        for room in [Room::new(), Room(Arc::new(Semaphore::new(0)))] {
            for number in [0, 1, 64, 65, 1000] {
                let (body, _) = parts(number);
                let (status, said) = asked(&room, "/reads", body).await;
                assert_eq!((status.as_u16(), said), (200, (number * 1024).to_string()));
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_told_to_who_reads_it() {
        let room = Room::new();
        let parts = [Ok("half"), Err(std::io::Error::other("cut off"))];
        let body = Body::from_stream(futures::stream::iter(parts));
        assert_eq!(asked(&room, "/reads", body).await.0, 400);
    }

    #[tokio::test]
    async fn whoever_sends_nothing_is_refused_in_time() {
        let room = Room::new();
        let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let begin = Instant::now();
        let refused = asked(&room, "/refuses", Body::from_stream(never)).await;
        assert_eq!(refused.0, 401);
        assert!(begin.elapsed() >= LIMIT, "{:?}", begin.elapsed());
    }
}
