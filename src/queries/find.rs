//! From what somebody typed to one session: an id of either kind, or the beginning of one that only one session has.

use uuid::Uuid;

use super::Queries;
use crate::store::StoreError;
use crate::store::reports::sessions::Candidate;

/// So many sessions are looked up and named when an id is ambiguous.
const NAMED: i64 = 10;

/// A session that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The Archon session's id, or the one reserved for it.
    pub session_id: Uuid,
    /// The protocol session, if it was named by its own id.
    pub protocol_session_id: Option<String>,
}

/// What an id, or the beginning of one, leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// One session.
    One(Found),
    /// Several begin like that: the ids, of which there may be more.
    Several(Vec<String>),
    /// None.
    Nothing,
}

impl Queries {
    /// Finds the session that an id or its beginning means.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(&self, typed: &str) -> Result<Search, StoreError> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Ok(Search::Nothing);
        }
        Ok(choose(self.store.session_candidates(typed, NAMED).await?, typed))
    }
}

fn choose(candidates: Vec<Candidate>, typed: &str) -> Search {
    let id_of = |c: &Candidate| c.protocol_session_id.clone().unwrap_or_else(|| c.session_id.clone());
    let found = |c: &Candidate| {
        let session_id = Uuid::parse_str(&c.session_id).ok()?;
        Some(Found { session_id, protocol_session_id: c.protocol_session_id.clone() })
    };
    // A whole id is that session's, whatever else begins with it.
    let whole = candidates.iter().find(|c| id_of(c).eq_ignore_ascii_case(typed));
    let one = whole.or(if let [one] = candidates.as_slice() { Some(one) } else { None });
    if let Some(found) = one.and_then(found) {
        return Search::One(found);
    }
    if candidates.is_empty() { Search::Nothing } else { Search::Several(candidates.iter().map(id_of).collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "550e8400-e29b-41d4-a716-446655440000";
    const B: &str = "550e8400-ffff-41d4-a716-446655440000";

    fn candidate(session: &str, protocol: Option<&str>) -> Candidate {
        Candidate { session_id: session.into(), protocol_session_id: protocol.map(Into::into) }
    }

    #[test]
    fn one_several_or_none() {
        let one = |protocol: Option<&str>| {
            Search::One(Found { session_id: A.parse().expect("an id"), protocol_session_id: protocol.map(Into::into) })
        };
        assert_eq!(choose(vec![], "5"), Search::Nothing);
        assert_eq!(choose(vec![candidate(A, None)], "5"), one(None));
        assert_eq!(choose(vec![candidate(A, Some("p-1"))], "p"), one(Some("p-1")));
        let several = Search::Several(vec![A.into(), B.into()]);
        assert_eq!(choose(vec![candidate(A, None), candidate(B, None)], "55"), several);
        let longer = vec![candidate(A, Some("p-1")), candidate(B, Some("p-10"))];
        assert_eq!(choose(longer, "p-1"), one(Some("p-1")), "a whole id goes before the beginning of another");
    }
}
