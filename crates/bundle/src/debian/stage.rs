//! Stages of a build whose results are kept, so that a killed build goes on where it was.
//!
//! A stage's folder carries a digest of everything that went into it; it is filled under another name and
//! renamed when it is complete, so a folder with the right name is a finished stage.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::event::Sink;
use crate::files::{create_dir, sha256_hex};
use crate::{Error, Event};

/// How long to wait for another build in the same cache.
const LOCK_LIMIT: Duration = Duration::from_secs(45 * 60);

/// The kept stages of one cache folder; at most one build at a time uses it.
pub(crate) struct Stages<'a> {
    cache: PathBuf,
    of: usize,
    started: usize,
    events: Sink<'a>,
    _lock: File,
}

/// How many results of a stage are kept: builds of some patch releases take turns in tests of upgrades.
const KEEP: usize = 3;

/// A stage that is asked for.
pub(crate) enum Stage {
    /// An earlier build finished it.
    Done(PathBuf),
    /// To be filled, then finished.
    Open(Open),
}

/// A stage that is being worked on.
pub(crate) struct Open {
    name: String,
    work: tempfile::TempDir,
    to: PathBuf,
    since: Instant,
}

impl<'a> Stages<'a> {
    /// Opens the cache and waits until no other build uses it.
    pub(crate) async fn open(
        cache: &Path,
        of: usize,
        events: Sink<'a>,
    ) -> Result<Stages<'a>, Error> {
        create_dir(&cache.join("stages"))?;
        create_dir(&cache.join("logs"))?;
        let path = cache.join("lock");
        let lock = File::create(&path).map_err(Error::io("create", &path))?;
        let since = Instant::now();
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path)(e)),
                Err(TryLockError::WouldBlock) => {}
            }
            let what = format!("another build that uses {}", cache.display());
            if since.elapsed() > LOCK_LIMIT {
                let limit = LOCK_LIMIT;
                return Err(Error::TimedOut { what, limit });
            }
            if !std::mem::replace(&mut told, true) {
                let limit = LOCK_LIMIT;
                events(Event::Waiting { what, limit });
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let stages = Stages {
            cache: cache.into(),
            of,
            started: 0,
            events,
            _lock: lock,
        };
        stages.remove_unfinished()?;
        Ok(stages)
    }

    /// What a killed build left half-way. Nobody else works here: the lock is ours.
    fn remove_unfinished(&self) -> Result<(), Error> {
        let dir = self.cache.join("stages");
        for entry in std::fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
            let entry = entry.map_err(Error::io("list", &dir))?;
            if entry.file_name().to_string_lossy().starts_with(".work-") {
                std::fs::remove_dir_all(entry.path())
                    .map_err(Error::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    pub(crate) fn events(&self) -> Sink<'a> {
        self.events
    }

    /// The log of a stage's programs.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.cache
            .join("logs")
            .join(format!("{}.log", name.replace([' ', '/'], "-")))
    }

    /// Begins a stage. `inputs`: everything that the result depends on.
    pub(crate) fn begin(&mut self, name: &str, inputs: &[&str]) -> Result<Stage, Error> {
        self.started += 1;
        (self.events)(Event::Stage {
            name: name.into(),
            number: self.started,
            of: self.of,
        });
        let key = sha256_hex(format!("{name}\0{}", inputs.join("\0")).as_bytes());
        let dir = self.cache.join("stages");
        let to = dir.join(format!("{}-{}", name.replace([' ', '/'], "-"), &key[..16]));
        if to.is_dir() {
            // For `prune`: when it was last of use.
            File::open(&to)
                .and_then(|dir| dir.set_modified(SystemTime::now()))
                .map_err(Error::io("touch", &to))?;
            (self.events)(Event::StageDone {
                name: name.into(),
                cached: true,
                took: Duration::ZERO,
            });
            return Ok(Stage::Done(to));
        }
        let log = self.log(name);
        match std::fs::remove_file(&log) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &log)(e));
            }
            _ => {}
        }
        let work = tempfile::Builder::new()
            .prefix(".work-")
            .tempdir_in(&dir)
            .map_err(Error::io("create a folder in", &dir))?;
        Ok(Stage::Open(Open {
            name: name.into(),
            work,
            to,
            since: Instant::now(),
        }))
    }

    /// Keeps what an open stage made.
    pub(crate) fn finish(&self, open: Open) -> Result<PathBuf, Error> {
        // Names must not reach the disk before contents: a power cut may not leave a stage that looks complete.
        let dir = File::open(open.path()).map_err(Error::io("open", open.path()))?;
        rustix::fs::syncfs(&dir).map_err(|e| Error::io("flush", open.path())(e.into()))?;
        let path = open.work.keep();
        std::fs::rename(&path, &open.to).map_err(Error::io("create", &open.to))?;
        (self.events)(Event::StageDone {
            name: open.name,
            cached: false,
            took: open.since.elapsed(),
        });
        Ok(open.to)
    }
}

