//! From what somebody typed to one session: an id of either kind, or the beginning of one that only one session has.

use uuid::Uuid;

use super::Queries;
use crate::store::StoreError;
use crate::store::reports::candidates::Candidate;

/// So many sessions are looked up and named when an id is ambiguous.
const NAMED: usize = 10;

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
    /// Several begin like that: some of the ids, and whether there are more.
    Several(Vec<String>, bool),
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
        // One more tells whether there are more.
        let limit = i64::try_from(NAMED + 1).unwrap_or(i64::MAX);
        Ok(choose(&self.store.session_candidates(typed, limit).await?, typed))
    }
}

fn choose(candidates: &[Candidate], typed: &str) -> Search {
    let id_of = |c: &Candidate| c.protocol_session_id.clone().unwrap_or_else(|| c.session_id.clone());
    let found = |c: &Candidate| {
        let session_id = Uuid::parse_str(&c.session_id).ok()?;
        Some(Found { session_id, protocol_session_id: c.protocol_session_id.clone() })
    };
    // A whole id is that session's, whatever else begins with it.
    let whole = candidates.iter().find(|c| id_of(c).eq_ignore_ascii_case(typed));
    // An Archon session stands before its protocol sessions, and if all are one session, it is the one.
    let first = candidates.first().filter(|first| candidates.iter().all(|c| c.session_id == first.session_id));
    let is_one = candidates.len() == 1 || first.is_some_and(|first| first.protocol_session_id.is_none());
    let one = whole.or(first.filter(|_| is_one));
    if let Some(found) = one.and_then(found) {
        return Search::One(found);
    }
    if candidates.is_empty() {
        return Search::Nothing;
    }
    Search::Several(candidates.iter().take(NAMED).map(id_of).collect(), candidates.len() > NAMED)
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
        assert_eq!(choose(&[], "5"), Search::Nothing);
        assert_eq!(choose(&[candidate(A, None)], "5"), one(None));
        assert_eq!(choose(&[candidate(A, Some("p-1"))], "p"), one(Some("p-1")));
        assert_eq!(choose(&[candidate(A, None), candidate(A, Some("55"))], "5"), one(None), "both are one session");
        let several = Search::Several(vec![A.into(), B.into()], false);
        assert_eq!(choose(&[candidate(A, None), candidate(B, None)], "55"), several);
        let two = [candidate(A, Some("p-1")), candidate(A, Some("p-2"))];
        assert!(matches!(choose(&two, "p"), Search::Several(..)), "two protocol sessions of one session");
        let longer = [candidate(A, Some("p-1")), candidate(B, Some("p-10"))];
        assert_eq!(choose(&longer, "p-1"), one(Some("p-1")), "a whole id goes before the beginning of another");
        let many: Vec<_> = (0..=NAMED).map(|n| candidate(A, Some(&format!("p-{n}")))).collect();
        assert!(matches!(choose(&many, "p-"), Search::Several(ids, true) if ids.len() == NAMED));
    }
}
