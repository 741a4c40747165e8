//! Lines of bounded length.

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The lines of an output.
#[derive(Debug)]
pub(super) struct Lines<R> {
    output: BufReader<R>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub(super) fn new(output: R, limit: usize) -> Self {
        Self { output: BufReader::new(output), limit }
    }

    /// The next one, without its line break; `None` at the end. What is cut off at the end is a line, too.
    ///
    /// # Errors
    /// The limit, when a line outgrows it.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, usize> {
        let mut line = Vec::new();
        loop {
            // An output that cannot be read has ended.
            let part = self.output.fill_buf().await.unwrap_or_default();
            if part.is_empty() {
                return Ok((!line.is_empty()).then_some(line));
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let length = end.map_or(part.len(), |end| end + 1);
            self.output.consume(length);
            if line.len() > self.limit {
                return Err(self.limit);
            }
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_has_its_bound() {
        let mut lines = Lines::new(&b"ab\n\nabc\r\nabcd"[..], 4);
        let mut read = Vec::new();
        while let Ok(Some(line)) = lines.next().await {
            read.push(String::from_utf8(line).expect("text"));
        }
        assert_eq!(read, ["ab", "", "abc\r", "abcd"]);
        let endless = vec![b'x'; 100_000];
        assert_eq!(Lines::new(&endless[..], 99_999).next().await, Err(99_999));
    }
}
