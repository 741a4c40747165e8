//! In which form the client reads its answer: `Accept` by the rules of RFC 9110, 12.5.1.

use http::HeaderMap;

use super::headers::{essence, members, split};

/// What kinds of answer the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    JsonAlone,
    StreamAlone,
    Both,
    /// It says of JSON that it does not read it, and reads no stream.
    Neither,
}

/// What the header says of one kind: the range that fits it best decides.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    /// 0 where no range fits it, 1 for `*/*`, 2 for its type, 3 for itself.
    fits: u8,
    accepted: bool,
}

impl Accepts {
    /// A client that names neither (or sends no header, or `*/*`) gets JSON: the specification asks the client to name
    /// both, and gives the server no duty to refuse one that does not. It gets a stream only if it names that.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let (mut json, mut stream) = (Said::default(), Said::default());
        for range in members(headers, "accept") {
            let kind = essence(range);
            let accepted = !split(range, b';').skip(1).any(is_zero_quality);
            json.hears(kind, b"application", b"json", accepted);
            stream.hears(kind, b"text", b"event-stream", accepted);
        }
        match (json.accepted, stream.accepted) {
            (true, true) if stream.fits > 1 => Self::Both,
            (false, true) => Self::StreamAlone,
            (false, false) if json.fits > 0 => Self::Neither,
            _ => Self::JsonAlone,
        }
    }
}

impl Said {
    fn hears(&mut self, range: &[u8], kind: &[u8], subtype: &[u8], accepted: bool) {
        let mut halves = range.splitn(2, |byte| *byte == b'/').map(<[u8]>::trim_ascii);
        let (Some(first), Some(second)) = (halves.next(), halves.next()) else { return };
        let fits = match (first, second) {
            (b"*", b"*") => 1,
            _ if !first.eq_ignore_ascii_case(kind) => return,
            (_, b"*") => 2,
            _ if second.eq_ignore_ascii_case(subtype) => 3,
            _ => return,
        };
        if fits > self.fits {
            *self = Self { fits, accepted };
        } else if fits == self.fits {
            self.accepted |= accepted;
        }
    }
}

/// `q=0`, with up to three zeros behind a point.
fn is_zero_quality(parameter: &[u8]) -> bool {
    let mut halves = parameter.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
    let (Some(name), Some(value)) = (halves.next(), halves.next()) else { return false };
    name.eq_ignore_ascii_case(b"q") && value.starts_with(b"0") && value.iter().all(|byte| b"0.".contains(byte))
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;

    use super::*;

    fn accepts(lines: &[&str]) -> Accepts {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, line.parse().expect("header"));
        }
        Accepts::read(&headers)
    }

    #[test]
    fn json_unless_a_stream_is_all_that_is_read() {
        let both = ["application/json, text/event-stream", "text/event-stream,*/*;q=0.1", "text/*, application/*;q=.5"];
        for both in both {
            assert_eq!(accepts(&[both]), Accepts::Both, "{both}");
        }
        assert_eq!(accepts(&["TEXT/EVENT-STREAM", "Application/JSON ; q=0.001"]), Accepts::Both);
        for json in ["application/json", "*/*", "text/html", "", "application/*", "text/event-stream;q=0", "json"] {
            assert_eq!(accepts(&[json]), Accepts::JsonAlone, "{json}");
        }
        assert_eq!(accepts(&[]), Accepts::JsonAlone);
    }

    #[test]
    fn the_range_that_fits_best_decides() {
        let streams = [
            "text/event-stream",
            "Text/Event-Stream ;q=0.5",
            "text/*",
            "*/*, application/json; Q = 0.000",
            "text/event-stream, */*;q=0",
        ];
        for stream in streams {
            assert_eq!(accepts(&[stream]), Accepts::StreamAlone, "{stream}");
        }
        assert_eq!(accepts(&["application/json;q=0", "text/event-stream"]), Accepts::StreamAlone);
        for json in ["*/*;q=0, application/json", "application/*;q=0, application/json;q=1", "application/json;q=00.1"]
        {
            assert_eq!(accepts(&[json]), Accepts::JsonAlone, "{json}");
        }
        for neither in ["application/json;q=0", "*/*;q=0", "application/*;q=0.0, text/html"] {
            assert_eq!(accepts(&[neither]), Accepts::Neither, "{neither}");
        }
    }
}
