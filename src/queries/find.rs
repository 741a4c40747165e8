//! From what somebody typed to one session: an id of either kind, or the beginning of one that only one session has.

use uuid::Uuid;

use super::Queries;
use super::sessions::{Session, State};
use crate::store::StoreError;
use crate::store::reports::candidates::Candidate;

/// The number of ids that are looked up and named when one is ambiguous.
const NAMED: usize = 10;

/// A session that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The Archon session, if its id was typed: its own, or one that is reserved for it.
    pub session_id: Option<Uuid>,
    /// Its connections. Of an Archon session those that are bound to it and the one that opened it: live ones first, and of
    /// those the one that opened it. None for an Archon session without a connection.
    pub connections: Vec<String>,
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

impl Found {
    /// The connection that is meant, if there is one.
    pub fn connection(&self) -> Option<&str> {
        self.connections.first().map(String::as_str)
    }
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
        let mut candidates = self.store.session_candidates(typed, limit).await?;
        // A whole id is that session's, whatever else begins with it.
        if let Some(whole) = candidates.iter().position(|c| id_of(c).eq_ignore_ascii_case(typed)) {
            candidates = vec![candidates.swap_remove(whole)];
        }
        let (named, more) = (candidates.iter().take(NAMED).map(id_of).collect(), candidates.len() > NAMED);
        let mut found = Vec::new();
        if !more {
            for candidate in candidates {
                found.push(self.found(candidate).await?);
            }
        }
        Ok(match chosen(found) {
            Some(one) => Search::One(one),
            None if named == Vec::<String>::new() => Search::Nothing,
            None => Search::Several(named, more),
        })
    }

    /// The sessions that an id means, live or not: the connections of an Archon session; and itself as a line of its own, if
    /// it is live and none of them is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn meant(&self, found: &Found) -> Result<Vec<Session>, StoreError> {
        let moment = self.moment().await?;
        let mut sessions = Vec::new();
        for id in &found.connections {
            let row = self.store.connection_row(id).await?;
            sessions.extend(row.map(|row| Session::of(row, &moment)));
        }
        if let Some(id) = found.session_id.filter(|_| sessions.iter().all(|s| s.state == State::Ended)) {
            let row = self.store.archon_row(id).await?;
            let alone = row.map(|row| Session::of(row, &moment));
            sessions.extend(alone.filter(|alone| sessions.is_empty() || alone.state != State::Ended));
        }
        Ok(sessions)
    }

    async fn found(&self, candidate: Candidate) -> Result<Found, StoreError> {
        Ok(match candidate {
            Candidate::Archon(id) => Found { session_id: Some(id), connections: self.store.connections_of(id).await? },
            Candidate::Connection(id) => Found { session_id: None, connections: vec![id] },
        })
    }
}

fn id_of(candidate: &Candidate) -> String {
    match candidate {
        Candidate::Archon(id) => id.to_string(),
        Candidate::Connection(id) => id.clone(),
    }
}

/// The one that all of them mean, if they are of one session.
fn chosen(mut found: Vec<Found>) -> Option<Found> {
    if found.len() < 2 {
        return found.pop();
    }
    let line = found.first()?.connection()?.to_owned();
    let is_one = found.iter().all(|found| found.connection() == Some(&line));
    // Whatever ids of it begin like that, the connection is meant.
    is_one.then(|| Found { session_id: None, connections: vec![line] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_connection_mean_the_connection() {
        let archon = |n: u128, connections: &[&str]| Found {
            session_id: Some(Uuid::from_u128(n)),
            connections: connections.iter().map(|id| (*id).to_owned()).collect(),
        };
        let connection = |id: &str| Found { session_id: None, connections: vec![id.to_owned()] };
        assert_eq!(chosen(vec![]), None);
        assert_eq!(chosen(vec![archon(1, &[])]), Some(archon(1, &[])));
        assert_eq!(chosen(vec![archon(1, &["p"])]), Some(archon(1, &["p"])));
        assert_eq!(
            chosen(vec![archon(1, &["p"]), archon(2, &["p", "q"])]),
            Some(connection("p")),
            "one after the other"
        );
        assert_eq!(chosen(vec![archon(1, &["p"]), connection("p")]), Some(connection("p")));
        assert_eq!(chosen(vec![archon(1, &["p"]), archon(2, &["q"])]), None);
        assert_eq!(chosen(vec![archon(1, &[]), archon(2, &[])]), None);
        assert_eq!(chosen(vec![connection("p"), connection("p-1")]), None);
    }
}
