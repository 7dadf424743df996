//! Big files, with resume.

use crate::Error;
use crate::program::Stdin;
use crate::run::Session;
use crate::shell::{Shell, Turn};
use bytes::Bytes;
use ring::digest;
use russh::ChannelWriteHalf;
use russh::client::Msg;
use std::io::SeekFrom;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How much is read and handed over at once.
const PIECE: usize = 256 * 1024;

/// How one attempt ended.
enum Outcome {
    /// The file is there.
    Done,
    /// All bytes are there, but they are others; the part file is removed.
    Wrong { sha256: String, resumed: bool },
}

impl Session {
    /// Copies a file to the machine: into `<remote>.part` from what of it is there already, then checks size and
    /// SHA-256 there, sets the mode, and renames. A file that is right already is left alone (but for its mode).
    /// The folder must exist.
    ///
    /// `sha256` is 64 hex digits, `mode` for instance `0o644`. `progress` gets the number of bytes that were there
    /// or are sent, up to `size`. When the connection ends or the limit passes, the part file stays, and the
    /// next call goes on from there.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a bad sum or a source of another size or content, [`Error::Io`] for one that can't be
    /// read, [`Error::Put`] when the sum on the machine is another one (the part file is removed then) or the
    /// machine can't write, and all that [`Session::run`] returns.
    #[allow(clippy::too_many_arguments)]
    pub async fn put(
        &self,
        source: &Path,
        remote: &str,
        size: u64,
        sha256: &str,
        mode: u32,
        limit: Duration,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<(), Error> {
        if sha256.len() != 64 || !sha256.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(Error::Invalid(format!(
                "{sha256:?} is no SHA-256 sum: 64 hex digits are wanted"
            )));
        }
        if !remote.starts_with('/') || remote.ends_with('/') || remote.contains('\0') {
            return Err(Error::Invalid(format!(
                "{remote:?} is no absolute path of a file"
            )));
        }
        let found = tokio::fs::metadata(source)
            .await
            .map_err(|error| unreadable(source, error))?
            .len();
        if found != size {
            return Err(Error::Invalid(format!(
                "{} has {found} bytes, {size} were expected: it changed or was not fetched whole",
                source.display()
            )));
        }
        let sha256 = sha256.to_ascii_lowercase();
        let reached = AtomicU64::new(0);
        let copy = async {
            // A part of another file may lie there: then once again from the start.
            for _ in 0..2 {
                let program = program(remote, size, &sha256, mode);
                match self
                    .put_once(source, remote, size, &program, &reached, &mut progress)
                    .await?
                {
                    Outcome::Done => return Ok(()),
                    Outcome::Wrong { resumed: true, .. } => {}
                    Outcome::Wrong { sha256: got, .. } => {
                        // Whose fault decides what helps.
                        let own = sum(source).await?;
                        let source = source.display();
                        if own != sha256 {
                            return Err(Error::Invalid(format!(
                                "{source} is damaged: its SHA-256 sum is {own}, {sha256} was expected"
                            )));
                        }
                        let cause = format!(
                            "what arrived has the SHA-256 sum {got}, but {source} is as it should be, {sha256}: \
                             check the machine's disk"
                        );
                        return Err(self.put_error(remote, cause));
                    }
                }
            }
            Err(self.put_error(
                remote,
                "another process writes the same part file".to_owned(),
            ))
        };
        match timeout(limit, copy).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut {
                machine: self.machine.clone(),
                address: self.connection.address.clone(),
                what: format!("the copy of {} to {remote}", source.display()),
                limit,
                note: format!(
                    "; {} of {size} bytes were sent, the next try goes on from there",
                    reached.load(Ordering::Relaxed)
                ),
                unreachable: false,
            }),
        }
    }

    async fn put_once(
        &self,
        source: &Path,
        remote: &str,
        size: u64,
        program: &str,
        reached: &AtomicU64,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Outcome, Error> {
        let what = format!("the copy to {remote}");
        let mut shell = Shell::start(self, &what, Turn::Wait, Arc::default()).await?;
        let text = shell.text(program.as_bytes(), Stdin::Ours);
        // The machine says first where to go on, last how it went.
        let first = OnceLock::new();
        let answered = Notify::new();
        let last = Mutex::new(String::new());
        let mut on_line = |line: &str| {
            if first.set(line.to_owned()).is_ok() {
                answered.notify_one();
            }
            *last.lock().unwrap_or_else(PoisonError::into_inner) = line.to_owned();
        };
        let write = shell.write.clone();
        let sending = async {
            if write.data_bytes(text).await.is_err() {
                return Ok(());
            }
            answered.notified().await;
            let answer = first.get().map(String::as_str).unwrap_or_default();
            if let Some(Ok(at)) = answer.strip_prefix("at ").map(str::parse::<u64>) {
                send_file(&write, source, at, size, reached, progress).await?;
            }
            let _ = write.eof().await;
            Ok(())
        };
        shell.drive(sending, &mut on_line, || false).await?;
        let exit = shell.outcome(&what)?;
        let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
        let resumed = first.get().is_some_and(|first| first != "at 0");
        match last.split_once(' ').unwrap_or((&last, "")) {
            ("done", _) => {
                progress(size);
                Ok(Outcome::Done)
            }
            ("wrong", sha256) => Ok(Outcome::Wrong {
                sha256: sha256.to_owned(),
                resumed,
            }),
            ("short", at) => Err(self.connection.closed(format!(
                "{remote} was copied, {at} of {size} bytes have arrived"
            ))),
            _ => Err(self.put_error(remote, format!("{exit}: {}", shell.output.said_instead()))),
        }
    }

    fn put_error(&self, remote: &str, cause: String) -> Error {
        Error::Put {
            machine: self.machine.clone(),
            remote: remote.to_owned(),
            cause,
        }
    }
}

