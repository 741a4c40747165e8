//! Somebody holds rows of one session in a transaction that stays open: what is to be written to them waits, nothing else
//! does, and when it is over all is as if it had never been.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::*;

/// A second, and what a busy machine adds: nobody waited for the holder.
pub(super) const AT_ONCE: Duration = Duration::from_secs(2);

/// A transaction that stays open.
pub(super) struct Holder(PgConnection);

impl Holder {
    pub(super) async fn of(db: &Database, sql: &str) -> Self {
        let mut connection = PgConnection::connect(db.url()).await.expect("connect");
        connection.execute(AssertSqlSafe(format!("BEGIN; {sql}"))).await.expect("held");
        Self(connection)
    }

    pub(super) async fn lets_go(mut self) {
        self.0.execute("ROLLBACK").await.expect("released");
    }
}

pub(super) fn archon_row(n: u32) -> String {
    format!("SELECT 1 FROM archon_mcp_sessions WHERE session_id = '{}' FOR UPDATE", ids(n).1)
}

pub(super) fn connection_row(n: u32) -> String {
    format!("SELECT 1 FROM archon_mcp_protocol_sessions WHERE protocol_session_id = '{}' FOR UPDATE", ids(n).0)
}

/// An UPDATE that was typed and not committed.
fn typed(n: u32) -> String {
    format!("UPDATE archon_mcp_sessions SET user_name = 'x' WHERE session_id = '{}'", ids(n).1)
}

pub(super) fn touches(of: impl IntoIterator<Item = u32> + Clone, at: Timestamp) -> Touches {
    let protocol = of.clone().into_iter().map(|n| touch_protocol(n, at)).collect();
    Touches { protocol, archon: of.into_iter().map(|n| touch_archon(n, at)).collect() }
}

async fn last_use(store: &Store, n: u32) -> Timestamp {
    store.archon_session(ids(n).1).await.expect("an answer").expect("a session").life.last_activity
}

/// Waits until it is known that rows wait for longer than a moment.
async fn rows_wait(store: &Store) {
    let began = std::time::Instant::now();
    while !store.held().lasts() {
        assert!(began.elapsed() < SOON, "nothing waits");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn flushed(store: &Store, touches: Touches) -> Touches {
    store.totals().flush(1, touches).await.map_err(|(error, _)| error).expect("a flush")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn touches_of_rows_that_nobody_holds_are_written() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=3).flat_map(pair).chain((1..=3).map(|n| requests(call(n))))).await;
    for sql in [archon_row(1), connection_row(1), typed(1)] {
        let holder = Holder::of(&db, &sql).await;
        let mut at = NOON;
        for round in 1..=3 {
            at = at.plus(minutes(1));
            let began = std::time::Instant::now();
            let left = flushed(&store, touches(1..=3, at)).await;
            assert!(round == 1 || began.elapsed() < AT_ONCE, "{sql}: everybody waited {:?}", began.elapsed());
            assert!(!left.is_empty() && left.archon.len() + left.protocol.len() <= 2, "{sql}: {left:?}");
            assert_eq!([last_use(&store, 2).await, last_use(&store, 3).await], [at, at], "{sql}");
            assert!(!store.outage().is_suspected(), "{sql}: it is no outage");
        }
        assert!(store.held().lasts(), "{sql}");
        assert!(store.takes_writes());
        holder.lets_go().await;
        let left = flushed(&store, touches(1..=1, at)).await;
        assert!(left.is_empty() && !store.held().lasts(), "{sql}: {left:?}");
        assert_eq!(last_use(&store, 1).await, at, "{sql}");
        db.rows("UPDATE archon_mcp_sessions SET last_activity = '2026-01-10 12:00:00+00'");
    }
    assert_eq!(db.value("SELECT string_agg(CAST(calls AS TEXT), '') FROM archon_mcp_sessions"), "111", "once each");
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "3");
}

