//! One of several daemons that share a store. Only the one that leads carries out runs.
//!
//! The processes of its runs must not outlive its lead, for another daemon, on another computer, begins them again
//! then: they live as long as a file in the daemon's folder says that the lead was just renewed ([`crate::lifeline`]).

use crate::runs::lives;
use crate::{files, lifeline};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Random bytes of a name.
const RANDOM: usize = 4;

/// How often it is looked whether processes have ended.
const LOOK: Duration = Duration::from_millis(50);

/// Why a daemon can't be one of several.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its folder can't be used.
    #[error("{}: the file can't be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another daemon has the folder.
    #[error("{}: another daemon has this folder", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// This computer gives no random numbers.
    #[error(transparent)]
    Random(#[from] bramble_keys::KeyError),
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Taken { .. } => Some("give each daemon a folder of its own (--data)"),
            Error::File { .. } => {
                Some("the folder must belong to the user that the daemon runs as")
            }
            Error::Random(_) => None,
        }
    }
}

/// One of several daemons.
#[derive(Debug)]
pub struct Replica {
    name: String,
    data: PathBuf,
    /// Held as long as this one has the folder.
    _lock: File,
}

impl Replica {
    /// The daemon whose folder that is; it keeps its name there. One whose folder is a copy gets another name.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(data: &Path) -> Result<Self, Error> {
        let file = |path: &Path, source: io::Error| Error::File {
            path: path.to_owned(),
            source,
        };
        files::folder(data).map_err(|e| file(data, e))?;
        let path = data.join("replica");
        let mut options = files::private();
        options.create(true).append(true).read(true);
        let lock = options
            .open(path.with_added_extension("lock"))
            .map_err(|e| file(&path, e))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::Taken {
                    path: data.to_owned(),
                });
            }
            Err(error) => return Err(file(&path, error.into())),
        }
        let place = place(&lock).map_err(|e| file(&path, e))?;
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(file(&path, error)),
        };
        let kept = kept
            .as_deref()
            .and_then(|text| text.trim().split_once('\n'));
        let name = match kept {
            Some((name, there)) if there == place => name.to_owned(),
            // Two of one name would both lead: a copied folder is another daemon's.
            _ => {
                let name = fresh()?;
                let text = format!("{name}\n{place}\n");
                files::write(&path, &text).map_err(|e| file(&path, e))?;
                name
            }
        };
        Ok(Self {
            name,
            data: data.to_owned(),
            _lock: lock,
        })
    }

    /// Its name, which no other has and which stays.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that says when its lead was renewed, as long as it leads.
    pub(crate) fn lead(&self) -> PathBuf {
        self.data.join("lead")
    }

    /// Says that it leads, by a renewal that was asked for then ([`lifeline::now`]): the processes of its runs may go on.
    pub(crate) fn leads(&self, renewed: Duration) -> io::Result<()> {
        lifeline::write(&self.lead(), renewed)
    }

    /// Says that it leads no more: the processes of its runs end.
    pub(crate) fn leads_no_more(&self) -> io::Result<()> {
        match std::fs::remove_file(self.lead()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits until no process of its runs lives any more. Whether that came to be.
    pub(crate) async fn ended(&self, limit: Duration) -> bool {
        let begin = Instant::now();
        loop {
            match lives(&self.data) {
                Ok(false) => return true,
                Ok(true) => {}
                Err(error) => tracing::warn!("processes of runs can't be seen: {error}"),
            }
            if begin.elapsed() >= limit {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What a copy of the folder differs in: the computer, as far as it has an id, and the place on its disk.
fn place(lock: &File) -> io::Result<String> {
    let computer = match std::fs::read_to_string("/etc/machine-id") {
        Ok(id) => id,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    Ok(format!("{} {}", computer.trim(), lock.metadata()?.ino()))
}

/// A name for people, that no other daemon has.
fn fresh() -> Result<String, Error> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "bramble",
        host => host,
    };
    let random: [u8; RANDOM] = bramble_keys::random()?;
    Ok(format!("{host}-{}", hex::encode(random)))
}