impl Stages<'_> {
    /// Removes results that were not of use for the longest time, of each stage all but [`KEEP`].
    pub(crate) fn prune(&self) -> Result<(), Error> {
        let dir = self.cache.join("stages");
        let mut results: BTreeMap<String, Vec<(SystemTime, PathBuf)>> = BTreeMap::new();
        for entry in std::fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
            let path = entry.map_err(Error::io("list", &dir))?.path();
            let used = path
                .metadata()
                .and_then(|m| m.modified())
                .map_err(Error::io("read", &path))?;
            if let Some((name, _)) = key(&path).rsplit_once('-') {
                results
                    .entry(name.to_owned())
                    .or_default()
                    .push((used, path));
            }
        }
        for mut of_stage in results.into_values() {
            of_stage.sort();
            let surplus = of_stage.len().saturating_sub(KEEP);
            for (_, path) in of_stage.drain(..surplus) {
                std::fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

impl Open {
    /// The folder to fill.
    pub(crate) fn path(&self) -> &Path {
        self.work.path()
    }
}

/// What identifies a finished stage to those that build on it.
pub(crate) fn key(stage: &Path) -> String {
    stage
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(stage: Stage) -> Open {
        match stage {
            Stage::Open(open) => open,
            Stage::Done(path) => panic!("{} is done already", path.display()),
        }
    }

    #[tokio::test]
    async fn a_killed_stage_is_begun_again_and_a_finished_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut stages = Stages::open(dir.path(), 2, &|_| {}).await.unwrap();
        let first = open(stages.begin("first", &["a"]).unwrap());
        std::fs::write(first.path().join("file"), "1").unwrap();
        let first = stages.finish(first).unwrap();
        let killed = open(stages.begin("second", &[&key(&first)]).unwrap());
        std::fs::write(killed.path().join("half"), "").unwrap();
        // As after kill -9: nothing is cleaned up, the lock is gone.
        std::mem::forget(killed);
        drop(stages);

        let mut stages = Stages::open(dir.path(), 2, &|_| {}).await.unwrap();
        assert!(
            matches!(stages.begin("first", &["a"]).unwrap(), Stage::Done(path) if path == first)
        );
        let again = open(stages.begin("second", &[&key(&first)]).unwrap());
        assert_eq!(std::fs::read_dir(again.path()).unwrap().count(), 0);
        assert_eq!(
            std::fs::read_dir(dir.path().join("stages"))
                .unwrap()
                .count(),
            2
        );
        open(stages.begin("first", &["b"]).unwrap());
    }

    #[tokio::test]
    async fn the_results_least_of_use_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mut stages = Stages::open(dir.path(), 9, &|_| {}).await.unwrap();
        let mut paths = Vec::new();
        for (age, input) in [(9, "a"), (8, "b"), (7, "c"), (6, "d")] {
            let stage = open(stages.begin("some stage", &[input]).unwrap());
            let path = stages.finish(stage).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            File::open(&path).unwrap().set_modified(then).unwrap();
            paths.push(path);
        }
        // Used again: no longer the oldest.
        assert!(matches!(
            stages.begin("some stage", &["a"]).unwrap(),
            Stage::Done(_)
        ));
        stages.prune().unwrap();
        let there: Vec<_> = paths.iter().map(|p| p.exists()).collect();
        assert_eq!(there, [true, false, true, true]);
    }

    #[tokio::test]
    async fn a_second_build_waits_for_the_first_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let first = Stages::open(dir.path(), 1, &|_| {}).await.unwrap();
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::sync::Mutex::new(Some(tell));
        let say = |event| {
            if let (Event::Waiting { what, .. }, Some(tell)) = (event, tell.lock().unwrap().take())
            {
                let _ = tell.send(what);
            }
        };
        let second = Stages::open(dir.path(), 1, &say);
        let release = async {
            assert!(told.await.unwrap().contains("another build"));
            drop(first);
        };
        let limit = Duration::from_secs(20);
        let (second, ()) = tokio::time::timeout(limit, async { tokio::join!(second, release) })
            .await
            .unwrap();
        assert!(second.is_ok());
    }
}
