//! What happens in a run of a daemon, as it comes (server-sent events: WHATWG HTML, 9.2).

use super::{Remote, refused};
use crate::error::{CliError, Kind};
use reqwest::Method;
use std::time::{Duration, Instant};

/// How long a daemon may be away in the middle of a run.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it may be silent: it says something every 15 s, if only that it is there.
const QUIET: Duration = Duration::from_secs(45);

/// Pause before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Bytes of the longest line that is taken.
const LONGEST: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Debug, Default, PartialEq)]
struct Message {
    id: Option<u64>,
    event: String,
    data: String,
}

/// Makes events of bytes.
#[derive(Default)]
struct Parser {
    bytes: Vec<u8>,
    now: Message,
}

impl Parser {
    fn take(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.bytes.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(end) = self.bytes.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\r', '\n']), &mut out);
        }
        out
    }

    /// Whether what comes is still such a stream, and not one line without an end.
    fn is_bounded(&self) -> bool {
        self.bytes.len() + self.now.data.len() <= LONGEST
    }

    fn line(&mut self, line: &str, out: &mut Vec<Message>) {
        if line.is_empty() {
            let message = std::mem::take(&mut self.now);
            if !message.data.is_empty() {
                out.push(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.now.id = value.parse().ok(),
            "event" => value.clone_into(&mut self.now.event),
            "data" => {
                if !self.now.data.is_empty() {
                    self.now.data.push('\n');
                }
                self.now.data.push_str(value);
            }
            _ => {}
        }
    }
}

impl Remote {
    /// Hands on the events of a run until it is over; a daemon that is away meanwhile is asked again.
    ///
    /// # Errors
    /// When it stays away, or refuses.
    pub async fn follow(&self, run: &str, on: impl FnMut(&str)) -> Result<(), CliError> {
        self.follow_for(PATIENCE, run, on).await
    }

    async fn follow_for(
        &self,
        patience: Duration,
        run: &str,
        mut on: impl FnMut(&str),
    ) -> Result<(), CliError> {
        let mut behind = 0;
        let mut heard = Instant::now();
        loop {
            let why = match self.listen(run, &mut behind, &mut heard, &mut on).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    let what = format!("{} ends or does not go on telling of {run}", self.url);
                    CliError::new(Kind::Unreachable, what)
                }
                Err(error) if error.kind != Kind::Unreachable => return Err(error),
                Err(error) => error,
            };
            if heard.elapsed() > patience {
                return Err(why.hint(format!(
                    "the run {run} goes on without anybody watching: bramble --server {} runs follow {run}",
                    self.url
                )));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Listens until the connection ends or is silent; whether the run is over. A daemon that fails, as one whose store
    /// is away, or a proxy before one that is away, is away.
    async fn listen(
        &self,
        run: &str,
        behind: &mut u64,
        heard: &mut Instant,
        on: &mut impl FnMut(&str),
    ) -> Result<bool, CliError> {
        let path = format!("/runs/{run}/events?behind={behind}");
        let sent = tokio::time::timeout(QUIET, self.request(Method::GET, &path).send());
        let Ok(response) = sent.await else {
            return Ok(false);
        };
        let response = response.map_err(|e| self.away(&e))?;
        let fails = response.status().is_server_error();
        let mut response = refused(response).await.map_err(|error| CliError {
            kind: if fails { Kind::Unreachable } else { error.kind },
            ..error
        })?;
        let mut parser = Parser::default();
        loop {
            let chunk = tokio::time::timeout(QUIET, response.chunk()).await;
            let chunk = match chunk {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(error)) => return Err(self.away(&error)),
                Err(_) => return Ok(false),
            };
            let Some(chunk) = chunk else {
                return Ok(false);
            };
            *heard = Instant::now();
            for message in parser.take(&chunk) {
                if message.event == "over" {
                    return Ok(true);
                }
                *behind = message.id.unwrap_or(*behind);
                on(&message.data);
            }
        }
    }
}

impl Remote {
    /// Hands on the events of a stream, and each sign of life (`None`), until it ends or is silent for `quiet`; why.
    pub async fn stream(
        &self,
        path: &str,
        quiet: Duration,
        mut on: impl FnMut(Option<&str>),
    ) -> CliError {
        let silent = || {
            let what = format!("{}: silent for {} s", self.url, quiet.as_secs());
            CliError::new(Kind::Unreachable, what)
        };
        let sent = tokio::time::timeout(quiet, self.request(Method::GET, path).send());
        let mut response = match sent.await {
            Err(_) => return silent(),
            Ok(Err(error)) => return self.away(&error),
            Ok(Ok(response)) => match refused(response).await {
                Ok(response) => response,
                Err(error) => return error,
            },
        };
        let mut parser = Parser::default();
        loop {
            let chunk = match tokio::time::timeout(quiet, response.chunk()).await {
                Err(_) => return silent(),
                Ok(Err(error)) => return self.away(&error),
                Ok(Ok(None)) => {
                    let what = format!("{} has ended the connection", self.url);
                    return CliError::new(Kind::Unreachable, what);
                }
                Ok(Ok(Some(chunk))) => chunk,
            };
            for message in parser.take(&chunk) {
                on(Some(&message.data));
            }
            if !parser.is_bounded() {
                let what = format!("{}{path} says something without an end", self.url);
                return CliError::new(Kind::Unreachable, what);
            }
            on(None);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_secret::Secret;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    const NO_STORE: &str =
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    const REFUSED: &str =
        "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    fn told(events: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{events}")
    }

    /// A daemon that gives these answers, the last one again and again; what it is asked goes to the channel.
    fn daemon(answers: Vec<String>) -> (Remote, std::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let last = answers.last().cloned().into_iter().cycle();
            for answer in answers.into_iter().chain(last) {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    request.push(byte[0]);
                }
                let line = String::from_utf8_lossy(&request);
                let line = line.lines().next().unwrap_or_default().to_owned();
                stream.write_all(answer.as_bytes()).unwrap();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let remote = Remote {
            url,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            token: Secret::new("brt_a_b"),
        };
        (remote, asked)
    }

    #[tokio::test]
    async fn a_daemon_that_fails_meanwhile_is_asked_again_where_it_stopped() {
        let (remote, asked) = daemon(vec![
            told("id: 1\ndata: one\n\n"),
            NO_STORE.into(),
            told("id: 2\ndata: two\n\nevent: over\ndata: {}\n\n"),
        ]);
        let mut lines = Vec::new();
        let done = remote.follow("red-1", |line| lines.push(line.to_owned()));
        done.await.unwrap();
        assert_eq!(lines, ["one", "two"]);
        let asked: Vec<String> = asked.try_iter().collect();
        assert!(
            asked[0].contains("behind=0") && asked[2].contains("behind=1"),
            "{asked:?}"
        );
    }

    #[tokio::test]
    async fn patience_ends_and_a_refusal_ends_it_at_once() {
        let whiles = [NO_STORE.to_owned(), told("")];
        for answer in whiles {
            let (remote, _asked) = daemon(vec![answer]);
            let followed = remote.follow_for(Duration::ZERO, "red-1", |_| {});
            let error = followed.await.unwrap_err();
            assert_eq!(error.kind, Kind::Unreachable);
            assert!(error.hints.iter().any(|h| h.contains("red-1 goes on")));
        }
        let (remote, _asked) = daemon(vec![REFUSED.into()]);
        let error = remote.follow("red-1", |_| {}).await.unwrap_err();
        assert_eq!(error.kind, Kind::Failed);
    }

    #[test]
    fn events_come_in_pieces_of_any_size() {
        let text = ": hello\n\nid: 7\ndata: {\"a\":1}\n\nevent: over\r\ndata: {}\r\n\r\ndata:x\ndata: y\n\nid: 9\n\n";
        let whole = Parser::default().take(text.as_bytes());
        assert_eq!(whole.len(), 3);
        assert_eq!(
            (whole[0].id, whole[0].data.as_str()),
            (Some(7), "{\"a\":1}")
        );
        assert_eq!(whole[1].event, "over");
        assert_eq!(whole[2].data, "x\ny");
        let mut parser = Parser::default();
        let pieces: Vec<Message> = text.bytes().flat_map(|b| parser.take(&[b])).collect();
        assert_eq!(pieces, whole);
    }
}
