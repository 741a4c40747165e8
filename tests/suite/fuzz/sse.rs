//! Event streams, against a reading of the whole text by the words of the specification (WHATWG HTML, section 9.2).

use archonctl::client::sse::{Event, Limits, SseReader};

use super::driver::{Target, hold};

const TARGET: Target = Target {
    folders: &["tests/corpus/sse"],
    words: &[
        "data:", "data: ", "event: ", "id: 1", "retry: ", ": ", "\n", "\r", "\r\n", "\n\n", "\r\r", "\u{feff}", "é",
        "\0",
    ],
    cases: 4000,
};
const LIMITS: Limits = Limits { event: 512, stream: 4096 };

/// The events of a stream, or `None` where it outgrew a limit.
fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<Event>> {
    let mut reader = SseReader::new(LIMITS);
    let mut events = Vec::new();
    for chunk in chunks {
        events.extend(reader.push(chunk).ok()?);
    }
    Some(events)
}

/// All at once, line by line; without limits.
fn plainly(stream: &[u8]) -> Vec<Event> {
    let text = stream.strip_prefix("\u{feff}".as_bytes()).unwrap_or(stream);
    let (mut events, mut name, mut data, mut rest) = (vec![], vec![], Vec::<&[u8]>::new(), text);
    // What has no line break at its end is not a line yet.
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let line = &rest[..end];
        let width = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + width..];
        if line.is_empty() {
            if !data.is_empty() {
                events.push(Event { name: name.clone(), data: data.join(&b'\n') });
            }
            (name, data) = (vec![], vec![]);
            continue;
        }
        let (field, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
        let value = value.strip_prefix(b": ").or_else(|| value.strip_prefix(b":")).unwrap_or(value);
        match field {
            b"data" => data.push(value),
            b"event" => name = value.to_vec(),
            _ => {}
        }
    }
    events
}

/// Cuts of a length that changes all the time, always the same for the same stream.
fn cut(mut stream: &[u8], mut seed: usize) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    while !stream.is_empty() {
        seed = seed.wrapping_mul(31).wrapping_add(7);
        let (chunk, rest) = stream.split_at((seed % 11).min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}

#[test]
fn sse() {
    hold(&TARGET, |stream| {
        let whole = read([stream]);
        assert_eq!(whole, read(stream.chunks(1)), "byte by byte");
        assert_eq!(whole, read(cut(stream, stream.len())), "in chunks");
        match whole {
            Some(events) => {
                assert_eq!(events, plainly(stream));
                let kept = |event: &Event| event.name.len() + event.data.len();
                assert!(
                    events.iter().all(|event| kept(event) <= LIMITS.event + 1),
                    "more than may be kept of an event"
                );
                let written: Vec<u8> = events.iter().flat_map(written).collect();
                let mut unlimited = SseReader::new(Limits { event: 1 << 20, stream: 1 << 20 });
                assert_eq!(unlimited.push(&written).expect("within limits"), events, "written anew");
            }
            // Refused is only what is large.
            None => assert!(stream.len() > LIMITS.event),
        }
    });
}

fn written(event: &Event) -> Vec<u8> {
    let lines = event.data.split(|byte| *byte == b'\n').flat_map(|line| [b"data: ", line, b"\n"].concat());
    [b"event: ", event.name.as_slice(), b"\n"].concat().into_iter().chain(lines).chain(*b"\n").collect()
}
