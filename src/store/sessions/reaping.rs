//! Sessions whose time is over, and connections that give way to new ones: found and ended in chunks. Nobody is waited for
//! who holds one of them just now.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::model::timestamp::Timestamp;
use crate::store::backend::{DbUuid, Dialect, Text, order, transact};
use crate::store::boots::LATEST;
use crate::store::totals::Touches;
use crate::store::{Store, StoreError};

/// What the reaper goes by.
#[derive(Debug, Clone, Copy)]
pub struct ReapRule {
    /// Now.
    pub now: Timestamp,
    /// For Archon sessions typed without an `expires_at`.
    pub timeout: Duration,
    /// A connection used within this time is not over, whatever its row says: it may be another program's.
    pub protocol_timeout: Duration,
    /// Sessions that began before this moment are too old.
    pub too_old: Option<Timestamp>,
    /// The greatest number of each kind.
    pub limit: i64,
}

/// What one chunk ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Archon sessions.
    pub archon: Vec<Uuid>,
    /// Connections.
    pub protocol: Vec<String>,
}

/// Whose connections give way to new ones.
#[derive(Debug, Clone, Copy)]
pub struct EvictRule<'a> {
    /// Now.
    pub now: Timestamp,
    /// Only connections that have been idle for longer than this.
    pub idle: Duration,
    /// Only this principal's; `None`: anybody's.
    pub principal: Option<&'a str>,
    /// The greatest number that end.
    pub limit: i64,
}

/// Connections that are to end, and what the texts about them ask for.
struct Chosen<'a> {
    texts: &'static EndChosen,
    now: Timestamp,
    long_ago: Timestamp,
    since: Timestamp,
    principal: Option<&'a str>,
    limit: i64,
}

/// How connections are found and ended by a condition over `$1` now, `$2` a moment long ago, `$3` a moment since which they
/// were not used, `$5` a principal; `$4` is a limit.
struct EndChosen {
    find: Text,
    /// Those of the array `$6` that still are as they were found.
    end: Text,
}

/// How many more connections are looked at than are to end: some may be held.
const SPARE: i64 = 16;

/// A connection with a stream open is spared, unless its last use is this long ago.
const STREAM_SPARES: Duration = Duration::from_hours(24);

/// Past its time, with no credit to come.
fn over() -> String {
    format!("expires_at < $1 AND (credited IS NULL OR credited >= {LATEST})")
}

/// Archon sessions past their time; the oldest first, because that is the index.
static OVER: Text = Text::new(|dialect| picked(&format!("{} ORDER BY expires_at", over()), dialect));
/// Typed by hand without an end of its time: it goes by its last activity.
static SILENT: Text = Text::new(|dialect| picked("expires_at IS NULL AND last_activity < $1", dialect));

fn picked(condition: &str, dialect: Dialect) -> String {
    let lock = dialect.skip_locked();
    format!("SELECT session_id FROM archon_mcp_sessions WHERE status = 'active' AND {condition} LIMIT $2 {lock}")
}

const REAPED: &str = "status = 'expired', disconnected_at = $1, ended_by = 'server', \
     disconnect_reason = CASE WHEN connected_at <= $2 THEN 'max_age' ELSE 'timeout' END";

static REAP: LazyLock<String> = LazyLock::new(|| {
    format!("UPDATE archon_mcp_sessions SET {REAPED} WHERE status = 'active' AND session_id = $3 RETURNING session_id")
});

static REAP_CONNECTIONS: EndChosen = EndChosen {
    find: Text::new(|dialect| find(&over_and_unused(), "expires_at", dialect)),
    end: Text::new(|dialect| end(REAPED, &over_and_unused(), dialect)),
};

fn over_and_unused() -> String {
    format!("{} AND (last_activity < $3 OR connected_at <= $2)", over())
}

const EVICTED: &str =
    "status = 'disconnected', disconnected_at = $1, ended_by = 'server', disconnect_reason = 'evicted'";

