//! The home that needs nothing else: one SQLite file, inspected with any tool that reads such files.
//!
//! One thread has the connection. Calls reach it through a channel, in order; what it has answered is in the
//! write-ahead log and synchronized to the disk (`synchronous = FULL`, <https://sqlite.org/pragma.html>).

mod room;

use crate::document::{Change, Document, Key, Kind, Line, Log};
use crate::error::Error;
use crate::store::Store;
use async_trait::async_trait;
use room::Room;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Form of the tables that this release writes.
const FORM: i64 = 1;

/// Changes that a slow reader may lag behind.
const LAG: usize = 4096;

/// Calls that wait for the thread; who comes after them waits to be let in.
const QUEUE: usize = 256;

/// How long to wait for somebody who looks into the file with another program.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "\
CREATE TABLE document (
    kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE line (
    log TEXT NOT NULL, place INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (log, place)) WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('version', 0);
";

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Documents and logs in one SQLite file.
pub struct Sqlite {
    jobs: mpsc::Sender<Job>,
    changes: broadcast::Sender<Change>,
    room: Arc<Room>,
    /// Held as long as this one has the database.
    _lock: std::fs::File,
}

impl Sqlite {
    /// Opens a database, or makes one that only its owner can read.
    ///
    /// # Errors
    /// [`Error::Open`] where the file can't be used or another daemon has it; [`Error::Newer`].
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let room = Arc::new(Room::of(path));
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Ok((lock(&path)?, open(&path)?)));
        let (lock, mut connection) = opened.await.map_err(|_| Error::Closed)??;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
        });
        let (changes, _) = broadcast::channel(LAG);
        Ok(Self {
            jobs,
            changes,
            room,
            _lock: lock,
        })
    }

    /// Lines that a query finds by log, place and number.
    async fn lines(
        &self,
        query: &'static str,
        log: &Log,
        place: u64,
        limit: usize,
    ) -> Result<Vec<Line>, Error> {
        let name = log_name(log);
        self.call("read a log", move |connection| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut query = connection.prepare_cached(query)?;
            let rows = query.query_map(params![name, bound(place), limit], |row| {
                let place: i64 = row.get(0)?;
                Ok(Line {
                    at: u64::try_from(place).unwrap_or(0),
                    text: row.get(1)?,
                })
            })?;
            Ok((rows.collect::<Result<_, _>>()?, None))
        })
        .await
    }

    /// Has the thread do something and tells what has changed. It is done even if who asked no longer waits.
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        job: impl FnOnce(&mut Connection) -> Result<(T, Option<Change>), Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let changes = self.changes.clone();
        let job: Job = Box::new(move |connection| {
            let done = job(connection).map(|(it, change)| {
                if let Some(change) = change {
                    // Nobody may listen.
                    let _ = changes.send(change);
                }
                it
            });
            // Who asked may be gone.
            let _ = answer.send(done);
        });
        self.jobs.send(job).await.map_err(|_| Error::Closed)?;
        match answered.await.map_err(|_| Error::Closed)? {
            Ok(it) => Ok(it),
            Err(Fault::Told(error)) => Err(error),
            Err(Fault::Sqlite(source)) if room::is_full(&source) => {
                self.room.is_out();
                Err(Error::Full {
                    folder: self.room.folder().to_owned(),
                    source: source.into(),
                })
            }
            Err(Fault::Sqlite(source)) => Err(Error::Home {
                what,
                source: source.into(),
            }),
        }
    }
}

/// Why a call failed on the thread.
enum Fault {
    Told(Error),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Told(error)
    }
}