fn unreadable(source: &Path, error: std::io::Error) -> Error {
    Error::io(format!("{} can't be read", source.display()), error)
}

/// SHA-256 of a file, hexadecimal.
async fn sum(path: &Path) -> Result<String, Error> {
    let failed = |error| unreadable(path, error);
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; PIECE];
    loop {
        let n = file.read(&mut piece).await.map_err(failed)?;
        if n == 0 {
            let bytes = sum.finish();
            return Ok(bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect());
        }
        sum.update(&piece[..n]);
    }
}

async fn send_file(
    write: &ChannelWriteHalf<Msg>,
    source: &Path,
    at: u64,
    size: u64,
    reached: &AtomicU64,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Error> {
    let failed = |error| unreadable(source, error);
    let mut file = tokio::fs::File::open(source).await.map_err(failed)?;
    file.seek(SeekFrom::Start(at)).await.map_err(failed)?;
    let mut sent = at;
    while sent < size {
        let want = usize::try_from(size - sent).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; want];
        file.read_exact(&mut piece).await.map_err(failed)?;
        if write.data_bytes(Bytes::from(piece)).await.is_err() {
            // The reading side knows why.
            return Ok(());
        }
        sent += want as u64;
        reached.store(sent, Ordering::Relaxed);
        progress(sent);
    }
    Ok(())
}

/// What runs on the machine. It says `at N`, reads the rest of the file from stdin, and says `done`,
/// `wrong SUM` or `short N`.
fn program(remote: &str, size: u64, sha256: &str, mode: u32) -> String {
    let remote = quote(remote);
    let mode = mode & 0o7777;
    format!(
        r#"f={remote}; p="$f.part"; n={size}; s={sha256}
sum() {{ sha256sum <"$1" | cut -d' ' -f1; }}
len() {{ stat -c %s -- "$1"; }}
if [ -f "$f" ] && [ "$(len "$f")" = "$n" ] && [ "$(sum "$f")" = "$s" ]; then
  chmod {mode:04o} -- "$f" && rm -f -- "$p" && echo done
  exit
fi
if [ -d "$f" ]; then echo "it is a folder" >&2; exit 1; fi
umask 077
: >>"$p" || exit 1
at=$(len "$p") || exit 1
if [ "$at" -gt "$n" ]; then : >"$p"; at=0; fi
echo "at $at"
cat >>"$p" || exit 1
at=$(len "$p") || exit 1
if [ "$at" -lt "$n" ]; then echo "short $at"; exit 0; fi
got=$(sum "$p")
if [ "$at" != "$n" ] || [ "$got" != "$s" ]; then rm -f -- "$p"; echo "wrong $got"; exit 0; fi
chmod {mode:04o} -- "$p" && sync -- "$p" && mv -f -- "$p" "$f" && echo done"#
    )
}

/// One word of a shell program.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
