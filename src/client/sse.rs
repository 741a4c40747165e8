//! Server-sent events, read from chunks that end anywhere (WHATWG HTML, section 9.2, as far as MCP uses it).
//!
//! An event is a name and data. `id` and `retry` belong to the stream: they say where it could be resumed, and how long to
//! wait before that. The reader keeps both; nobody resumes a stream yet.

use std::time::Duration;

use super::error::ProtocolError;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty means `message`.
    pub name: Vec<u8>,
    /// The `data` lines, joined by line feeds.
    pub data: Vec<u8>,
}

/// How much one stream may make us hold and read, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one event, names and line breaks included.
    pub event: usize,
    /// Of the whole stream.
    pub stream: usize,
}

/// A reader for one stream. What the stream's end leaves unfinished is no event: the text was cut.
#[derive(Debug)]
pub struct SseReader {
    limits: Limits,
    seen: usize,
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    /// The last `id`; it counts from the end of its event on.
    id: Vec<u8>,
    last_id: Vec<u8>,
    retry: Option<Duration>,
    after_cr: bool,
    at_start: bool,
}

impl SseReader {
    /// At the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        let (line, name, data, id, last_id) = (vec![], vec![], vec![], vec![], vec![]);
        Self { limits, seen: 0, line, name, data, id, last_id, retry: None, after_cr: false, at_start: true }
    }

    /// The id of the last whole event that came with one or after one (`Last-Event-ID`); empty when there was none.
    pub fn last_event_id(&self) -> &[u8] {
        &self.last_id
    }

    /// How long the server asks us to wait before the stream is resumed.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Takes the next chunk and gives the events that it completes.
    ///
    /// # Errors
    /// When the event or the stream outgrows its limit.
    pub fn push(&mut self, mut chunk: &[u8]) -> Result<Vec<Event>, ProtocolError> {
        self.seen = self.seen.saturating_add(chunk.len());
        if self.seen > self.limits.stream {
            return Err(ProtocolError::TooLarge { limit: self.limits.stream });
        }
        let mut events = Vec::new();
        while let Some(first) = chunk.first() {
            // CR LF is one line break, even when a chunk ends between the two.
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            let Some(end) = chunk.iter().position(|b| matches!(b, b'\r' | b'\n')) else {
                self.keep(chunk)?;
                break;
            };
            self.keep(&chunk[..end])?;
            self.after_cr = chunk[end] == b'\r';
            chunk = &chunk[end + 1..];
            events.extend(self.end_line());
        }
        Ok(events)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), ProtocolError> {
        let kept = self.line.len() + self.name.len() + self.data.len() + self.id.len();
        if kept + part.len() > self.limits.event {
            return Err(ProtocolError::TooLarge { limit: self.limits.event });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event();
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.name = value.to_vec(),
            b"id" if !value.contains(&0) => self.id = value.to_vec(),
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            // A comment (its field is empty), or a field that we have no use for.
            _ => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        self.last_id.clone_from(&self.id);
        // Every data line added a line feed; an event without any is none.
        data.pop()?;
        Some(Event { name, data })
    }
}

/// A time in digits alone; anything else is passed over.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { event: 1000, stream: 100_000 };

    fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
        let mut reader = SseReader::new(LIMITS);
        let text = |bytes| String::from_utf8(bytes).expect("utf-8");
        let read = chunks.into_iter().flat_map(|chunk| reader.push(chunk).expect("within limits"));
        read.map(|event| (text(event.name), text(event.data))).collect()
    }

    fn named(events: &[(&str, &str)]) -> Vec<(String, String)> {
        events.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
    }

    const STREAM: &str = "\u{feff}: hello\r\n\r\nid: 1\r\ndata:\r\n\r\nevent: message\ndata: {\"a\":\ndata:  1}\n\n\
        retry: 100\r\rdata\r\rdata:é:x\r\n\r\nevent: lonely\n\ndata: cut";

    #[test]
    fn every_chunk_boundary_gives_the_same_events() {
        let expected = named(&[("", ""), ("message", "{\"a\":\n 1}"), ("", ""), ("", "é:x")]);
        let bytes = STREAM.as_bytes();
        assert_eq!(read([bytes]), expected);
        assert_eq!(read(bytes.chunks(1)), expected);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(read(chunks), expected, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn an_unfinished_event_is_none() {
        assert_eq!(read([b"data: x".as_slice()]), []);
        assert_eq!(read([b"data: x\n".as_slice()]), []);
        assert_eq!(read([b"data: x\r\n\r".as_slice()]), named(&[("", "x")]));
    }

    #[test]
    fn knows_where_the_stream_could_be_resumed() {
        let mut reader = SseReader::new(LIMITS);
        for (text, id, retry) in [
            ("id: 1\ndata:\n\n", "1", None),
            ("data: x\n\n", "1", None),
            ("id: 2\nretry: 1500\n", "1", Some(1500)),
            ("\n", "2", Some(1500)),
            ("id: a\0b\nretry: soon\n\n", "2", Some(1500)),
            ("id\nretry:\n\n", "", Some(1500)),
            ("retry: 0\n", "", Some(0)),
        ] {
            reader.push(text.as_bytes()).expect("within limits");
            assert_eq!(reader.last_event_id(), id.as_bytes(), "{text:?}");
            assert_eq!(reader.retry(), retry.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut endless_line = SseReader::new(LIMITS);
        assert!((0..1001).any(|_| endless_line.push(b"x").is_err()));
        let mut endless_event = SseReader::new(LIMITS);
        assert!((0..1001).any(|_| endless_event.push(b"data:x\n").is_err()));
        let mut endless_stream = SseReader::new(LIMITS);
        assert!((0..100_001).any(|_| endless_stream.push(b"\n").is_err()));
    }

    proptest! {
        #[test]
        fn no_bytes_can_break_it(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let mut reader = SseReader::new(LIMITS);
            for chunk in &chunks {
                prop_assert!(reader.push(chunk).is_ok());
            }
        }
    }
}
