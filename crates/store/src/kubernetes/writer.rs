//! Lines on their way into logs. Each log that is written to has a task, which knows its last part and writes what
//! has come since in one request.

use super::chunk::{self, Chunk};
use super::logs::{Logs, Part, TRIES, busy, fill, name};
use super::rest::{self, Fault};
use super::{names, own};
use crate::document::Log;
use crate::error::Error;
use kube::api::DynamicObject;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Least time between two writes to one log: what comes meanwhile is written together.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a task waits for more to write before it ends.
const IDLE: Duration = Duration::from_secs(60);

/// Calls that wait for a task; who comes after them waits to be let in.
const QUEUE: usize = 256;

/// Lines to be written, and who waits for their last place.
pub(super) struct Job {
    lines: Vec<String>,
    answer: oneshot::Sender<Result<u64, Error>>,
}

impl Logs {
    /// Adds lines; the place of the last one.
    pub(super) async fn append(
        self: &Arc<Self>,
        log: &Log,
        lines: Vec<String>,
    ) -> Result<u64, Error> {
        let mut lines: Vec<String> = lines.into_iter().map(chunk::cut).collect();
        loop {
            let (answer, answered) = oneshot::channel();
            let job = Job { lines, answer };
            match self.writer(log).send(job).await {
                Ok(()) => return answered.await.unwrap_or(Err(Error::Closed)),
                // The task has just ended.
                Err(mpsc::error::SendError(job)) => lines = job.lines,
            }
        }
    }

    /// The task that writes to a log.
    fn writer(self: &Arc<Self>, log: &Log) -> mpsc::Sender<Job> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writers.get(log).filter(|writer| !writer.is_closed()) {
            return writer.clone();
        }
        writers.retain(|_, writer| !writer.is_closed());
        let (sender, jobs) = mpsc::channel(QUEUE);
        writers.insert(log.clone(), sender.clone());
        tokio::spawn(write(Arc::clone(self), log.clone(), jobs));
        sender
    }
}

/// Writes what comes to one log.
async fn write(logs: Arc<Logs>, log: Log, mut jobs: mpsc::Receiver<Job>) {
    let mut tail = None;
    let mut written: Option<Instant> = None;
    loop {
        let Ok(Some(first)) = tokio::time::timeout(IDLE, jobs.recv()).await else {
            // Who comes from now on gets a new task; who came before is still served.
            jobs.close();
            while let Ok(job) = jobs.try_recv() {
                serve(&logs, &log, &mut tail, vec![job]).await;
            }
            return;
        };
        if let Some(written) = written {
            tokio::time::sleep_until(written + PAUSE).await;
        }
        let mut all = vec![first];
        while let Ok(job) = jobs.try_recv() {
            all.push(job);
        }
        written = Some(Instant::now());
        serve(&logs, &log, &mut tail, all).await;
    }
}

/// Writes the lines of all who wait, and tells each the place of its last one.
async fn serve(logs: &Logs, log: &Log, tail: &mut Option<Part>, jobs: Vec<Job>) {
    let (mut counts, mut lines) = (Vec::new(), Vec::new());
    for mut job in jobs {
        lines.append(&mut job.lines);
        counts.push((lines.len(), job.answer));
    }
    let total = lines.len();
    match logs.write(log, tail, lines).await {
        Ok(last) => {
            for (count, answer) in counts {
                let behind = u64::try_from(total - count).unwrap_or(0);
                // Who asked may be gone.
                let _ = answer.send(Ok(last - behind));
            }
        }
        Err(error) => {
            *tail = None;
            let mut error = Some(error);
            for (_, answer) in counts {
                let told = error.take().unwrap_or(Error::Home {
                    what: "add to a log",
                    source: "others' lines could not be added either".into(),
                });
                let _ = answer.send(Err(told));
            }
        }
    }
}

impl Logs {
    /// Writes lines behind the last one; the place of the last one then.
    async fn write(
        &self,
        log: &Log,
        tail: &mut Option<Part>,
        mut lines: Vec<String>,
    ) -> Result<u64, Error> {
        if lines.is_empty() {
            // Asked for what is there: another daemon may have written.
            *tail = self.tail(log).await?;
            return Ok(tail.as_ref().map_or(0, |tail| tail.chunk.next() - 1));
        }
        let mut late = 0;
        while late < TRIES {
            if tail.is_none() {
                *tail = self.tail(log).await?;
            }
            let before = lines.clone();
            match self.step(log, tail.take(), &mut lines).await {
                Ok(now) if lines.is_empty() => {
                    let last = now.chunk.next() - 1;
                    *tail = Some(now);
                    return Ok(last);
                }
                Ok(now) => *tail = Some(now),
                // Somebody else was first: again behind what they wrote.
                Err(Fault::Conflict | Fault::Missing) => {
                    lines = before;
                    late += 1;
                }
                Err(Fault::Error(error)) => return Err(error),
            }
        }
        Err(busy("add to a log"))
    }

    /// One request: fills the last part, or makes the next one.
    async fn step(
        &self,
        log: &Log,
        tail: Option<Part>,
        lines: &mut Vec<String>,
    ) -> Result<Part, Fault> {
        const WHAT: &str = "add to a log";
        let (number, first) = match tail {
            Some(mut tail) if !tail.chunk.sealed => {
                tail.chunk.take(lines);
                fill(&mut tail.object, &tail.chunk);
                tail.object = rest::replace(&self.api, &tail.object, WHAT).await?;
                return Ok(tail);
            }
            Some(tail) => (tail.number + 1, tail.chunk.next()),
            None => (0, 1),
        };
        let mut chunk = Chunk::from(log, first);
        chunk.take(lines);
        let mut object = DynamicObject::new(&name(log, number), &own(chunk::WORD, chunk::PLURAL));
        object.metadata.labels = Some([(names::LOG.to_owned(), names::log(log))].into());
        fill(&mut object, &chunk);
        let object = rest::create(&self.api, &object, WHAT).await?;
        Ok(Part {
            object,
            number,
            chunk,
        })
    }
}
