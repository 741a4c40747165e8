//! The database goes away for a while: nothing is lost, nothing comes twice, and the store says so meanwhile.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::future::join_all;
use sqlx::{Connection, Executor, PgConnection};

use super::*;
use crate::databases::{Blockade, on_every_database};
use archonctl::store::commit::CAPACITY;

/// Keeps everybody else from writing rows.
const LOCK: &str = "LOCK TABLE archon_mcp_requests IN EXCLUSIVE MODE";

on_every_database!(a_locked_database_only_delays, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let blockade = Blockade::of(&db, LOCK).await;
    let waiting: Vec<_> = (0..100).map(|_| store.writer().submit(requests(call(1)))).collect();
    let late = store.writer().submit(requests(call(1))).within(Duration::from_millis(50)).await;
    assert_eq!(late, Commit::Deferred);
    assert_eq!(count(&db, "archon_mcp_requests"), 0);
    // Reading goes on.
    assert!(store.protocol_session(&ids(1).0).await.expect("an answer").is_some());
    tokio::time::sleep(Duration::from_secs(1)).await;
    blockade.release().await;
    for ticket in waiting {
        assert_eq!(ticket.within(SOON).await, Commit::Done);
    }
    assert!(store.writer().drain(SOON).await);
    assert_eq!(count(&db, "archon_mcp_requests"), 101);
    let stats = store.writer().stats();
    assert_eq!((stats.deferred, stats.dropped, stats.waiting), (1, 0, 0));
});

on_every_database!(a_queue_that_stands_still_admits_nobody, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    assert!(store.writer().admits(Duration::from_secs(1)));
    assert_eq!(store.writer().stats().oldest, Duration::ZERO);
    let blockade = Blockade::of(&db, LOCK).await;
    store.writer().submit_unwatched(requests(call(1)));
    while store.writer().admits(Duration::from_millis(100)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(store.writer().stats().oldest >= Duration::from_millis(100));
    assert!(store.writer().admits(minutes(1)), "the grace has not passed");
    assert!(!store.writer().drain(Duration::from_millis(20)).await, "nothing is committed");

    while store.writer().stats().waiting < CAPACITY / 5 * 4 {
        store.writer().submit_unwatched(requests(call(1)));
    }
    assert!(!store.writer().admits(minutes(1)), "the queue is 80 % full");
    let mut queued = store.writer().stats().waiting;
    while store.writer().stats().dropped == 0 {
        store.writer().submit_unwatched(requests(call(1)));
        queued += 1;
    }
    let refused = store.writer().submit(requests(call(1))).within(SOON).await;
    assert!(matches!(&refused, Commit::Refused(why) if why.contains("full")), "{refused:?}");
    let refused = store.writer().submit(opens(protocol(2))).required(SOON).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.writer().stats().dropped, 3);

    assert!(!store.writer().drain(Duration::from_millis(20)).await, "there is not even room to wait");
    assert_eq!(store.writer().stats().dropped, 3);
    blockade.release().await;
    assert!(store.writer().drain(SOON).await);
    assert!(store.writer().admits(Duration::from_secs(1)));
    // All but the dropped one, and the barriers, which have no rows.
    let barriers = 1;
    assert_eq!(count(&db, "archon_mcp_requests"), i64::try_from(queued - 1 - barriers).expect("a count"));
});

on_every_database!(a_cancelled_write_leaves_nothing_half_done, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=40).flat_map(pair)).await;
    // Dropped after a few polls, wherever it is by then.
    for n in 1..=40 {
        let end = store.end_archon_session(ids(n).1, by(EndReason::Operator, "bob", NOON.plus(TIMEOUT)));
        _ = tokio::time::timeout(Duration::from_micros(u64::from(n) * 50), end).await;
    }
    for n in 1..=40 {
        store.end_archon_session(ids(n).1, by(EndReason::Operator, "bob", NOON.plus(TIMEOUT))).await.expect("an end");
    }
    store_all(&store, [requests(call(1))]).await;
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 80);
});

