//! A stream that does not wait for ever for its reader: hyper has time limits for reading and none for writing.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// A stream whose writes fail when nothing could be written for `time`. There is a timer only while a write waits.
///
/// What the system takes is progress, and it asks for more when a third of its buffer is free again: a slow reader is
/// not cut, unless it is slower than that.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    time: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    activity: Arc<Activity>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, time: Duration, activity: Arc<Activity>) -> Self {
        Self { stream, time, waiting: None, activity }
    }

    fn in_time<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.waiting.take().is_some() {
                self.activity.is_writing(false);
            }
            return written;
        }
        self.activity.is_writing(true);
        let time = self.time;
        let timer = self.waiting.get_or_insert_with(|| Box::pin(sleep(time)));
        let late = || io::Error::new(ErrorKind::TimedOut, "the client reads nothing of its answer");
        timer.as_mut().poll(context).map(|()| Err(late()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
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

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test]
    async fn a_reader_that_stops_is_given_up_and_a_slow_one_is_not() {
        let (near, mut far) = duplex(16);
        let mut patient = Patient::new(near, Duration::from_secs(1), Arc::default());
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
