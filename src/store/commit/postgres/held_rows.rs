//! Which rows that a batch needs somebody else's open transaction holds, on PostgreSQL.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::json;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::store::backend::{StoreError, order};
use crate::store::commit::aside::HeldRows;
use crate::store::rows::Write;

/// Archon sessions of `$1` to which request rows refer: nobody may be about to remove them, or hold them `FOR UPDATE`.
const REFERRED: &str = "SELECT session_id FROM archon_mcp_sessions WHERE session_id IN ( \
     SELECT CAST(id AS UUID) FROM jsonb_array_elements_text($1::jsonb) AS id LIMIT jsonb_array_length($1::jsonb))";

/// Requests from before their Archon session, of the connections of `$2` and of all that are bound to an Archon session of
/// `$1`: whoever takes that up adopts those of all of them.
const ADOPTED: &str = "SELECT r.id, p.protocol_session_id, p.session_id FROM archon_mcp_requests r \
     JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = r.protocol_session_id \
     WHERE r.session_id IS NULL AND p.protocol_session_id IN ( \
         (SELECT c.id COLLATE \"C\" FROM jsonb_array_elements_text($2::jsonb) AS c (id) LIMIT jsonb_array_length($2::jsonb)) \
         UNION (SELECT o.protocol_session_id FROM ( \
                 SELECT CAST(c.id AS UUID) FROM jsonb_array_elements_text($1::jsonb) AS c (id) \
                 LIMIT jsonb_array_length($1::jsonb)) AS a (id) \
             JOIN archon_mcp_protocol_sessions o ON o.session_id = a.id))";

/// Archon sessions of the connections of `$1`, which may end with them.
const ENDED: &str = "SELECT p.protocol_session_id, s.session_id FROM archon_mcp_sessions s \
     JOIN archon_mcp_protocol_sessions p ON p.session_id = s.session_id \
     WHERE p.protocol_session_id IN ( \
         SELECT c.id COLLATE \"C\" FROM jsonb_array_elements_text($1::jsonb) AS c (id) LIMIT jsonb_array_length($1::jsonb))";

/// The same rows, but for those that somebody holds.
static BOUND_FREE: LazyLock<String> =
    LazyLock::new(|| format!("{REFERRED} ORDER BY session_id FOR NO KEY UPDATE SKIP LOCKED"));
static REFERRED_FREE: LazyLock<String> =
    LazyLock::new(|| format!("{REFERRED} ORDER BY session_id FOR KEY SHARE SKIP LOCKED"));
static ADOPTED_FREE: LazyLock<String> =
    LazyLock::new(|| format!("{ADOPTED} ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED"));
static ENDED_FREE: LazyLock<String> =
    LazyLock::new(|| format!("{ENDED} ORDER BY s.session_id FOR NO KEY UPDATE OF s SKIP LOCKED"));

/// The sessions of a batch by what is done to their rows.
#[derive(Default)]
struct Needed {
    /// Archon sessions that rows refer to.
    referred: HashSet<Uuid>,
    /// Archon sessions that are made, or taken up.
    bound: HashSet<Uuid>,
    /// Connections that take one up.
    binding: HashSet<String>,
    /// Connections that end.
    ending: HashSet<String>,
}

impl Needed {
    fn by<'a>(writes: impl Iterator<Item = &'a Write>) -> Self {
        let mut needed = Self::default();
        for write in writes {
            match write {
                Write::Request(row) => needed.referred.extend(row.session_id),
                Write::Create(row) => needed.bind(row.session_id, &row.protocol_session_id),
                Write::Bind(row) => needed.bind(row.session_id, &row.protocol_session_id),
                Write::Withdraw(row) => needed.ending.extend(storable(row.id())),
                Write::Open(_) | Write::Event(_) | Write::Barrier => {}
            }
        }
        needed
    }

    fn bind(&mut self, archon: Uuid, connection: &str) {
        self.bound.insert(archon);
        self.binding.extend(storable(connection));
    }
}

/// What the database cannot store it does not have, and would refuse to look for.
fn storable(id: &str) -> Option<String> {
    (!id.contains('\0')).then(|| id.to_owned())
}

/// Looks which rows are held, and takes the locks of those that are not; nobody is waited for.
pub(super) async fn held_rows<'a>(
    connection: &mut PgConnection,
    writes: impl Iterator<Item = &'a Write>,
) -> Result<HeldRows, StoreError> {
    let needed = Needed::by(writes);
    let mut held = HeldRows::default();
    let [referred, bound] = [&needed.referred, &needed.bound].map(|ids| json!(ids).to_string());
    let connections = json!(needed.binding.union(&needed.ending).collect::<Vec<_>>()).to_string();
    for (ids, free) in [(&bound, &BOUND_FREE), (&referred, &REFERRED_FREE)] {
        let rows = difference::<(Uuid,)>(connection, (free, REFERRED), &[ids]).await?;
        held.archon.extend(rows.into_iter().map(|row| row.0));
    }
    let ending = json!(needed.ending).to_string();
    let ended = difference::<(String, Uuid)>(connection, (&ENDED_FREE, ENDED), &[&ending]).await?;
    held.connections.extend(ended.into_iter().map(|(id, _)| id.into()));
    let pairs: (&'static str, &'static str) = (&order::FREE_PAIRS, &order::THERE_PAIRS);
    let bound_to = difference::<(String, Uuid)>(connection, pairs, &[&bound, &connections]).await?;
    let binding = json!(needed.binding).to_string();
    let adopted = difference::<(i64, String, Uuid)>(connection, (&ADOPTED_FREE, ADOPTED), &[&bound, &binding]).await?;
    for (id, archon) in bound_to.into_iter().chain(adopted.into_iter().map(|(_, id, archon)| (id, archon))) {
        held.connections.insert(id.into());
        // Who takes up the same one needs this connection, too.
        held.archon.extend(needed.bound.get(&archon));
    }
    Ok(held)
}

/// The rows that are there and not free.
async fn difference<R>(
    connection: &mut PgConnection,
    (free, there): (&'static str, &'static str),
    bound: &[&String],
) -> Result<Vec<R>, StoreError>
where
    R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin + Eq + std::hash::Hash,
{
    let mut found = [const { Vec::new() }; 2];
    for (sql, found) in [free, there].into_iter().zip(&mut found) {
        let query = bound.iter().fold(sqlx::query_as::<_, R>(sql), |query, ids| query.bind(*ids));
        *found = query.fetch_all(&mut *connection).await?;
    }
    let [free, there] = found;
    let free: HashSet<R> = free.into_iter().collect();
    Ok(there.into_iter().filter(|row| !free.contains(row)).collect())
}