static EVICT: EndChosen = EndChosen {
    find: Text::new(|dialect| find(&idle(dialect), "last_activity", dialect)),
    end: Text::new(|dialect| end(EVICTED, &idle(dialect), dialect)),
};

static EVICT_OWN: EndChosen = EndChosen {
    find: Text::new(|dialect| find(&own(&idle(dialect)), "last_activity", dialect)),
    end: Text::new(|dialect| end(EVICTED, &own(&idle(dialect)), dialect)),
};

/// Not used for longer than allowed, credit to come included; a stream that is open spares it unless it was not used for long.
fn idle(dialect: Dialect) -> String {
    let credit = "(SELECT COALESCE(SUM(o.credit_ms), 0) FROM archon_mcp_outages o \
         WHERE o.number > archon_mcp_protocol_sessions.credited)";
    let since = match dialect {
        Dialect::Postgres => format!("$3 - {credit} * INTERVAL '1 millisecond'"),
        Dialect::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f', $3, (-{credit} / 1000.0) || ' seconds')"),
    };
    format!("last_activity < {since} AND (stream_at IS NULL OR stream_at < {since} OR last_activity < $2)")
}

fn own(condition: &str) -> String {
    format!("principal = $5 AND {condition}")
}

fn find(condition: &str, order: &str, dialect: Dialect) -> String {
    let skip = dialect.skip_locked();
    format!(
        "SELECT protocol_session_id, session_id FROM archon_mcp_protocol_sessions WHERE status = 'active' \
         AND {condition} ORDER BY {order} LIMIT $4 {skip}"
    )
}

fn end(set: &str, condition: &str, dialect: Dialect) -> String {
    let ids = match dialect {
        Dialect::Postgres => "SELECT jsonb_array_elements_text($6::jsonb)",
        Dialect::Sqlite => "SELECT value FROM json_each($6)",
    };
    format!(
        "UPDATE archon_mcp_protocol_sessions SET {set} WHERE status = 'active' AND {condition} \
         AND protocol_session_id IN ({ids}) RETURNING protocol_session_id"
    )
}