/// Ends all connections of the store, as a restart of the server or a firewall does.
async fn cut(db: &Database, admin: &mut PgConnection) {
    let name = db.url().rsplit('/').next().unwrap_or_default();
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'archonctl'"
    );
    admin.execute(sqlx::AssertSqlSafe(sql)).await.expect("cut the connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_nothing_and_double_nothing() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let mut admin = PgConnection::connect(db.url()).await.expect("connect");
    let stop = Arc::new(AtomicBool::new(false));
    let submitters = (0..16u32).map(|task| {
        let (store, stop) = (store.clone(), stop.clone());
        tokio::spawn(async move {
            let mut n = 0;
            while !stop.load(Relaxed) {
                let new = 1000 * (task + 1) + n;
                let rows = [requests(call(1)), events(event(1, "refused"))];
                store_all(&store, pair(new).into_iter().chain([requests(call(new))]).chain(rows)).await;
                n += 1;
            }
            n
        })
    });
    let submitters: Vec<_> = submitters.collect();
    let flusher = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            while !stop.load(Relaxed) {
                // A flush that fails is repeated by the next one.
                _ = store.totals().flush(1, Touches::default()).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        cut(&db, &mut admin).await;
    }
    stop.store(true, Relaxed);
    let written: u32 = join_all(submitters).await.into_iter().map(|n| n.expect("a submitter")).sum();
    flusher.await.expect("the flusher");
    assert!(written > 0);
    let wanted = [written * 2, written, written + 1, written + 1].map(|n| n.to_string());
    assert_eq!(
        row(
            &db,
            "SELECT (SELECT COUNT(*) FROM archon_mcp_requests),
                    (SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'refused'),
                    (SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'created'),
                    (SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'initialised')"
        ),
        wanted
    );
    // The sums too, whichever of the flushes were cut before or after their COMMIT.
    flush(&store).await;
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), wanted[0]);
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_sessions"), wanted[0]);
    assert_eq!(store.writer().stats().dropped, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_refuses_connections_is_waited_for() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let (server, name) = db.url().rsplit_once('/').expect("a URL with a database");
    // From outside, because nobody closes the database that he is in.
    let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.expect("connect");
    let allow = |yes: bool| sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}"));
    admin.execute(allow(false)).await.expect("close");
    cut(&db, &mut admin).await;
    // "I don't know" is never "there is none".
    let unknown = store.protocol_session(&ids(1).0).await;
    assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    let end = store.end_archon_session(ids(1).1, by(EndReason::Operator, "bob", NOON)).await;
    assert!(matches!(end, Err(StoreError::Unavailable(_))), "{end:?}");
    let touch = || Touches { archon: vec![touch_archon(1, NOON.plus(minutes(1)))], ..Touches::default() };
    let (error, touches) = store.totals().flush(1, touch()).await.expect_err("no database");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let waiting = store.writer().submit(requests(call(1)));
    assert_eq!(store.writer().submit(requests(call(1))).within(Duration::from_millis(20)).await, Commit::Deferred);

    admin.execute(allow(true)).await.expect("open");
    assert_eq!(waiting.within(SOON).await, Commit::Done);
    assert!(store.protocol_session(&ids(1).0).await.expect("an answer").is_some());
    store.totals().flush(1, touches).await.map_err(|(e, _)| e).expect("a flush");
    let stored = store.archon_session(ids(1).1).await.expect("an answer").expect("a session");
    assert_eq!(stored.life.last_activity, NOON.plus(minutes(1)));
    assert_eq!(count(&db, "archon_mcp_requests"), 2);
}

/// A lock, a stopped process, a network that swallows packets: to us they are the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_is_not_waited_for_forever() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let blockade = Blockade::of(&db, "LOCK TABLE archon_mcp_protocol_sessions IN ACCESS EXCLUSIVE MODE").await;
    // More of them than there are connections.
    let id = ids(1).0;
    for answer in join_all((0..20).map(|_| store.protocol_session(&id))).await {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    let ending = by(EndReason::Operator, "bob", NOON);
    let ended = store.end_protocol_session(&id, ending).await;
    assert!(matches!(ended, Err(StoreError::Unavailable(_) | StoreError::Held(_))), "{ended:?}");
    // The writer has a connection of its own.
    store_all(&store, [requests(call(1))]).await;

    blockade.release().await;
    for answer in join_all((0..20).map(|_| store.protocol_session(&id))).await {
        assert!(answer.expect("an answer").is_some());
    }
    assert!(store.end_protocol_session(&id, ending).await.expect("an end"));
}

/// A schema that is broken, or not ours to write, is no reason to throw rows away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_gone_is_waited_for() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    db.rows("ALTER TABLE archon_mcp_requests RENAME TO away");
    let ticket = store.writer().submit(requests(call(1)));
    assert_eq!(store.writer().submit(requests(call(1))).within(Duration::from_millis(200)).await, Commit::Deferred);
    db.rows("ALTER TABLE away RENAME TO archon_mcp_requests; ALTER TABLE archon_mcp_protocol_sessions RENAME TO away");
    let unknown = store.protocol_session(&ids(1).0).await;
    assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
    db.rows("ALTER TABLE away RENAME TO archon_mcp_protocol_sessions");
    assert_eq!(ticket.within(SOON).await, Commit::Done);
    assert!(store.writer().drain(SOON).await);
    assert_eq!((count(&db, "archon_mcp_requests"), store.writer().stats().dropped), (2, 0));
}

/// A table that somebody has rebuilt numbers its rows by a sequence that does not belong to it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_rebuilt_is_written_to() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    db.rows("ALTER SEQUENCE archon_mcp_requests_id_seq OWNED BY NONE");
    store_all(&store, [requests(call(1))]).await;
    assert_eq!(count(&db, "archon_mcp_requests"), 1);
}
