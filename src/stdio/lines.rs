//! Lines of two pipes. Our JSON has no line breaks, and a client's must have none.

use std::io;

use bytes::Bytes;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::sync::mpsc;

/// The longest line, in bytes: as long as a body over HTTP may be.
pub(super) const LONGEST: usize = 4 << 20;

/// Why there is no line.
#[derive(Debug, Error)]
pub(super) enum Fault {
    /// It is passed over to its end.
    #[error("the line is too long")]
    TooLong,
    #[error(transparent)]
    Broken(io::Error),
}

/// The lines of a pipe.
pub(super) struct Lines {
    input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    /// What has come of the line that is under way.
    begun: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    pub(super) fn of(input: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self { input: BufReader::new(Box::new(input)), begun: Vec::new(), is_too_long: false }
    }

    /// The next line, without its end; none at the end of the pipe. Cancelled midway, nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let chunk = self.input.fill_buf().await.map_err(Fault::Broken)?;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (taken, is_over) = (end.map_or(chunk.len(), |end| end + 1), chunk.is_empty());
            let part = &chunk[..end.unwrap_or(chunk.len())];
            self.is_too_long |= self.begun.len() + part.len() > LONGEST;
            if self.is_too_long {
                self.begun.clear();
            } else {
                self.begun.extend_from_slice(part);
            }
            self.input.consume(taken);
            if end.is_some() || (is_over && (self.is_too_long || !self.begun.is_empty())) {
                let line = std::mem::take(&mut self.begun);
                let is_too_long = std::mem::take(&mut self.is_too_long);
                return if is_too_long { Err(Fault::TooLong) } else { Ok(Some(line.into())) };
            }
            if is_over {
                return Ok(None);
            }
        }
    }
}

/// Writes a line for each message, until there are no more or nobody reads on.
pub(super) async fn write(output: impl AsyncWrite + Unpin, mut messages: mpsc::Receiver<Bytes>) {
    let mut output = BufWriter::new(output);
    while let Some(message) = messages.recv().await {
        let written = async {
            output.write_all(&message).await?;
            output.write_all(b"\n").await?;
            // What else waits goes with it.
            if messages.is_empty() { output.flush().await } else { Ok(()) }
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "the client reads no more");
            return;
        }
    }
    _ = output.flush().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_a_message_and_a_long_one_is_passed_over() {
        let text = [b"{}\n\n".as_slice(), &b"x".repeat(LONGEST + 1), b"\n{\"a\":1}\r\nlast"].concat();
        let mut lines = Lines::of(std::io::Cursor::new(text));
        for expected in [&b"{}"[..], b"", b"too long", b"{\"a\":1}\r", b"last"] {
            match lines.next().await {
                Ok(line) => assert_eq!(line.as_deref(), Some(expected)),
                Err(fault) => assert!(matches!(fault, Fault::TooLong) && expected == b"too long", "{fault}"),
            }
        }
        assert!(matches!(lines.next().await, Ok(None)) && matches!(lines.next().await, Ok(None)), "the end stays");
    }

    #[tokio::test]
    async fn what_is_said_ends_with_a_line_break() {
        let (said, to_say) = mpsc::channel(4);
        for message in ["a", "b"] {
            said.send(Bytes::from(message)).await.expect("room");
        }
        drop(said);
        let mut output = Vec::new();
        write(&mut output, to_say).await;
        assert_eq!(output, b"a\nb\n");
    }
}
