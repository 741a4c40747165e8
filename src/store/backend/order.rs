//! The one order of locks, for PostgreSQL, where several servers, operators and people with `psql` write the same rows.
//!
//! Whoever writes sessions takes, in this order:
//! 1. the advisory lock [`KEY`], shared. A statement that was typed by hand takes rows as they lie, so the schema's triggers
//!    give it the lock for itself;
//! 2. rows of Archon sessions, by id ([`LOCK_ARCHON`]);
//! 3. rows of connections, by id ([`LOCK_CONNECTIONS`]);
//! 4. everything else: boots, request rows, sums in the order of their keys.
//!
//! A row that a transaction inserts belongs to nobody else yet, so inserting it comes before locking others; rows of one
//! kind are inserted in the order of their ids, because two servers may make the same one. Whoever picks rows only to
//! remove them, or to end those whose time is over, passes by those that others hold (`SKIP LOCKED`) and so waits for none.
//! A lone statement that only inserts needs no order: of the sessions that its rows refer to it keeps others from removing
//! them, which stands in the way of nobody but a hand that types `FOR UPDATE`, and then it waits only shortly (see below).
//!
//! Nobody can be held to it: whoever types `SELECT … FOR UPDATE` holds rows before the triggers ask for the lock, and rows in
//! any order. So a transaction of ours waits only shortly for a row, less than it takes PostgreSQL to look for a deadlock;
//! then it lets everything go and begins anew (see [`Tries`]).

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{StoreError, is_contention};
use super::pooler;

/// The advisory lock that the schema's triggers take for statements typed by hand.
pub(in crate::store) const KEY: i64 = 27_428_844_087_501_675;

/// How long a transaction waits for a statement that was typed by hand. Somebody may have left one open: then we go on
/// without the lock, in the same order as ever.
pub(in crate::store) const HAND_PATIENCE: Duration = Duration::from_secs(3);

/// How long a transaction waits for a row or a table before it lets everything go and begins anew. PostgreSQL looks for a
/// deadlock when somebody has waited for 1 s.
pub(in crate::store) const ROW_PATIENCE: Duration = Duration::from_millis(500);

/// How often it does. Somebody may have left a transaction open that holds a row: that is noticed before whoever waits for
/// us gives us up.
const HELD_TRIES: u32 = 6;

/// For this long, who has met such a statement waits for it no more than a moment.
const HAND_REMEMBERED: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(20);

/// How long a transaction of ours may stand still between two statements. A server that is frozen in the middle of one
/// holds its locks until then.
const STANDSTILL: Duration = Duration::from_secs(5);

/// How often a transaction that lost to others is repeated: in all that is as long as anybody waits for one.
const TRIES: u32 = 20;
/// The same of a read.
const READS: u32 = 5;

/// Locks the Archon sessions of the JSON array `$1`, and those of the connections of `$2`. The limits tell PostgreSQL how
/// many they are: it takes any such function for a hundred rows, and would read the whole table.
pub(in crate::store) const LOCK_ARCHON: &str = "SELECT 1 FROM archon_mcp_sessions WHERE session_id IN ( \
         (SELECT CAST(id AS UUID) FROM jsonb_array_elements_text($1::jsonb) AS id LIMIT jsonb_array_length($1::jsonb)) \
         UNION (SELECT p.session_id FROM ( \
                 SELECT id COLLATE \"C\" FROM jsonb_array_elements_text($2::jsonb) AS id \
                 LIMIT jsonb_array_length($2::jsonb)) AS c (id) \
             JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = c.id)) \
     ORDER BY session_id FOR NO KEY UPDATE";

/// The same rows' keys, but for those that somebody holds: nobody is waited for.
fn skipping(lock: &str, key: &str) -> String {
    format!("{} SKIP LOCKED", lock.replacen("SELECT 1", &format!("SELECT {key}"), 1))
}

