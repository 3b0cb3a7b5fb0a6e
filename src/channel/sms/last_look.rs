//! The last look at the lease: directly before the first byte of a request, when its connection is there.
//!
//! A connection takes its time, TLS most of all, and a process may be paused meanwhile. So it is the request's body that
//! looks: hyper writes the head into memory, asks the body, and only then hands both to the socket. A body
//! that refuses ends the connection before any byte of the request has left. (HTTP/1 only; HTTP/2 would send the head
//! first, and is not built in. `sms::faults` holds this on real sockets.)
//!
//! It says nothing of what a refusal means for the message.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::channel::is_in_time;
use crate::clock::Mono;

/// The bytes of a request, which leave only within the lease, and all at once.
pub(super) struct LastLook {
    start_before: Mono,
    /// `None` from the moment they were let go.
    bytes: Option<Bytes>,
}

/// The body refused: certainly, nothing of its request was written.
#[derive(Debug)]
pub(super) struct TooLate;

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lease would have ended before the gateway's answer")
    }
}

impl Error for TooLate {}

impl TooLate {
    /// Whether it is at the root of `error`: our own word, and nobody else's.
    pub(super) fn is_root_of(error: &(dyn Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<Self>() {
                return true;
            }
            next = error.source();
        }
        false
    }
}

impl LastLook {
    /// Puts the last look before `request`, which keeps its bytes and their length.
    pub(super) fn before(mut request: reqwest::Request, start_before: Mono) -> reqwest::Request {
        let body = request.body_mut();
        let bytes = body.as_ref().and_then(reqwest::Body::as_bytes);
        let bytes = Some(Bytes::copy_from_slice(bytes.unwrap_or_default()));
        *body = Some(reqwest::Body::wrap(Self {
            start_before,
            bytes,
        }));
        request
    }

    fn refuses(&self) -> bool {
        self.bytes.is_some() && !is_in_time(self.start_before)
    }
}

impl Body for LastLook {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        if self.refuses() {
            return Poll::Ready(Some(Err(TooLate)));
        }
        let bytes = self.bytes.take().filter(|bytes| !bytes.is_empty());
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    /// A body without bytes is asked only this before its head is written: to be asked for a frame, and
    /// refuse, it must not have ended.
    fn is_end_stream(&self) -> bool {
        !self.refuses() && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    /// One that is about to refuse is never empty, for the same reason.
    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len);
        let least = usize::from(self.refuses());
        SizeHint::with_exact(length.max(least) as u64)
    }
}
