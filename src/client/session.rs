//! What a client knows of its session, and the ids that can be one's (legacy era, basic/transports).

use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::debug;

use crate::protocol::header::{ARCHON_SESSION, PROTOCOL_VERSION, SESSION};
use crate::protocol::initialize::Implementation;
use crate::protocol::revision::Revision;

use super::error::ProtocolError;
use super::options_error::OptionsError;

/// A session as its client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The protocol session (`Mcp-Session-Id`); `None` when the server keeps none.
    pub id: Option<String>,
    /// The Archon session (`X-Archon-Session-Id`); `None` when the server is not of our kind.
    pub archon_id: Option<String>,
    /// The revision agreed on; `None` when somebody else agreed on it. A server knows that of its sessions.
    pub revision: Option<Revision>,
    /// The server's name and version; empty where they are not known.
    pub server: Implementation,
}

impl Session {
    /// A session that somebody else opened and of which the ids are known.
    ///
    /// # Errors
    /// When an id cannot be one: visible ASCII, as the specification says.
    pub fn given(id: Option<String>, archon_id: Option<String>) -> Result<Self, OptionsError> {
        for id in id.iter().chain(&archon_id) {
            check_id(id)?;
        }
        Ok(Self { id, archon_id, revision: None, server: Implementation::default() })
    }

    /// What every request in this session carries.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = archon_header(self.archon_id.as_deref());
        insert(&mut headers, PROTOCOL_VERSION, self.revision.map(Revision::as_str));
        insert(&mut headers, SESSION, self.id.as_deref());
        headers
    }
}

/// The protocol session that a server has opened, if it keeps any. An id that we would refuse later is refused here.
pub(super) fn protocol_id(headers: &HeaderMap) -> Result<Option<String>, ProtocolError> {
    let Some(value) = headers.get(SESSION).filter(|value| !value.is_empty()) else { return Ok(None) };
    let id = String::from_utf8_lossy(value.as_bytes()).into_owned();
    match check_id(&id) {
        Ok(()) => Ok(Some(id)),
        Err(_) => Err(ProtocolError::SessionId { id }),
    }
}

/// The Archon session of an answer. What can be none is passed over: no server needs to hear it again.
pub(super) fn archon_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(ARCHON_SESSION)?.to_str().ok()?;
    let is_one = check_id(id).is_ok();
    if !is_one {
        debug!("passing over {id:?}, which is no Archon session's id");
    }
    is_one.then(|| id.to_owned())
}

/// What an Archon session is named by; nothing where there is none.
pub(super) fn archon_header(id: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    insert(&mut headers, ARCHON_SESSION, id);
    headers
}

/// Texts that came out of headers, or were looked at by [`check_id`], fit into headers.
fn insert(headers: &mut HeaderMap, name: &'static str, text: Option<&str>) {
    if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Whether a text can be a session id of any server (basic/transports: 0x21 to 0x7E).
pub(super) fn check_id(id: &str) -> Result<(), OptionsError> {
    let visible = !id.is_empty() && id.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if visible { Ok(()) } else { Err(OptionsError::SessionId { id: id.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_cannot_be_sent_back_is_refused_where_it_is_given() {
        let given = |id: &[u8]| {
            let value = HeaderValue::from_bytes(id).expect("a header");
            protocol_id(&HeaderMap::from_iter([(HeaderName::from_static(SESSION), value)]))
        };
        assert!(matches!(given(b"a"), Ok(Some(id)) if id == "a"));
        assert!(matches!(given(b""), Ok(None)) && matches!(protocol_id(&HeaderMap::new()), Ok(None)));
        for bad in [b"a b".as_slice(), b"a\tb", "\u{e9}".as_bytes(), b"a\xff"] {
            assert!(matches!(given(bad), Err(ProtocolError::SessionId { .. })), "{bad:?}");
        }
        let archon = |id: &str| {
            archon_id(&HeaderMap::from_iter([(HeaderName::from_static(ARCHON_SESSION), id.parse().expect("a header"))]))
        };
        assert_eq!((archon("archon-1").as_deref(), archon("archon 1")), (Some("archon-1"), None));
    }

    #[test]
    fn an_id_is_visible_ascii() {
        let given = |id: &str| Session::given(Some(id.to_owned()), None);
        assert!(given("a").is_ok_and(|s| s.headers()[SESSION] == "a" && s.headers().len() == 1));
        for bad in ["", "a b", "a\n", "\u{e9}"] {
            assert!(given(bad).is_err() && Session::given(None, Some(bad.to_owned())).is_err(), "{bad:?}");
        }
    }
}
