//! Whether a connection is at work: a stop waits for requests that run, and for nobody who merely holds a connection.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};

/// What one connection does, and where it is from. Requests come one after the other on it.
#[derive(Debug, Default)]
pub(super) struct Activity {
    peer: Option<IpAddr>,
    /// A request has arrived whole, and its answer has not left.
    answering: AtomicBool,
    /// An answer waits for its client to read on.
    writing: AtomicBool,
}

impl Activity {
    /// A connection from that address, where it has one.
    pub(super) fn of(peer: Option<IpAddr>) -> Self {
        Self { peer, ..Self::default() }
    }

    /// Where it is from.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// Whether a stop has to wait for it.
    pub(super) fn is_on(&self) -> bool {
        self.answering.load(Relaxed) || self.writing.load(Relaxed)
    }

    /// A request has arrived whole.
    pub(super) fn begin(&self) {
        self.answering.store(true, Relaxed);
    }

    /// Something that was written waits for the client, or does not any more.
    pub(super) fn is_writing(&self, waits: bool) {
        self.writing.store(waits, Relaxed);
    }

    /// The answer is handed over to the connection. A stream goes on until its body is gone.
    pub(super) fn answered(self: &Arc<Self>, answer: Response) -> Response {
        let end = End(self.clone());
        if answer.body().size_hint().exact().is_some() {
            return answer;
        }
        answer.map(|body| Body::new(Watched { body, _end: end }))
    }
}

/// The answer has left when it is dropped.
#[derive(Debug)]
struct End(Arc<Activity>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.answering.store(false, Relaxed);
    }
}

/// A body with something that is dropped with it.
struct Watched {
    body: Body,
    _end: End,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
