//! What the headers of a request say: the session that it names, the revision that it speaks, what its body is.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::headers::{Single, essence, members, single};
use super::refusal::Refusal;
use crate::protocol::header;
use crate::protocol::revision::{self, Revision};

/// The session that a request names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Session {
    None,
    Named(String),
    /// Two that differ are a mistake that nobody should guess about.
    Two,
}

/// What the version header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Nothing, or revisions that we speak.
    Spoken,
    Modern,
    Unknown,
}

impl Session {
    /// Under its name or the guide's alias. An empty header names none.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match single(headers, &[header::SESSION, header::SESSION_ALIAS]) {
            Single::Absent => Self::None,
            Single::Value(id) => Self::Named(text(id)),
            Single::Differs => Self::Two,
        }
    }

    /// The id, where a request needs one.
    pub(super) fn named(&self) -> Result<&str, Refusal> {
        self.if_any()?.ok_or_else(Refusal::no_session)
    }

    /// The id, where one may come along.
    pub(super) fn if_any(&self) -> Result<Option<&str>, Refusal> {
        match self {
            Self::None => Ok(None),
            Self::Named(id) => Ok(Some(id)),
            Self::Two => Err(Refusal::two_sessions()),
        }
    }
}

/// A header's value as a text; an id that is none is refused later.
pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

impl Version {
    /// Whatever is said more than once must hold each time. A header that is there and empty names no revision.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut versions =
            members(headers, header::PROTOCOL_VERSION).map(|version| str::from_utf8(version).ok()).peekable();
        if versions.peek().is_none() && headers.contains_key(header::PROTOCOL_VERSION) {
            return Self::Unknown;
        }
        versions.fold(Self::Spoken, |so_far, version| match version {
            _ if so_far == Self::Modern => so_far,
            Some(version) if revision::is_modern(version) => Self::Modern,
            Some(version) if Revision::parse(version).is_some() => so_far,
            _ => Self::Unknown,
        })
    }
}

/// JSON, as it is.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut kinds = members(headers, CONTENT_TYPE.as_str()).peekable();
    if kinds.peek().is_none() || !kinds.all(|kind| essence(kind).eq_ignore_ascii_case(b"application/json")) {
        return Err(Refusal::content_type());
    }
    let mut encodings = members(headers, CONTENT_ENCODING.as_str());
    if encodings.all(|encoding| encoding.eq_ignore_ascii_case(b"identity")) {
        Ok(())
    } else {
        Err(Refusal::content_encoding())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn an_alias_is_one_id_and_two_that_differ_are_none() {
        let of = |lines: &[(&'static str, &str)]| Session::of(&headers(lines));
        assert_eq!(of(&[]), Session::None);
        assert_eq!(of(&[(header::SESSION, ""), (header::SESSION_ALIAS, " ,")]), Session::None);
        let (one, alias) = ((header::SESSION, "abcdefgh"), (header::SESSION_ALIAS, "abcdefgh"));
        for same in [&[one][..], &[alias], &[alias, one], &[one, one], &[(header::SESSION, "abcdefgh , abcdefgh")]] {
            assert_eq!(of(same), Session::Named("abcdefgh".to_owned()), "{same:?}");
        }
        for two in [&[one, (header::SESSION_ALIAS, "other-one")][..], &[(header::SESSION, "abcdefgh,ABCDEFGH")]] {
            assert_eq!(of(two), Session::Two, "{two:?}");
        }
    }

    #[test]
    fn every_version_that_is_said_must_be_spoken() {
        let of = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| (header::PROTOCOL_VERSION, *line)).collect();
            Version::of(&headers(&lines))
        };
        for spoken in [&[][..], &["2025-11-25"], &["2025-11-25,\t2025-06-18 ,"], &["2024-11-05", "", "2025-03-26"]] {
            assert_eq!(of(spoken), Version::Spoken, "{spoken:?}");
        }
        for modern in [&["2026-07-28"][..], &["1999-01-01, 2026-07-28"], &["2027-01-01", "x"]] {
            assert_eq!(of(modern), Version::Modern, "{modern:?}");
        }
        for unknown in [&[""][..], &[" , "], &["2025-11-25, 2025-11-26"], &["\u{e9}", "2025-11-25"], &["2025-11-25x"]] {
            assert_eq!(of(unknown), Version::Unknown, "{unknown:?}");
        }
    }

    #[test]
    fn a_body_is_json_as_it_is() {
        let status = |lines: &[(&'static str, &str)]| require_json(&headers(lines)).map_err(|r| r.status.as_u16());
        let (kind, encoding) = ("content-type", "content-encoding");
        for json in
            ["application/json", "APPLICATION/Json ; charset=\"a,b;c\"", "application/json,application/json;x=1"]
        {
            assert_eq!(status(&[(kind, json), (kind, json)]), Ok(()), "{json}");
            for identity in ["identity", "IDENTITY , identity", ""] {
                assert_eq!(status(&[(kind, json), (encoding, identity)]), Ok(()), "{identity}");
            }
            for coding in ["gzip", "identity, br", "X-GZIP", "utf-8"] {
                assert_eq!(status(&[(kind, json), (encoding, coding)]), Err(415), "{coding}");
                assert_eq!(status(&[(encoding, "identity"), (kind, json), (encoding, coding)]), Err(415), "{coding}");
            }
            assert_eq!(status(&[(kind, json), (kind, "text/plain")]), Err(415));
        }
        for other in ["", " , ", "application/json, text/plain", "application/json+x", ";application/json"] {
            assert_eq!(status(&[(kind, other)]), Err(415), "{other}");
        }
    }
}
