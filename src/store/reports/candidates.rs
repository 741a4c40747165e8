//! From an id, or the beginning of one, to the ids that it may mean.

use uuid::Uuid;

use crate::store::backend::{DbUuid, report};
use crate::store::{Store, StoreError};

/// An id that begins as was typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Candidate {
    /// An Archon session's, or one that is reserved for it.
    Archon(Uuid),
    /// A connection's.
    Connection(String),
}

impl Store {
    /// Ids of either kind that begin like that; a few of each kind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session_candidates(&self, beginning: &str, limit: i64) -> Result<Vec<Candidate>, StoreError> {
        let mut found = Vec::new();
        if let Some((first, last)) = uuids_from(beginning) {
            for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
                let sql = format!(
                    "SELECT DISTINCT session_id FROM {table} WHERE session_id >= $1 AND session_id <= $2 LIMIT $3"
                );
                let ids: Vec<DbUuid> = report!(self, db => sqlx::query_scalar(self.report_text(sql))
                    .bind(DbUuid(first)).bind(DbUuid(last)).bind(limit).fetch_all(db).await)?;
                found.extend(ids.into_iter().map(|id| Candidate::Archon(id.0)));
            }
        }
        let ids: Vec<String> = report!(self, db => sqlx::query_scalar(self.report_text(
            "SELECT protocol_session_id FROM archon_mcp_protocol_sessions \
             WHERE protocol_session_id >= $1 AND protocol_session_id < $2 LIMIT $3"))
            .bind(beginning).bind(format!("{beginning}{}", char::MAX)).bind(limit).fetch_all(db).await)?;
        found.extend(ids.into_iter().map(Candidate::Connection));
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// The first and the last UUID that are written like that at their beginning, with or without hyphens.
fn uuids_from(beginning: &str) -> Option<(Uuid, Uuid)> {
    let beginning = beginning.to_ascii_lowercase();
    let digits: String = beginning.chars().filter(|c| *c != '-').collect();
    let fill = |with: &str| {
        let missing = 32usize.checked_sub(digits.len())?;
        Uuid::try_parse(&(digits.clone() + &with.repeat(missing))).ok()
    };
    let (first, last) = (fill("0")?, fill("f")?);
    let is_beginning = !beginning.contains('-') || first.to_string().starts_with(&beginning);
    is_beginning.then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_a_range() {
        let range = |text: &str| uuids_from(text).map(|(a, b)| (a.to_string(), b.to_string()));
        let of = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        let whole = "550e8400-e29b-41d4-a716-446655440000";
        assert_eq!(range(whole), of(whole, whole));
        let some = of("550e8400-e200-0000-0000-000000000000", "550e8400-e2ff-ffff-ffff-ffffffffffff");
        for text in ["550e8400-e2", "550e8400e2", "550E8400-E2"] {
            assert_eq!(range(text), some, "{text}");
        }
        for text in ["xyz", "55-0e", "550e8400-e29b-41d4-a716-4466554400001", "é"] {
            assert_eq!(range(text), None, "{text}");
        }
    }
}
