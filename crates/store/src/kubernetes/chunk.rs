//! Parts of a log. Only the last one changes: once it is full it is sealed, and the next one begins where it ends.
//!
//! A part is sealed by the version that was read, and the next one made under a name that only one can make. So
//! of two who write at once one is told that it is late, and no place is given twice.

use crate::document::{Line, Log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) const PLURAL: &str = "logs";
pub(super) const WORD: &str = "Log";

/// Bytes of lines in one part. It is written as a whole for every line that is added to it, so it is small; one
/// line may be longer.
const FULL: usize = 64 * 1024;

/// Longest line: an object has a bit more than a megabyte. What is behind is cut off.
const LONGEST: usize = 512 * 1024;

/// Marks a line that was cut off.
const CUT: &str = "…";

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Chunk {
    /// Which log: `audit`, or `run/` and a run's name.
    pub log: String,
    /// Place of its first line, from 1.
    pub first: u64,
    /// Whether it is complete: further lines are in the next part.
    #[serde(default)]
    pub sealed: bool,
    /// Its lines.
    #[serde(default)]
    pub lines: Vec<String>,
}

/// JSON schema of a part.
pub(super) fn schema() -> Value {
    super::shape::schema::<Chunk>()
}

/// A log as parts of it name it.
pub(super) fn log_name(log: &Log) -> String {
    match log {
        Log::Run(name) => format!("run/{name}"),
        Log::Audit => "audit".into(),
    }
}

/// The log of that name.
pub(super) fn log_of(name: &str) -> Option<Log> {
    match name.strip_prefix("run/") {
        Some(run) => Some(Log::Run(run.to_owned())),
        None => (name == "audit").then_some(Log::Audit),
    }
}

impl Chunk {
    /// An empty part from a place on.
    pub(super) fn from(log: &Log, first: u64) -> Self {
        Self {
            log: log_name(log),
            first,
            sealed: false,
            lines: Vec::new(),
        }
    }

    /// Place of the line behind its last one.
    pub(super) fn next(&self) -> u64 {
        let count = u64::try_from(self.lines.len()).unwrap_or(u64::MAX);
        self.first.saturating_add(count)
    }

    fn size(&self) -> usize {
        self.lines.iter().map(String::len).sum()
    }

    /// Takes lines in, from the front, as long as they fit; seals it where some are left. Lines that fit into one
    /// part stay together, so that they are written by one request.
    pub(super) fn take(&mut self, lines: &mut Vec<String>) {
        let size: usize = lines.iter().map(String::len).sum();
        let room = FULL.saturating_sub(self.size());
        let mut fit = match () {
            () if size <= room => lines.len(),
            () if size <= FULL => 0,
            () => fitting(lines, room),
        };
        if self.lines.is_empty() {
            fit = fit.max(1).min(lines.len());
        }
        self.lines.extend(lines.drain(..fit));
        self.sealed = !lines.is_empty();
    }

    /// Its lines behind a place, at most so many.
    pub(super) fn behind(&self, place: u64, limit: usize) -> impl Iterator<Item = Line> {
        let known = place.saturating_add(1).saturating_sub(self.first);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let lines = (self.first..).zip(&self.lines).skip(known).take(limit);
        lines.map(|(at, text)| Line {
            at,
            text: text.clone(),
        })
    }

    /// Its lines before a place, the last one first, at most so many.
    pub(super) fn before(&self, place: u64, limit: usize) -> impl Iterator<Item = Line> {
        let end = place.clamp(self.first, self.next());
        let skipped = usize::try_from(self.next() - end).unwrap_or(usize::MAX);
        let lines = self.lines.iter().rev().skip(skipped);
        (self.first..end)
            .rev()
            .zip(lines)
            .take(limit)
            .map(|(at, text)| Line {
                at,
                text: text.clone(),
            })
    }

    /// Drops its lines up to a place. Whether there were any.
    pub(super) fn prune(&mut self, up_to: u64) -> bool {
        let gone = up_to.saturating_add(1).min(self.next());
        let count = gone.saturating_sub(self.first);
        self.first += count;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.lines.drain(..count.min(self.lines.len()));
        count > 0
    }
}

/// How many lines from the front have room.
fn fitting(lines: &[String], mut room: usize) -> usize {
    let fits = |line: &&String| {
        let left = room.checked_sub(line.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    lines.iter().take_while(fits).count()
}

/// A line that an object has room for.
pub(super) fn cut(mut line: String) -> String {
    if line.len() > LONGEST {
        line.truncate(line.floor_char_boundary(LONGEST));
        line.push_str(CUT);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sizes: &[usize]) -> Vec<String> {
        sizes.iter().map(|size| "x".repeat(*size)).collect()
    }

    /// Parts that so many lines come to, each of so many bytes, added one batch after the other.
    fn parts(batches: &[&[usize]]) -> Vec<Chunk> {
        let mut parts = vec![Chunk::from(&Log::Audit, 1)];
        for batch in batches {
            let mut left = lines(batch);
            while !left.is_empty() {
                let last = parts.len() - 1;
                if parts[last].sealed {
                    let next = parts[last].next();
                    parts.push(Chunk::from(&Log::Audit, next));
                    continue;
                }
                parts[last].take(&mut left);
            }
        }
        parts
    }

    #[test]
    fn lines_that_fit_stay_together() {
        let made = parts(&[&[FULL / 2], &[FULL / 3, FULL / 3], &[1]]);
        let counts: Vec<usize> = made.iter().map(|part| part.lines.len()).collect();
        assert_eq!(counts, [1, 3]);
        assert_eq!((made[0].sealed, made[1].sealed), (true, false));
        assert_eq!((made[1].first, made[1].next()), (2, 5));
    }

    #[test]
    fn more_than_a_part_is_split_and_a_long_line_stands_alone() {
        let made = parts(&[&[10, FULL, FULL, 10], &[LONGEST]]);
        let counts: Vec<usize> = made.iter().map(|part| part.lines.len()).collect();
        assert_eq!(counts, [1, 1, 1, 1, 1]);
        assert_eq!(made.last().map(Chunk::next), Some(6));
    }

    #[test]
    fn lines_keep_their_places() {
        let mut part = Chunk::from(&Log::Audit, 11);
        part.take(&mut vec!["a".into(), "b".into(), "c".into()]);
        let at = |part: &Chunk, place, limit| {
            let lines = part.behind(place, limit);
            lines.map(|line| (line.at, line.text)).collect::<Vec<_>>()
        };
        assert_eq!(at(&part, 0, 9).len(), 3);
        assert_eq!(at(&part, 11, 1), [(12, "b".into())]);
        assert!(at(&part, 13, 9).is_empty());
        let back = |place, limit| {
            let lines = part.before(place, limit);
            lines.map(|line| line.at).collect::<Vec<_>>()
        };
        assert_eq!(back(u64::MAX, 9), [13, 12, 11]);
        assert_eq!(back(13, 1), [12]);
        assert!(back(11, 9).is_empty() && back(0, 9).is_empty());
        assert!(part.prune(12));
        assert_eq!(at(&part, 0, 9), [(13, "c".into())]);
        assert!(!part.prune(5));
        assert!(part.prune(u64::MAX));
        assert_eq!((part.first, part.next()), (14, 14));
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        let line = cut("ö".repeat(LONGEST));
        assert!(line.len() <= LONGEST + CUT.len() && line.ends_with(CUT));
        assert_eq!(cut("short".into()), "short");
    }
}
