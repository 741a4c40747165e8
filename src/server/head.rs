//! What the headers of a request say: the session that it names, the revision that it speaks, what its body is.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};

use super::headers::{Single, essence, members, single};
use super::refusal::Refusal;
use crate::mcp::{Head, SessionName, Version};
use crate::protocol::header;
use crate::protocol::revision::{self, Revision};

/// What of a request's head the protocol looks at.
pub(super) fn read(headers: &HeaderMap, address: Option<IpAddr>) -> Head {
    // One that is said twice, and differently, names none.
    let archon = match single(headers, &[header::ARCHON_SESSION]) {
        Single::Value(id) => Some(text(id)),
        Single::Absent | Single::Differs => None,
    };
    let program = headers.get(USER_AGENT).cloned();
    Head { session: session(headers), archon, version: version(headers), address, program }
}

/// Under its name or the guide's alias. An empty header names none.
fn session(headers: &HeaderMap) -> SessionName {
    match single(headers, &[header::SESSION, header::SESSION_ALIAS]) {
        Single::Absent => SessionName::None,
        Single::Value(id) => SessionName::Named(text(id)),
        Single::Differs => SessionName::Two,
    }
}

/// A header's value as a text; an id that is none is refused later.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Whatever is said more than once must hold each time. A header that is there and empty names no revision.
fn version(headers: &HeaderMap) -> Version {
    let mut versions =
        members(headers, header::PROTOCOL_VERSION).map(|version| str::from_utf8(version).ok()).peekable();
    if versions.peek().is_none() && headers.contains_key(header::PROTOCOL_VERSION) {
        return Version::Unknown;
    }
    versions.fold(Version::Spoken, |so_far, version| match version {
        _ if so_far == Version::Modern => so_far,
        Some(version) if revision::is_modern(version) => Version::Modern,
        Some(version) if Revision::parse(version).is_some() => so_far,
        _ => Version::Unknown,
    })
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
        let of = |lines: &[(&'static str, &str)]| session(&headers(lines));
        assert_eq!(of(&[]), SessionName::None);
        assert_eq!(of(&[(header::SESSION, ""), (header::SESSION_ALIAS, " ,")]), SessionName::None);
        let (one, alias) = ((header::SESSION, "abcdefgh"), (header::SESSION_ALIAS, "abcdefgh"));
        for same in [&[one][..], &[alias], &[alias, one], &[one, one], &[(header::SESSION, "abcdefgh , abcdefgh")]] {
            assert_eq!(of(same), SessionName::Named("abcdefgh".to_owned()), "{same:?}");
        }
        for two in [&[one, (header::SESSION_ALIAS, "other-one")][..], &[(header::SESSION, "abcdefgh,ABCDEFGH")]] {
            assert_eq!(of(two), SessionName::Two, "{two:?}");
        }
    }

    #[test]
    fn every_version_that_is_said_must_be_spoken() {
        let of = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| (header::PROTOCOL_VERSION, *line)).collect();
            version(&headers(&lines))
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