/// Only one daemon has a database: two would both run what one was asked for. The lock ends with its holder,
/// however that ends.
fn lock(path: &Path) -> Result<std::fs::File, Error> {
    let beside = path.with_added_extension("lock");
    let file = own(&beside).map_err(|source| Error::Open {
        path: beside,
        source: source.into(),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Taken {
            path: path.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::Open {
            path: path.to_owned(),
            source: source.into(),
        }),
    }
}

fn open(path: &Path) -> Result<Connection, Error> {
    let fault = |source: Box<dyn std::error::Error + Send + Sync>| Error::Open {
        path: path.to_owned(),
        source,
    };
    own(path).map_err(|e| fault(e.into()))?;
    let mut connection = Connection::open(path).map_err(|e| fault(e.into()))?;
    prepare(&mut connection, path).map_err(|e| match e {
        Fault::Told(error) => error,
        Fault::Sqlite(error) => fault(error.into()),
    })?;
    Ok(connection)
}

/// Opens a file for its owner alone. SQLite would make it with everybody's rights.
fn own(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let now = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = now.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        0 => {
            now.execute_batch(TABLES)?;
            now.pragma_update(None, "user_version", FORM)?;
        }
        FORM => {}
        found => {
            return Err(Error::Newer {
                path: PathBuf::from(path),
                found,
                known: FORM,
            }
            .into());
        }
    }
    now.commit()?;
    Ok(())
}

/// The next version: one counter for all, so that a document that was deleted and made again has another.
fn next(now: &rusqlite::Transaction<'_>) -> rusqlite::Result<i64> {
    now.query_row(
        "UPDATE counter SET value = value + 1 WHERE name = 'version' RETURNING value",
        [],
        |row| row.get(0),
    )
}

fn version_of(now: &rusqlite::Transaction<'_>, key: &Key) -> rusqlite::Result<Option<String>> {
    let found: Option<i64> = now
        .query_row(
            "SELECT version FROM document WHERE kind = ?1 AND name = ?2",
            params![key.kind.as_str(), key.name],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.map(|version| version.to_string()))
}

/// Writes a document at the next version by a statement of kind, name, version and body, and ends the
/// transaction.
fn put(
    now: rusqlite::Transaction<'_>,
    statement: &str,
    key: Key,
    body: Value,
) -> Result<(Document, Option<Change>), Fault> {
    let version = next(&now)?;
    now.execute(
        statement,
        params![key.kind.as_str(), key.name, version, body.to_string()],
    )?;
    now.commit()?;
    let change = Change::Put(key.clone());
    let written = Document {
        key,
        version: version.to_string(),
        body,
    };
    Ok((written, Some(change)))
}

fn document(key: Key, version: i64, text: &str) -> Result<Document, Fault> {
    let body = serde_json::from_str(text).map_err(|source| Error::Unreadable {
        key: key.clone(),
        source,
    })?;
    Ok(Document {
        key,
        version: version.to_string(),
        body,
    })
}

fn log_name(log: &Log) -> String {
    match log {
        Log::Run(name) => format!("run/{name}"),
        Log::Audit => "audit".into(),
    }
}

