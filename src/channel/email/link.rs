//! One connection to a relay: bytes out, whole replies in, each within a limit of time.
//!
//! It knows nothing of mails. A link on which anything went wrong is dropped by its owner; it is
//! never asked again.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::outcome::Broken;
use super::reply::Reply;

/// What a link runs over: TCP, or TLS over TCP.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection and the bytes that came but were not read yet.
pub(super) struct Link {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

impl Link {
    pub(super) fn over(stream: Box<dyn Stream>) -> Self {
        let unread = Vec::with_capacity(1024);
        Self { stream, unread }
    }

    /// The next whole reply.
    pub(super) async fn reply(&mut self, within: Duration) -> Result<Reply, Broken> {
        let read = self.read_reply();
        timeout(within, read).await.unwrap_or(Err(Broken::Silent))
    }

    async fn read_reply(&mut self) -> Result<Reply, Broken> {
        loop {
            if let Some((reply, length)) = Reply::read(&self.unread).map_err(|_| Broken::Garbled)? {
                self.unread.drain(..length);
                return Ok(reply);
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) => return Err(Broken::Closed),
                Ok(_) => {}
                Err(error) => return Err(Broken::Lost(error.kind())),
            }
        }
    }

    /// Writes and flushes.
    pub(super) async fn write(&mut self, bytes: &[u8], within: Duration) -> Result<(), Broken> {
        let written = self.write_all(bytes);
        timeout(within, written)
            .await
            .unwrap_or(Err(Broken::Silent))
    }

    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let lost = |error: std::io::Error| Broken::Lost(error.kind());
        self.stream.write_all(bytes).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }

    /// Writes, and reads the next whole reply: both within one limit.
    pub(super) async fn ask(&mut self, bytes: &[u8], within: Duration) -> Result<Reply, Broken> {
        let asked = async {
            self.write_all(bytes).await?;
            self.read_reply().await
        };
        timeout(within, asked).await.unwrap_or(Err(Broken::Silent))
    }

    /// Whether nothing has come that nobody asked for, the end of the stream included. A reply that
    /// lies here before a command would be taken for that command's.
    pub(super) async fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let came = poll_fn(|context| {
            let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
            Poll::Ready(read.is_ready())
        });
        self.unread.is_empty() && !came.await
    }

    /// The stream below, to build TLS on it. Nothing that came in clear may count afterwards.
    pub(super) fn into_stream(self) -> Result<Box<dyn Stream>, Broken> {
        match self.unread.is_empty() {
            true => Ok(self.stream),
            false => Err(Broken::Unasked),
        }
    }
}
