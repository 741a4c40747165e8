//! What one transaction of a flush writes, and how.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::sums::Sums;
use super::touches::Touches;
use super::{Totals, statements};
use crate::store::backend::order::{self, ROW_PATIENCE};
use crate::store::backend::{DbUuid, Dialect, RowStatement, StoreError, json, transact};

const MOVE_MARK: &str = "UPDATE archon_mcp_boots SET folded_seq = $1 WHERE number = $2 AND folded_seq = $3";

/// What one transaction of a flush writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Flush<'a> {
    pub(in crate::store) boot: i64,
    /// The mark that the sums go on from.
    pub(in crate::store) from: i64,
    pub(in crate::store) sums: &'a Sums,
    pub(in crate::store) touches: &'a Touches,
    /// How long it waits for rows that somebody holds.
    pub(in crate::store) patience: Duration,
}

impl Flush<'_> {
    /// Whether there is nothing to write.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.sums.seq() == 0 && self.touches.is_empty()
    }

    /// The ids of all sessions in it, as JSON arrays: Archon sessions and protocol sessions.
    fn ids(&self) -> [Option<String>; 2] {
        let archon: Vec<_> = self.touches.archon_rows(self.sums.by_session()).into_keys().collect();
        let protocol: Vec<_> = self.touches.protocol_rows(self.sums.by_connection()).into_keys().collect();
        [json(&archon), json(&protocol)]
    }

    /// Its statements, each with its rows; without the sums where the mark is not where they go on from.
    fn statements(&self, with_sums: bool) -> impl Iterator<Item = (&'static RowStatement, String)> {
        let none = Sums::default();
        let sums = if with_sums { self.sums } else { &none };
        let archon: Vec<_> = self.touches.archon_rows(sums.by_session()).into_values().collect();
        let protocol: Vec<_> = self.touches.protocol_rows(sums.by_connection()).into_values().collect();
        // The rows that all servers share come last.
        [
            (&statements::FLUSH_ARCHON, json(&archon)),
            (&statements::FLUSH_PROTOCOL, json(&protocol)),
            (&statements::LATE, json(&sums.windows(self.boot, self.from))),
            (&statements::ROLL_UP, json(&sums.by_minute())),
            (&statements::ROLL_UP_HOURS, json(&sums.by_hour())),
            (&statements::ROLL_UP_DAYS, json(&sums.by_day())),
        ]
        .into_iter()
        .filter_map(|(statement, rows)| rows.map(|rows| (statement, rows)))
    }
}

impl Totals {
    /// Writes the flush, and moves the mark if it stands where expected; `false` when it does not: then the touches are
    /// written, and the sums are not.
    pub(in crate::store) async fn write_sums(&self, flush: &Flush<'_>) -> Result<bool, StoreError> {
        let (dialect, upto) = (self.backend.dialect(), flush.sums.seq());
        let [archon, protocol] = if dialect == Dialect::Postgres { flush.ids() } else { [None, None] };
        let wait = order::wait_for(flush.patience);
        transact!(self, tx => async {
            if dialect == Dialect::Postgres && flush.patience != ROW_PATIENCE {
                sqlx::query(sqlx::AssertSqlSafe(&*wait)).execute(&mut *tx).await?;
            }
            if let Some(archon) = &archon {
                sqlx::query(order::LOCK_ARCHON).bind(archon).bind("[]").execute(&mut *tx).await?;
            }
            if let Some(protocol) = &protocol {
                sqlx::query(order::LOCK_CONNECTIONS).bind("[]").bind(protocol).execute(&mut *tx).await?;
            }
            // The boot's row makes a second folder wait, and then find the mark moved.
            let moved = upto == 0 || sqlx::query(MOVE_MARK)
                .bind(upto).bind(flush.boot).bind(flush.from).execute(&mut *tx).await?.rows_affected() == 1;
            for (statement, rows) in flush.statements(moved) {
                sqlx::query(statement.sql(dialect)).bind(rows).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(moved)
        }.await)
    }

    /// Writes the touches of rows that nobody holds, and waits for none; returns those of rows that somebody does.
    pub(in crate::store) async fn write_touches_of_free(&self, touches: &Touches) -> Result<Touches, StoreError> {
        let (dialect, none) = (self.backend.dialect(), Sums::default());
        let all = Flush { boot: 0, from: 0, sums: &none, touches, patience: ROW_PATIENCE };
        let [archon, protocol] = all.ids().map(|ids| ids.unwrap_or_else(|| "[]".to_owned()));
        let of_archon = [&*order::FREE_ARCHON, &*order::THERE_ARCHON];
        let of_protocol = [&*order::FREE_CONNECTIONS, &*order::THERE_CONNECTIONS];
        transact!(self, tx => async {
            let (mut free_archon, mut free_protocol) = (HashSet::<Uuid>::new(), HashSet::<String>::new());
            // What is there and not free is held.
            let (mut there_archon, mut there_protocol) = (HashSet::<Uuid>::new(), HashSet::<String>::new());
            for (sql, found) in of_archon.into_iter().zip([&mut free_archon, &mut there_archon]) {
                let ids: Vec<DbUuid> = sqlx::query_scalar(sql.as_str())
                    .bind(&archon).bind("[]").fetch_all(&mut *tx).await?;
                found.extend(ids.into_iter().map(|id| id.0));
            }
            for (sql, found) in of_protocol.into_iter().zip([&mut free_protocol, &mut there_protocol]) {
                let ids: Vec<String> = sqlx::query_scalar(sql.as_str())
                    .bind("[]").bind(&protocol).fetch_all(&mut *tx).await?;
                found.extend(ids);
            }
            let (free, others) = touches.split(&free_archon, &free_protocol);
            for (statement, rows) in (Flush { touches: &free, ..all }).statements(false) {
                sqlx::query(statement.sql(dialect)).bind(rows).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(others.split(&there_archon, &there_protocol).0)
        }.await)
    }
}