/// SQLite's integers are signed.
fn bound(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

#[async_trait]
impl Store for Sqlite {
    async fn get(&self, key: &Key) -> Result<Option<Document>, Error> {
        let key = key.clone();
        self.call("read a document", move |connection| {
            let found: Option<(i64, String)> = connection
                .prepare_cached("SELECT version, body FROM document WHERE kind = ?1 AND name = ?2")?
                .query_row(params![key.kind.as_str(), key.name], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let found = found.map(|(version, body)| document(key, version, &body));
            Ok((found.transpose()?, None))
        })
        .await
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Document>, Error> {
        self.call("list documents", move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT name, version, body FROM document WHERE kind = ?1 ORDER BY name",
            )?;
            let mut rows = query.query(params![kind.as_str()])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let (name, version, body): (String, i64, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                all.push(document(Key::new(kind, name), version, &body)?);
            }
            Ok((all, None))
        })
        .await
    }

    async fn create(&self, key: &Key, body: Value) -> Result<Document, Error> {
        let key = key.clone();
        self.call("make a document", move |connection| {
            let now = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if version_of(&now, &key)?.is_some() {
                return Err(Error::Exists(key).into());
            }
            put(
                now,
                "INSERT INTO document (kind, name, version, body) VALUES (?1, ?2, ?3, ?4)",
                key,
                body,
            )
        })
        .await
    }

    async fn replace(&self, document: &Document) -> Result<Document, Error> {
        let Document { key, version, body } = document.clone();
        self.call("replace a document", move |connection| {
            let now = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            match version_of(&now, &key)? {
                None => return Err(Error::Missing(key).into()),
                Some(there) if there != version => return Err(Error::Changed(key).into()),
                Some(_) => {}
            }
            put(
                now,
                "UPDATE document SET version = ?3, body = ?4 WHERE kind = ?1 AND name = ?2",
                key,
                body,
            )
        })
        .await
    }

    async fn delete(&self, key: &Key, version: Option<&str>) -> Result<bool, Error> {
        let (key, version) = (key.clone(), version.map(str::to_owned));
        self.call("delete a document", move |connection| {
            let now = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            match (version_of(&now, &key)?, version) {
                (None, _) => return Ok((false, None)),
                (Some(there), Some(wanted)) if there != wanted => {
                    return Err(Error::Changed(key).into());
                }
                _ => {}
            }
            now.execute(
                "DELETE FROM document WHERE kind = ?1 AND name = ?2",
                params![key.kind.as_str(), key.name],
            )?;
            now.commit()?;
            Ok((true, Some(Change::Deleted(key))))
        })
        .await
    }

    async fn append(&self, log: &Log, lines: Vec<String>) -> Result<u64, Error> {
        let log = log.clone();
        self.call("add to a log", move |connection| {
            let name = log_name(&log);
            let now = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Lines that were dropped keep their places: nobody who reads on gets others under old numbers.
            let mut place: i64 = now
                .query_row(
                    "SELECT value FROM counter WHERE name = ?1",
                    params![name],
                    |row| row.get(0),
                )
                .optional()?
                .unwrap_or(0);
            for line in lines {
                place += 1;
                now.prepare_cached("INSERT INTO line VALUES (?1, ?2, ?3)")?
                    .execute(params![name, place, line])?;
            }
            now.execute(
                "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                params![name, place],
            )?;
            now.commit()?;
            let place = u64::try_from(place).unwrap_or(0);
            Ok((place, Some(Change::Grown(log))))
        })
        .await
    }

    async fn read(&self, log: &Log, behind: u64, limit: usize) -> Result<Vec<Line>, Error> {
        const LINES: &str =
            "SELECT place, text FROM line WHERE log = ?1 AND place > ?2 ORDER BY place LIMIT ?3";
        self.lines(LINES, log, behind, limit).await
    }

    async fn read_back(&self, log: &Log, before: u64, limit: usize) -> Result<Vec<Line>, Error> {
        const LINES: &str = "SELECT place, text FROM line WHERE log = ?1 AND place < ?2 ORDER BY place DESC LIMIT ?3";
        self.lines(LINES, log, before, limit).await
    }

    async fn prune(&self, log: &Log, up_to: u64) -> Result<(), Error> {
        let name = log_name(log);
        self.call("shorten a log", move |connection| {
            connection.execute(
                "DELETE FROM line WHERE log = ?1 AND place <= ?2",
                params![name, bound(up_to)],
            )?;
            Ok(((), None))
        })
        .await
    }

    async fn forget(&self, log: &Log) -> Result<(), Error> {
        let name = log_name(log);
        self.call("forget a log", move |connection| {
            let now = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            now.execute("DELETE FROM line WHERE log = ?1", params![name])?;
            now.execute("DELETE FROM counter WHERE name = ?1", params![name])?;
            now.commit()?;
            Ok(((), None))
        })
        .await
    }

    async fn room(&self) -> Result<(), Error> {
        if !self.room.is_full() {
            return Ok(());
        }
        let room = self.room.clone();
        self.call("look for room", move |connection| {
            room.try_again(connection)?;
            Ok(((), None))
        })
        .await
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}
