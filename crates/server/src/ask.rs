//! Questions about a cluster that the program itself answers: it looks and changes nothing.

use crate::files;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// How many are answered at once: each connects to all machines of a cluster.
const AT_ONCE: usize = 4;

/// The same of those that nobody waits for.
const APART: usize = 2;

/// How long one may take, waiting for others included.
const LIMIT: Duration = Duration::from_secs(180);

/// What the cluster file is called.
const NAME: &str = "bramble.yaml";

/// Where and by what questions are answered.
pub struct Asker {
    program: PathBuf,
    folder: PathBuf,
    turns: Semaphore,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It takes too long.
    #[error("no answer within {} s", LIMIT.as_secs())]
    Late,
    /// The program can't be run.
    #[error("the program could not be run")]
    Program(#[from] io::Error),
}

impl Asker {
    /// Answers by this program, with files below this folder. Those that a daemon left there that was killed are
    /// deleted.
    pub fn new(data: &Path, program: &Path) -> Self {
        let folder = data.join("questions");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("{} can't be emptied: {error}", folder.display());
            }
            _ => {}
        }
        Self {
            program: program.into(),
            folder,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// Answers the same, in turns of its own: for what the daemon itself asks again and again, which must not keep
    /// people waiting.
    pub fn apart(&self) -> Self {
        Self {
            program: self.program.clone(),
            folder: self.folder.clone(),
            turns: Semaphore::new(APART),
        }
    }

    /// What the program says when it is asked about a cluster file.
    ///
    /// # Errors
    /// [`Error`]; that the program itself fails is an answer.
    pub async fn ask(&self, words: &[String], file: &str) -> Result<Output, Error> {
        let answered = tokio::time::timeout(LIMIT, self.answer(words, file)).await;
        answered.map_err(|_| Error::Late)?
    }

    async fn answer(&self, words: &[String], file: &str) -> Result<Output, Error> {
        // A semaphore that is never closed always has a turn.
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        files::folder(&self.folder)?;
        let folder = tempfile::Builder::new().tempdir_in(&self.folder)?;
        files::write(&folder.path().join(NAME), file)?;
        let child = Command::from(crate::program::command(&self.program))
            .args(words)
            // By its name alone: what is said of it names no folder of the daemon.
            .args(["--file", NAME])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            // Whoever gives up waiting ends it.
            .kill_on_drop(true)
            .output();
        Ok(child.await?)
    }
}