/// The same rows' keys, and no lock.
fn looking(lock: &str, key: &str) -> String {
    let bare = lock.split(" FOR NO KEY UPDATE").next().unwrap_or(lock);
    bare.replacen("SELECT 1", &format!("SELECT {key}"), 1)
}

/// Locks the connections of `$2`, and those that are bound to the Archon sessions of `$1`.
pub(in crate::store) const LOCK_CONNECTIONS: &str = "SELECT 1 FROM archon_mcp_protocol_sessions WHERE protocol_session_id IN ( \
         (SELECT id COLLATE \"C\" FROM jsonb_array_elements_text($2::jsonb) AS id LIMIT jsonb_array_length($2::jsonb)) \
         UNION (SELECT p.protocol_session_id FROM ( \
                 SELECT CAST(id AS UUID) FROM jsonb_array_elements_text($1::jsonb) AS id \
                 LIMIT jsonb_array_length($1::jsonb)) AS a (id) \
             JOIN archon_mcp_protocol_sessions p ON p.session_id = a.id)) \
     ORDER BY protocol_session_id FOR NO KEY UPDATE";

/// The Archon sessions of [`LOCK_ARCHON`] that nobody holds, and all of them: what is there and not free is held.
pub(in crate::store) static FREE_ARCHON: LazyLock<String> = LazyLock::new(|| skipping(LOCK_ARCHON, "session_id"));
pub(in crate::store) static THERE_ARCHON: LazyLock<String> = LazyLock::new(|| looking(LOCK_ARCHON, "session_id"));

/// The same of the connections of [`LOCK_CONNECTIONS`].
pub(in crate::store) static FREE_CONNECTIONS: LazyLock<String> =
    LazyLock::new(|| skipping(LOCK_CONNECTIONS, "protocol_session_id"));
pub(in crate::store) static THERE_CONNECTIONS: LazyLock<String> =
    LazyLock::new(|| looking(LOCK_CONNECTIONS, "protocol_session_id"));

/// The same, each with its Archon session.
pub(in crate::store) static FREE_PAIRS: LazyLock<String> =
    LazyLock::new(|| skipping(LOCK_CONNECTIONS, "protocol_session_id, session_id"));
pub(in crate::store) static THERE_PAIRS: LazyLock<String> =
    LazyLock::new(|| looking(LOCK_CONNECTIONS, "protocol_session_id, session_id"));

/// Locks sessions in the order of all transactions: `lock_in_order!(dialect, tx, archon, connections)` with two JSON arrays
/// of ids as text.
macro_rules! lock_in_order {
    ($dialect:expr, $tx:ident, $archon:expr, $connections:expr) => {
        if $dialect.locks_rows() {
            for lock in [$crate::store::backend::order::LOCK_ARCHON, $crate::store::backend::order::LOCK_CONNECTIONS] {
                sqlx::query(lock).bind($archon).bind($connections).execute(&mut *$tx).await?;
            }
        }
    };
}
pub(in crate::store) use lock_in_order;

/// How a writing transaction begins: one round trip. `patience` is for the advisory lock; `None` goes without it. For
/// anything else that somebody holds it waits for `rows`.
///
/// All of it is of this transaction alone, so it holds behind a pooler too.
pub(in crate::store) fn begin(pooled: bool, patience: Option<Duration>, rows: Duration) -> String {
    let (begin, standstill) = (pooler::begin(pooled), STANDSTILL.as_millis());
    let lock = patience.map_or_else(String::new, |patience| {
        format!("; {}; SELECT pg_advisory_xact_lock_shared({KEY})", wait_for(patience))
    });
    format!(
        "{begin}; SET LOCAL archonctl.in_order TO 'on'; SET LOCAL idle_in_transaction_session_timeout TO {standstill}{lock}; {}",
        wait_for(rows)
    )
}

/// Sets how long the transaction waits from here on for what somebody holds.
pub(in crate::store) fn wait_for(patience: Duration) -> String {
    format!("SET LOCAL lock_timeout TO {}", patience.as_millis())
}

