//! What happens in a run of a daemon, as it comes (server-sent events: WHATWG HTML, 9.2).

use super::{Remote, refused};
use crate::error::{CliError, Kind};
use reqwest::Method;
use std::time::{Duration, Instant};

/// How long a daemon may be away in the middle of a run.
const PATIENCE: Duration = Duration::from_secs(120);

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
    pub async fn follow(&self, run: &str, mut on: impl FnMut(&str)) -> Result<(), CliError> {
        let mut behind = 0;
        let mut heard = Instant::now();
        loop {
            match self.listen(run, &mut behind, &mut heard, &mut on).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind != Kind::Unreachable => return Err(error),
                Err(error) if heard.elapsed() > PATIENCE => {
                    return Err(
                        error.hint(format!("the run {run} goes on without anybody watching"))
                    );
                }
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Listens until the connection ends; whether the run is over.
    async fn listen(
        &self,
        run: &str,
        behind: &mut u64,
        heard: &mut Instant,
        on: &mut impl FnMut(&str),
    ) -> Result<bool, CliError> {
        let path = format!("/runs/{run}/events?behind={behind}");
        let response = self.request(Method::GET, &path).send().await;
        let mut response = refused(response.map_err(|e| self.away(&e))?).await?;
        let mut parser = Parser::default();
        loop {
            // The daemon says something every 15 s, if only that it is there.
            let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await;
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
    use super::*;

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