/// The rows of others are in the way of nobody else's sums and touches either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_that_somebody_holds_wait_and_touches_do_not() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=2).flat_map(pair).chain([requests(call(1))])).await;
    flush(&store).await;
    let holder = Holder::of(&db, "SELECT 1 FROM archon_mcp_rollups FOR UPDATE").await;
    store_all(&store, [requests(call(1)), requests(call(2))]).await;
    let later = NOON.plus(minutes(1));
    for _ in 0..2 {
        assert!(flushed(&store, touches(1..=2, later)).await.is_empty());
    }
    assert_eq!([last_use(&store, 1).await, last_use(&store, 2).await], [later, later]);
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "1");
    assert!(!store.outage().is_suspected() && store.held().lasts());
    holder.lets_go().await;
    flush(&store).await;
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "3");
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_sessions"), "3");
    assert!(!store.held().lasts());
}

/// A request row refers to its session: whoever holds that `FOR UPDATE` keeps it out, and must not keep all others out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_other_sessions_are_written() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=3).flat_map(pair)).await;
    store_all(&store, [opens(protocol(4))]).await;
    for (sql, held_rows) in [
        (format!("{}; {}", archon_row(1), connection_row(4)), 6),
        // That one is in the way of no request.
        (format!("{}; {}", archon_row(1), typed(2)), 5),
    ] {
        let before = count(&db, "archon_mcp_requests");
        let holder = Holder::of(&db, &sql).await;
        let held: Vec<_> = (0..5).map(|_| store.writer().submit(requests(call(1)))).collect();
        // Its first call, and what leans on that.
        let created = store.writer().submit(creates(archon(4)));
        let called = store.writer().submit(requests(call(4)));
        for _ in 0..3 {
            let began = std::time::Instant::now();
            store_all(&store, [requests(call(2)), requests(call(3)), events(event(3, "refused"))]).await;
            assert!(began.elapsed() < AT_ONCE + Duration::from_secs(1), "{:?}", began.elapsed());
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        assert!(!store.outage().is_suspected(), "it is no outage");
        assert!(store.takes_writes(), "sessions are opened meanwhile");
        assert!(store.writer().submit(opens(protocol(5))).required(AT_ONCE).await.is_ok());
        assert_eq!(count(&db, "archon_mcp_requests") - before, 12 - held_rows, "{sql}");
        assert!(!store.writer().drain(Duration::from_millis(50)).await, "not all is written");
        flush(&store).await;
        holder.lets_go().await;
        for ticket in held.into_iter().chain([created, called]) {
            assert_eq!(ticket.within(SOON).await, Commit::Done);
        }
        assert!(store.writer().drain(SOON).await);
        assert_eq!(count(&db, "archon_mcp_requests") - before, 12);
    }
    flush(&store).await;
    assert_eq!(
        db.value("SELECT string_agg(CAST(calls AS TEXT), ',' ORDER BY session_id) FROM archon_mcp_sessions"),
        "10,6,6,2"
    );
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "24");
    assert_eq!(db.value("SELECT COUNT(DISTINCT seq) FROM archon_mcp_requests"), "24");
    let stats = store.writer().stats();
    assert_eq!((stats.dropped, stats.waiting), (0, 0));
    assert!(!store.held().lasts());
}

/// Whoever takes up an Archon session adopts the requests of all connections that are bound to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_adopted_may_be_of_another_connection() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    let unbound = |n| NewRequest { session_id: None, ..call(n) };
    store_all(&store, [opens(NewProtocolSession { session_id: ids(1).1, ..protocol(2) }), requests(unbound(2))]).await;
    store_all(&store, [opens(protocol(1)), opens(protocol(3))]).await;
    let holder = Holder::of(&db, "SELECT 1 FROM archon_mcp_requests FOR UPDATE").await;
    let created = store.writer().submit(creates(archon(1)));
    let began = std::time::Instant::now();
    store_all(&store, [creates(archon(3)), requests(call(3))]).await;
    assert!(began.elapsed() < AT_ONCE, "others waited {:?}", began.elapsed());
    assert!(!store.outage().is_suspected() && store.takes_writes());
    assert_eq!(count(&db, "archon_mcp_sessions"), 1);
    holder.lets_go().await;
    assert_eq!(created.within(SOON).await, Commit::Done);
    assert_eq!(count(&db, "archon_mcp_requests WHERE session_id IS NULL"), 0);
}

