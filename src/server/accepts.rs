//! In which form the client reads its answer.

use http::HeaderMap;
use http::header::ACCEPT;

/// What kinds of answer the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    JsonAlone,
    StreamAlone,
    Both,
}

impl Accepts {
    /// A client that names neither (or sends no header, or `*/*`) gets JSON: the specification asks the client to name
    /// both, and gives the server no duty to refuse one that does not.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let named = |kind: &str| {
            headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains(kind)))
        };
        match (named("application/json") || named("*/*"), named("text/event-stream")) {
            (false, true) => Self::StreamAlone,
            (true, true) => Self::Both,
            (_, false) => Self::JsonAlone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &str) -> Accepts {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, value.parse().expect("header"));
        Accepts::read(&headers)
    }

    #[test]
    fn json_unless_a_stream_is_all_that_is_read() {
        assert_eq!(accepts("application/json, text/event-stream"), Accepts::Both);
        assert_eq!(accepts("text/event-stream"), Accepts::StreamAlone);
        for json in ["application/json", "*/*", "text/html"] {
            assert_eq!(accepts(json), Accepts::JsonAlone, "{json}");
        }
        assert_eq!(Accepts::read(&HeaderMap::new()), Accepts::JsonAlone);
    }
}
