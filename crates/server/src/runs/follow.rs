//! A file that another process writes lines to.

use std::io;
use std::path::Path;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Reads the lines of a file as they come. A line counts once it has its end.
pub struct Lines {
    file: File,
    rest: Vec<u8>,
}

impl Lines {
    /// Opens the file, from its begin.
    pub async fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path).await?;
        let rest = Vec::new();
        Ok(Self { file, rest })
    }

    /// Lines that have come since the last call; none if there are none yet.
    pub async fn more(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = self.file.read(&mut chunk).await?;
            if read == 0 {
                return Ok(lines);
            }
            self.rest.extend_from_slice(&chunk[..read]);
            let Some(last) = self.rest.iter().rposition(|b| *b == b'\n') else {
                continue;
            };
            let rest = self.rest.split_off(last + 1);
            let whole = std::mem::replace(&mut self.rest, rest);
            let text = String::from_utf8_lossy(&whole);
            lines.extend(text.lines().map(str::to_owned));
        }
    }
}
