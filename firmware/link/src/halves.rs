//! A stream whose directions are used at the same time, as TLS wants it.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

/// Both halves of a stream. Each of its copies may be used, one for reading and one for writing.
pub struct Halves<'a, R, W> {
    pub reader: &'a Mutex<NoopRawMutex, R>,
    pub writer: &'a Mutex<NoopRawMutex, W>,
}

impl<R, W> Clone for Halves<'_, R, W> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<R, W> ErrorType for Halves<'_, R, W> {
    type Error = ErrorKind;
}

impl<R: Read, W> Read for Halves<'_, R, W> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut reader = self.reader.lock().await;
        reader.read(bytes).await.map_err(|error| error.kind())
    }
}

impl<R, W: Write> Write for Halves<'_, R, W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut writer = self.writer.lock().await;
        writer.write(bytes).await.map_err(|error| error.kind())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.writer
            .lock()
            .await
            .flush()
            .await
            .map_err(|error| error.kind())
    }
}