/// No row is there to be looked at: a key that somebody has typed and not committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_somebody_else_makes_waits_for_that() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, [opens(protocol(1)), opens(protocol(2))]).await;
    let typed = format!(
        "INSERT INTO archon_mcp_sessions (session_id, connected_at, last_activity, expires_at) \
         VALUES ('{}', now(), now(), now())",
        ids(1).1
    );
    let holder = Holder::of(&db, &typed).await;
    let created = store.writer().submit(creates(archon(1)));
    let called = store.writer().submit(requests(call(1)));
    let began = std::time::Instant::now();
    store_all(&store, [creates(archon(2)), requests(call(2))]).await;
    assert!(began.elapsed() < AT_ONCE, "others waited {:?}", began.elapsed());
    assert!(!store.outage().is_suspected() && store.takes_writes());
    holder.lets_go().await;
    for ticket in [created, called] {
        assert_eq!(ticket.within(SOON).await, Commit::Done);
    }
    assert_eq!(count(&db, "archon_mcp_requests WHERE session_id IS NOT NULL"), 2);
    let stats = store.writer().stats();
    assert_eq!((stats.dropped, stats.waiting), (0, 0));
}

/// Those that are free again do not wait behind those that are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_freed_is_written_while_others_are_held() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=7).flat_map(pair)).await;
    let mut holders = Vec::new();
    for n in 1..=6 {
        holders.push(Holder::of(&db, &archon_row(n)).await);
    }
    let last = Holder::of(&db, &archon_row(7)).await;
    // More than are tried at once.
    (1..=6).for_each(|n| (0..40).for_each(|_| store.writer().submit_unwatched(requests(call(n)))));
    let freed = store.writer().submit(requests(call(7)));
    rows_wait(&store).await;
    last.lets_go().await;
    assert_eq!(freed.within(AT_ONCE).await, Commit::Done);
    assert_eq!(count(&db, "archon_mcp_requests"), 1);
    for holder in holders {
        holder.lets_go().await;
    }
    assert!(store.writer().drain(SOON).await);
    assert_eq!(count(&db, "archon_mcp_requests"), 6 * 40 + 1);
}

/// A close tries what waits once more, all of it, and counts the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_writes_what_is_free_by_then() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=2).flat_map(pair)).await;
    let holders = (Holder::of(&db, &archon_row(1)).await, Holder::of(&db, &archon_row(2)).await);
    for n in [1, 2] {
        (0..50).for_each(|_| store.writer().submit_unwatched(requests(call(n))));
    }
    rows_wait(&store).await;
    holders.1.lets_go().await;
    store.close().await.expect("closed");
    assert_eq!(count(&db, "archon_mcp_requests"), 50);
    let stats = store.writer().stats();
    assert_eq!((stats.dropped, stats.waiting), (50, 0));
    holders.0.lets_go().await;
}

/// What waits takes no more room than there is for it, and others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_bounded() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=2).flat_map(pair)).await;
    let holder = Holder::of(&db, &archon_row(1)).await;
    store.writer().submit_unwatched(requests(call(1)));
    store_all(&store, [requests(call(2))]).await;
    let mut queued = 1;
    while store.writer().stats().dropped == 0 {
        assert!(queued < 40_000, "it grows without bound");
        (0..1000).for_each(|_| store.writer().submit_unwatched(requests(call(1))));
        queued += 1000;
        store_all(&store, [requests(call(2))]).await;
    }
    let began = std::time::Instant::now();
    while !store.writer().admits(Duration::from_secs(1)) {
        assert!(began.elapsed() < SOON, "nobody else is admitted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    holder.lets_go().await;
    assert!(store.writer().drain(SOON).await);
    let dropped = i64::try_from(store.writer().stats().dropped).expect("a count");
    let of_first = format!("archon_mcp_requests WHERE session_id = '{}'", ids(1).1);
    assert_eq!(count(&db, &of_first), queued - dropped);
}