/// Statements typed by hand that were left open, as far as one that writes has met them.
#[derive(Debug, Default)]
pub(in crate::store) struct Hands {
    met: Mutex<Option<Instant>>,
}

impl Hands {
    /// How long it is worth to wait for the advisory lock.
    pub(in crate::store) fn patience(&self, patience: Duration) -> Duration {
        let met = *self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.is_some_and(|met| met.elapsed() < HAND_REMEMBERED) { MOMENT } else { patience }
    }

    /// A transaction did not begin: one of them is open, if `error` says so.
    pub(in crate::store) fn note(&self, error: &sqlx::Error) {
        if is_contention(error) {
            *self.met.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }
}

/// A transaction that is repeated when it lost to others.
#[derive(Debug, Default)]
pub(in crate::store) struct Tries {
    failed: u32,
    without_lock: bool,
    /// The last one did not even begin.
    is_unbegun: bool,
}

impl Tries {
    /// How long this try waits for the advisory lock: whoever did not get it once goes on without it.
    pub(in crate::store) fn patience(&self, patience: Duration) -> Option<Duration> {
        (!self.without_lock).then_some(patience)
    }

    /// The transaction did not even begin.
    pub(in crate::store) fn did_not_begin(&mut self) {
        (self.without_lock, self.is_unbegun) = (true, true);
    }

    /// Whether the last try did not even begin.
    pub(in crate::store) fn is_unbegun(&self) -> bool {
        self.is_unbegun
    }

    /// Whether to try once more; if not, the error that tells why.
    pub(in crate::store) fn again(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.failed += 1;
        let is_unbegun = std::mem::take(&mut self.is_unbegun);
        match error {
            StoreError::Contended(reason) if self.failed < TRIES => {
                tracing::debug!(%reason, "others hold the same rows; trying again");
                Ok(())
            }
            // Not for a row, but for a statement that was typed by hand: we go on without that lock.
            StoreError::Held(_) if is_unbegun => Ok(()),
            StoreError::Held(_) if self.failed < HELD_TRIES => Ok(()),
            error => Err(error.given_up()),
        }
    }

    /// The same for a read.
    pub(in crate::store) fn reads_again(&mut self, error: &sqlx::Error) -> bool {
        self.failed += 1;
        self.failed < READS && is_contention(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_is_repeated_a_few_times_and_nothing_else_is() {
        let lost = || StoreError::Contended("deadlock detected".into());
        let mut tries = Tries::default();
        let repeated = (0..50).take_while(|_| tries.again(lost()).is_ok()).count();
        assert_eq!(repeated, 19);
        assert!(matches!(tries.again(lost()), Err(StoreError::Unavailable(_))), "callers never meet it");
        for error in [StoreError::unavailable("gone"), StoreError::Data("a text".into())] {
            assert!(Tries::default().again(error).is_err());
        }
    }

    #[test]
    fn whoever_missed_the_lock_goes_on_without_it() {
        let mut tries = Tries::default();
        assert!(
            begin(false, tries.patience(HAND_PATIENCE), ROW_PATIENCE)
                .contains("pg_advisory_xact_lock_shared(27428844087501675)")
        );
        tries.did_not_begin();
        let held = || StoreError::Held("a lock timeout".into());
        assert!(tries.again(held()).is_ok());
        let begun = begin(true, tries.patience(HAND_PATIENCE), ROW_PATIENCE);
        assert!(!begun.contains("advisory") && begun.contains("in_order TO 'on'"), "{begun}");
        assert_eq!((0..50).take_while(|_| tries.again(held()).is_ok()).count(), 4);
        assert!(matches!(tries.again(held()), Err(StoreError::Held(_))), "others are not kept waiting for a held row");
    }

    #[test]
    fn nobody_waits_for_a_row_until_the_database_looks_for_a_deadlock() {
        for patience in [Some(HAND_PATIENCE), None] {
            let begun = begin(false, patience, ROW_PATIENCE);
            assert!(begun.ends_with("SET LOCAL lock_timeout TO 500"), "{begun}");
        }
    }
}
