//! A stream that does not wait for ever for its reader: hyper has time limits for reading and none for writing.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::{Activity, Received};
use super::limits::Held;

/// A head may be this large before its bytes count. Nearly all are.
const SMALL_HEAD: usize = 8 * 1024;

/// A stream whose writes fail when nothing could be written for `time`. There is a timer only while a write waits.
///
/// What the system takes is progress, and it asks for more when a third of its buffer is free again: a slow reader is
/// not cut, unless it is slower than that.
#[derive(Debug)]
pub(super) struct ConnectionIo<S> {
    stream: S,
    time: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    activity: Arc<Activity>,
    head_bytes: usize,
    held: Held,
}

impl<S> ConnectionIo<S> {
    pub(super) fn new(stream: S, time: Duration, activity: Arc<Activity>, held: Held) -> Self {
        Self { stream, time, waiting: None, activity, head_bytes: 0, held }
    }

    /// Counts what was read; `false` where there is no room for it.
    fn has_room_for(&mut self, bytes: usize) -> bool {
        let received = self.activity.receives();
        if received != Received::Head {
            self.release();
        }
        if received == Received::Body {
            return true;
        }
        self.head_bytes += bytes;
        self.head_bytes <= SMALL_HEAD || self.held.add(bytes)
    }

    /// What was read of the last head is not in memory any more.
    fn release(&mut self) {
        if std::mem::take(&mut self.head_bytes) > SMALL_HEAD {
            self.held.release();
        }
    }

    fn in_time<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.waiting.take().is_some() {
                self.activity.is_writing(false);
            }
            return written;
        }
        if self.waiting.is_none() {
            self.activity.is_writing(true);
        }
        let time = self.time;
        let timer = self.waiting.get_or_insert_with(|| Box::pin(sleep(time)));
        let late = || io::Error::new(ErrorKind::TimedOut, "the client reads nothing of its answer");
        timer.as_mut().poll(context).map(|()| Err(late()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ConnectionIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ConnectionIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        let bytes = into.filled().len() - before;
        if bytes == 0 && self.activity.is_waiting() {
            self.release();
        }
        if bytes > 0 && !self.has_room_for(bytes) {
            return Poll::Ready(Err(io::Error::new(
                ErrorKind::OutOfMemory,
                "there is no room for a head of this size",
            )));
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::server::limits::{Limits, Shares, Source};

    fn patient<S>(stream: S, bytes: usize) -> (ConnectionIo<S>, Arc<Shares>) {
        let limits = Limits { requests_bytes: bytes, ..Limits::default() };
        let shares = Shares::new(&limits, Arc::default());
        let own = shares.of(Source::Local);
        let held = shares.hold(&own);
        let activity = Arc::new(Activity::new(std::time::Instant::now(), None, own));
        (ConnectionIo::new(stream, Duration::from_secs(1), activity, held), shares)
    }

    #[tokio::test]
    async fn a_long_head_counts_until_it_is_whole() {
        let (near, mut far) = duplex(1 << 20);
        let (mut patient, shares) = patient(near, 40_000);
        far.write_all(&vec![b'x'; 30_000]).await.expect("sent");
        patient.read_exact(&mut [0; SMALL_HEAD]).await.expect("a head");
        assert_eq!(shares.bytes().1, 0, "a usual one");
        patient.read_exact(&mut [0; 1000]).await.expect("more of it");
        assert_eq!(shares.bytes().1, 1000);
        patient.activity.has_head();
        patient.read_exact(&mut [0; 1000]).await.expect("a body");
        assert_eq!(shares.bytes().1, 0);
        patient.activity.end();
        patient.read_exact(&mut [0; SMALL_HEAD]).await.expect("the next head");
        let refused = patient.read_exact(&mut [0; 9000]).await;
        assert!(refused.is_ok(), "there is room yet");
        far.write_all(&vec![b'x'; 30_000]).await.expect("sent");
        assert_eq!(patient.read_exact(&mut [0; 12_000]).await.expect_err("none").kind(), ErrorKind::OutOfMemory);
        drop(patient);
        assert_eq!(shares.bytes().1, 0);
    }

    #[tokio::test]
    async fn requests_that_come_whole_leave_nothing_behind() {
        let (near, mut far) = duplex(1 << 20);
        let (mut patient, shares) = patient(near, 40_000);
        for _ in 0..100 {
            far.write_all(&vec![b'x'; 9000]).await.expect("sent");
            patient.read_exact(&mut [0; 9000]).await.expect("a head and its body");
            assert!((9000 - SMALL_HEAD..=9000).contains(&shares.bytes().1), "{}", shares.bytes().1);
            patient.activity.has_head();
            patient.activity.begin();
            patient.activity.end();
            assert!(patient.read(&mut [0; 1]).now_or_never().is_none(), "it waits for the next");
            assert_eq!(shares.bytes().1, 0);
        }
    }

    #[tokio::test]
    async fn a_reader_that_stops_is_given_up_and_a_slow_one_is_not() {
        let (near, mut far) = duplex(16);
        let (mut patient, _shares) = patient(near, 1);
        let began = Instant::now();
        let slow = tokio::spawn(async move {
            for _ in 0..8 {
                sleep(Duration::from_millis(200)).await;
                far.read_exact(&mut [0; 16]).await.expect("bytes");
            }
            far
        });
        patient.write_all(&[0; 128]).await.expect("never a second without progress");
        let _far = slow.await.expect("the reader");
        assert!(began.elapsed() > Duration::from_millis(1500), "more than a second in all");
        let stopped = timeout(Duration::from_secs(20), patient.write_all(&[0; 128])).await.expect("no hang");
        assert_eq!(stopped.expect_err("nobody reads").kind(), ErrorKind::TimedOut);
    }
}
