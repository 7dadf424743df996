//! How a program is framed on its way into `sh -s`, and how its output is told from noise.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How much of stdout is kept in memory.
pub(crate) const STDOUT_KEPT: usize = 16 * 1024 * 1024;
/// How much of the end of stderr is kept.
const STDERR_KEPT: usize = 64 * 1024;
/// How much noise before the marker is kept, for the error when the marker never comes.
const NOISE_KEPT: usize = 64 * 1024;

/// What the program's commands find on stdin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// Nothing. Without this a command that reads stdin would eat what the shell is still to read.
    Empty,
    /// Whatever is sent after the program.
    Ours,
}

/// A string that no output contains by chance.
pub(crate) fn nonce() -> String {
    format!(
        "bramble-{:016x}",
        RandomState::new().build_hasher().finish()
    )
}

/// The line that says that the shell runs, and its process id.
pub(crate) fn marker(nonce: &str) -> String {
    format!("echo \"{nonce} $$\"")
}

/// Wraps a program in one compound command: the shell runs it only after it has read all of it, so that
/// half a program is never run.
pub(crate) fn frame(program: &[u8], stdin: Stdin) -> Vec<u8> {
    let end: &[u8] = match stdin {
        Stdin::Empty => b"\n\n} </dev/null\n",
        Stdin::Ours => b"\n\n}\n",
    };
    [b"{ :; ", program, end].concat()
}

/// What a program printed so far.
pub(crate) struct Output {
    nonce: String,
    /// Before the marker: what came so far. After it: none.
    noise: Option<Vec<u8>>,
    pid: Arc<AtomicU32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) truncated: bool,
    line: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output {
    pub(crate) fn new(nonce: String, pid: Arc<AtomicU32>) -> Self {
        Self {
            nonce,
            noise: Some(Vec::new()),
            pid,
            stdout: Vec::new(),
            truncated: false,
            line: Vec::new(),
            stderr: Vec::new(),
        }
    }

    /// Whether the shell said that it runs.
    pub(crate) fn started(&self) -> bool {
        self.noise.is_none()
    }

    /// Takes a piece of stdout and hands out the lines that it completes.
    pub(crate) fn out(&mut self, data: &[u8], on_line: &mut (dyn FnMut(&str) + Send)) {
        let Some(noise) = &mut self.noise else {
            self.after(data, on_line);
            return;
        };
        noise.extend_from_slice(data);
        let Some((pid, rest)) = find_marker(noise, self.nonce.as_bytes()) else {
            // Keeping twice as much makes this rare; the marker is far shorter than what stays.
            if noise.len() > 2 * NOISE_KEPT {
                noise.drain(..noise.len() - NOISE_KEPT);
            }
            return;
        };
        self.pid.store(pid, Ordering::Relaxed);
        let rest = noise.split_off(rest);
        self.noise = None;
        self.after(&rest, on_line);
    }

    fn after(&mut self, data: &[u8], on_line: &mut (dyn FnMut(&str) + Send)) {
        let room = STDOUT_KEPT - self.stdout.len();
        self.truncated |= data.len() > room;
        self.stdout.extend_from_slice(&data[..data.len().min(room)]);
        let mut rest = data;
        while let Some(end) = rest.iter().position(|&c| c == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            if self.line.is_empty() {
                on_line(&String::from_utf8_lossy(line));
            } else {
                self.line.extend_from_slice(line);
                on_line(&String::from_utf8_lossy(&self.line));
                self.line.clear();
            }
            rest = after;
        }
        let room = STDOUT_KEPT - self.line.len();
        self.line.extend_from_slice(&rest[..rest.len().min(room)]);
    }

    /// Hands out a last line that no newline ended.
    pub(crate) fn finish(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) {
        if !self.line.is_empty() {
            on_line(&String::from_utf8_lossy(&std::mem::take(&mut self.line)));
        }
    }

    /// Takes a piece of stderr.
    pub(crate) fn err(&mut self, data: &[u8]) {
        self.stderr.extend_from_slice(data);
        if self.stderr.len() > 2 * STDERR_KEPT {
            self.stderr.drain(..self.stderr.len() - STDERR_KEPT);
        }
    }

    /// Removes `text` from stderr; true when it was there.
    pub(crate) fn take_from_err(&mut self, text: &str) -> bool {
        let Some(at) = find(&self.stderr, text.as_bytes()) else {
            return false;
        };
        self.stderr.drain(at..at + text.len());
        true
    }

    /// The end of stderr.
    pub(crate) fn stderr_tail(&self) -> &[u8] {
        &self.stderr[self.stderr.len().saturating_sub(STDERR_KEPT)..]
    }

    /// What was said without the program having started, in a few lines.
    pub(crate) fn said_instead(&self) -> String {
        let mut said = String::from_utf8_lossy(self.stderr_tail()).into_owned();
        said.push_str(&String::from_utf8_lossy(
            self.noise.as_deref().unwrap_or_default(),
        ));
        let lines: Vec<_> = said
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        lines[lines.len().saturating_sub(5)..].join(" / ")
    }
}

/// The process id that the marker tells, and where the program's own output begins.
fn find_marker(text: &[u8], nonce: &[u8]) -> Option<(u32, usize)> {
    let at = find(text, nonce)? + nonce.len();
    let end = at + text.get(at..)?.iter().position(|&c| c == b'\n')?;
    let pid = std::str::from_utf8(&text[at..end])
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some((pid, end + 1))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(pieces: &[&[u8]]) -> (Vec<String>, Output) {
        let mut output = Output::new("bramble-1".to_owned(), Arc::default());
        let mut lines = Vec::new();
        for piece in pieces {
            output.out(piece, &mut |line| lines.push(line.to_owned()));
        }
        output.finish(&mut |line| lines.push(line.to_owned()));
        (lines, output)
    }

    #[test]
    fn noise_before_the_marker_is_dropped_however_the_pieces_fall() {
        let text = b"welcome\nno newline herebramble-1 4711\none\ntwo\n\nlast";
        for size in 1..text.len() {
            let pieces: Vec<_> = text.chunks(size).collect();
            let (lines, output) = output(&pieces);
            assert_eq!(lines, ["one", "two", "", "last"], "pieces of {size}");
            assert_eq!(output.stdout, b"one\ntwo\n\nlast");
            assert_eq!(output.pid.load(Ordering::Relaxed), 4711);
        }
    }

    #[test]
    fn stdout_is_capped_but_lines_go_on() {
        let line = vec![b'x'; 1024 * 1024 - 1];
        let mut pieces = Vec::new();
        let piece = [line.as_slice(), b"\n"].concat();
        pieces.push(b"bramble-1 1\n".as_slice());
        for _ in 0..20 {
            pieces.push(piece.as_slice());
        }
        let (lines, output) = output(&pieces);
        assert_eq!(lines.len(), 20);
        assert_eq!(output.stdout.len(), STDOUT_KEPT);
        assert!(output.truncated);
    }

    #[test]
    fn stderr_keeps_its_end() {
        let (_, mut output) = output(&[]);
        for n in 0..100_000 {
            output.err(format!("line {n}\n").as_bytes());
        }
        assert_eq!(output.stderr_tail().len(), STDERR_KEPT);
        assert!(output.stderr_tail().ends_with(b"line 99999\n"));
    }

    #[test]
    fn without_a_marker_the_noise_explains() {
        let (lines, output) = output(&[b"This account is currently not available.\n"]);
        assert!(lines.is_empty());
        assert!(!output.started());
        assert_eq!(
            output.said_instead(),
            "This account is currently not available."
        );
    }
}
