//! Many sessions that an operator ends together, in one transaction a chunk.

use serde_json::json;
use uuid::Uuid;

use super::backend::transact;
use super::ending::Ending;
use super::order::lock_in_order;
use super::reaping::Reaped;
use super::statements::{self, json as rows_of};
use super::{Store, StoreError};

impl Store {
    /// Ends Archon sessions (their connections end with them), and connections. Those that have
    /// ended already stay as they are. With a `note` each end has one more event, which tells why in the operator's words.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn end_together(
        &self,
        archon: &[Uuid],
        protocol: &[String],
        ending: Ending<'_>,
        note: Option<&str>,
    ) -> Result<Reaped, StoreError> {
        let dialect = self.dialect();
        // Sorted, so that two who end sessions lock rows in the same order.
        let (mut archon, mut protocol) = (archon.to_vec(), protocol.to_vec());
        archon.sort_unstable();
        protocol.sort_unstable();
        let row = |key: &str, id: String| {
            json!({
                key: id, "status": ending.reason.status().as_str(), "disconnected_at": ending.at.sql_text(),
                "disconnect_reason": ending.reason.as_str(), "ended_by": ending.by,
            })
        };
        let (archon_ids, protocol_ids) = (archon.clone(), protocol.clone());
        let archon: Vec<_> = archon.iter().map(|id| row("session_id", id.to_string())).collect();
        let protocol: Vec<_> = protocol.into_iter().map(|id| row("protocol_session_id", id)).collect();
        let ids = json!(archon_ids).to_string();
        let protocol_ids = json!(protocol_ids).to_string();
        transact!(self, tx => async {
            lock_in_order!(dialect, tx, &ids, &protocol_ids);
            let mut ended = [Vec::new(), Vec::new()];
            let of = [(statements::END_ARCHON, rows_of(&archon)), (statements::END_PROTOCOL, rows_of(&protocol))];
            for (ended, (statement, rows)) in ended.iter_mut().zip(of) {
                if let Some(rows) = rows {
                    *ended = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(statement.sql(dialect)))
                        .bind(rows).fetch_all(&mut *tx).await?;
                }
            }
            let [archon, protocol] = ended;
            if let Some(note) = note {
                let event = |key: &str, id: &String| {
                    json!({"at": ending.at.sql_text(), "kind": "expire", key: id, "reason": note, "actor": ending.by})
                };
                let events: Vec<_> = archon.iter().map(|id| event("session_id", id))
                    .chain(protocol.iter().map(|id| event("protocol_session_id", id))).collect();
                if let Some(rows) = rows_of(&events) {
                    let sql = sqlx::AssertSqlSafe(statements::EVENT.sql(dialect));
                    sqlx::query(sql).bind(rows).execute(&mut *tx).await?;
                }
            }
            let archon = archon.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect();
            Ok::<_, StoreError>(Reaped { archon, protocol })
        }.await)
    }

    /// Tells in an event why a protocol session was ended, in the operator's words.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    pub async fn note_end(&self, protocol_session_id: &str, ending: Ending<'_>, note: &str) -> Result<(), StoreError> {
        transact!(self, tx => async {
            sqlx::query("INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id, reason, actor) \
                         SELECT $1, 'expire', p.session_id, p.protocol_session_id, $2, $3 \
                         FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = $4")
                .bind(ending.at).bind(note).bind(ending.by).bind(protocol_session_id).execute(&mut *tx).await?;
            Ok::<_, StoreError>(())
        }.await)
    }
}