impl Store {
    /// Ends one chunk of sessions whose time is over, each kind atomically: but for those that somebody holds, or that are
    /// in use by touches that could not be written. Call again until it ends none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reap(&self, rule: ReapRule, in_use: &Touches) -> Result<Reaped, StoreError> {
        Ok(Reaped { archon: self.reap_archon(rule, in_use).await?, protocol: self.reap_protocol(rule, in_use).await? })
    }

    async fn reap_archon(&self, rule: ReapRule, in_use: &Touches) -> Result<Vec<Uuid>, StoreError> {
        let dialect = self.dialect();
        let too_old = rule.too_old.unwrap_or(Timestamp::from_millis(0));
        transact!(self, tx => async {
            let mut picked: Vec<DbUuid> = Vec::new();
            for (text, moment) in [(&OVER, rule.now), (&SILENT, rule.now.minus(rule.timeout))] {
                let left = rule.limit - i64::try_from(picked.len()).unwrap_or(rule.limit);
                picked.extend::<Vec<DbUuid>>(sqlx::query_scalar(text.sql(dialect))
                    .bind(moment).bind(left).fetch_all(&mut *tx).await?);
            }
            picked.retain(|id| in_use.archon.iter().all(|touch| touch.session_id != id.0));
            if picked.is_empty() {
                return Ok(Vec::new());
            }
            if dialect == Dialect::Postgres {
                let ids = json!(picked.iter().map(|id| id.0).collect::<Vec<_>>()).to_string();
                let free: HashSet<String> = sqlx::query_scalar(order::FREE_CONNECTIONS.as_str())
                    .bind(&ids).bind("[]").fetch_all(&mut *tx).await?.into_iter().collect();
                let bound: Vec<(String, DbUuid)> = sqlx::query_as(order::THERE_PAIRS.as_str())
                    .bind(&ids).bind("[]").fetch_all(&mut *tx).await?;
                let held: HashSet<Uuid> =
                    bound.into_iter().filter(|(id, _)| !free.contains(id)).map(|(_, archon)| archon.0).collect();
                picked.retain(|id| !held.contains(&id.0));
            }
            let mut ended = Vec::with_capacity(picked.len());
            for id in picked {
                let done: Option<DbUuid> = sqlx::query_scalar(REAP.as_str())
                    .bind(rule.now).bind(too_old).bind(id).fetch_optional(&mut *tx).await?;
                ended.extend(done.map(|id| id.0));
            }
            Ok::<_, StoreError>(ended)
        }.await)
    }

    async fn reap_protocol(&self, rule: ReapRule, in_use: &Touches) -> Result<Vec<String>, StoreError> {
        let chosen = Chosen {
            texts: &REAP_CONNECTIONS,
            now: rule.now,
            long_ago: rule.too_old.unwrap_or(Timestamp::from_millis(0)),
            since: rule.now.minus(rule.protocol_timeout),
            principal: None,
            limit: rule.limit,
        };
        self.end_chosen(&chosen, in_use).await
    }

    /// Ends the connections that have been idle for longest, but for those that somebody holds, or that are in use by
    /// touches that could not be written. Whether they still are is decided in the ending statement.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn evict(&self, rule: EvictRule<'_>, in_use: &Touches) -> Result<Vec<String>, StoreError> {
        let chosen = Chosen {
            texts: if rule.principal.is_some() { &EVICT_OWN } else { &EVICT },
            now: rule.now,
            long_ago: rule.now.minus(STREAM_SPARES),
            since: rule.now.minus(rule.idle),
            principal: rule.principal,
            limit: rule.limit,
        };
        self.end_chosen(&chosen, in_use).await
    }

    /// Looks which connections are meant and held by nobody, and whose Archon sessions are not either, and ends them if they
    /// still are. Nobody is waited for, so the order of locks is of no account.
    async fn end_chosen(&self, chosen: &Chosen<'_>, in_use: &Touches) -> Result<Vec<String>, StoreError> {
        let (dialect, texts) = (self.dialect(), chosen.texts);
        let most = usize::try_from(chosen.limit).unwrap_or(0);
        transact!(self, tx => async {
            let mut found: Vec<(String, DbUuid)> = sqlx::query_as(texts.find.sql(dialect))
                .bind(chosen.now).bind(chosen.long_ago).bind(chosen.since).bind(chosen.limit + SPARE)
                .bind(chosen.principal).fetch_all(&mut *tx).await?;
            found.retain(|(id, _)| in_use.protocol.iter().all(|touch| *touch.protocol_session_id != **id));
            if dialect == Dialect::Postgres && !found.is_empty() {
                let ids = json!(found.iter().map(|(id, _)| id).collect::<Vec<_>>()).to_string();
                let mut archon = [HashSet::<Uuid>::new(), HashSet::<Uuid>::new()];
                for (sql, archon) in [&order::FREE_ARCHON, &order::THERE_ARCHON].into_iter().zip(&mut archon) {
                    let found: Vec<DbUuid> = sqlx::query_scalar(sql.as_str())
                        .bind("[]").bind(&ids).fetch_all(&mut *tx).await?;
                    archon.extend(found.into_iter().map(|id| id.0));
                }
                let [free, there] = archon;
                found.retain(|(_, archon)| free.contains(&archon.0) || !there.contains(&archon.0));
            }
            found.truncate(most);
            if found.is_empty() {
                return Ok(Vec::new());
            }
            let found = json!(found.iter().map(|(id, _)| id).collect::<Vec<_>>()).to_string();
            let ended: Vec<String> = sqlx::query_scalar(texts.end.sql(dialect))
                .bind(chosen.now).bind(chosen.long_ago).bind(chosen.since).bind(chosen.limit).bind(chosen.principal)
                .bind(&found).fetch_all(&mut *tx).await?;
            Ok::<_, StoreError>(ended)
        }.await)
    }
}
