//! A TCP connection that a machine makes for us (`direct-tcpip`), as a byte stream.
//!
//! russh hands the data of all channels of a connection to bounded queues, in order: a queue that is not
//! emptied stops the whole connection. For a connection through a jump host that could even be for
//! ever, with each side waiting for the other to read. So a task here empties the queue at all times.

use bytes::{Buf, Bytes};
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Semaphore, mpsc};

/// How much may lie unread before the machine is made to wait.
const BUDGET: u32 = 16 * 1024 * 1024;
/// How long the machine, and with it everything else on this connection, may be made to wait for a
/// reader before the stream is given up. Shorter than any keepalive limit.
const PATIENCE: Duration = Duration::from_secs(30);

/// What may lie unread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// [`BUDGET`]: for readers outside of this crate, who may stop reading.
    Bounded,
    /// For an SSH connection inside: its own channel windows bound what can be under way.
    BoundedInside,
}

/// A TCP connection made by a machine. Dropping it closes the connection.
pub struct Tunnel {
    chunks: mpsc::UnboundedReceiver<Bytes>,
    current: Bytes,
    ended: bool,
    budget: Option<Arc<Semaphore>>,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Tunnel {
    pub(crate) fn new(channel: Channel<Msg>, unread: Unread) -> Self {
        let (mut read, write) = channel.split();
        let writer = Box::pin(write.make_writer());
        let (send, chunks) = mpsc::unbounded_channel::<Bytes>();
        let budget = (unread == Unread::Bounded).then(|| Arc::new(Semaphore::new(BUDGET as usize)));
        let spending = budget.clone();
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = read.wait() => message,
                    () = send.closed() => break,
                };
                let data = match message {
                    Some(ChannelMsg::Data { data }) if data.is_empty() => continue,
                    Some(ChannelMsg::Data { data }) => data,
                    Some(ChannelMsg::Eof | ChannelMsg::Close) | None => break,
                    Some(_) => continue,
                };
                if let Some(budget) = &spending {
                    let size = u32::try_from(data.len()).unwrap_or(BUDGET).min(BUDGET);
                    match tokio::time::timeout(PATIENCE, budget.acquire_many(size)).await {
                        // Given back by the reader, byte by byte.
                        Ok(Ok(permit)) => permit.forget(),
                        _ => break,
                    }
                }
                if send.send(data).is_err() {
                    break;
                }
            }
            // No chunk is empty, so an empty one can say that this was the last. The other direction
            // may go on until the reader is dropped.
            let _ = send.send(Bytes::new());
            if read_is_over(&send, &mut read).await {
                let _ = write.close().await;
            }
        });
        Self {
            chunks,
            current: Bytes::new(),
            ended: false,
            budget,
            writer,
        }
    }
}

/// Waits until the reader is gone or the machine closed the channel. True when it's ours to close.
async fn read_is_over(
    reader: &mpsc::UnboundedSender<Bytes>,
    read: &mut russh::ChannelReadHalf,
) -> bool {
    loop {
        tokio::select! {
            message = read.wait() => match message {
                Some(ChannelMsg::Close) | None => return false,
                Some(_) => {}
            },
            () = reader.closed() => return true,
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        if self.current.is_empty() {
            match ready!(self.chunks.poll_recv(context)) {
                Some(chunk) if !chunk.is_empty() => self.current = chunk,
                _ => {
                    self.ended = true;
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let size = self.current.len().min(buffer.remaining());
        buffer.put_slice(&self.current[..size]);
        self.current.advance(size);
        if let Some(budget) = &self.budget {
            budget.add_permits(size);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.writer.as_mut().poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(context)
    }
}
