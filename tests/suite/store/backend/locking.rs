//! Many who write the same sessions at the same time: nobody waits for each other in a circle, nobody waits for somebody
//! frozen, and what was given up in the middle holds nothing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use archonctl::store::boots::Vitals;
use sqlx::{Connection, Executor, PgConnection};

use super::*;

/// How many pairs of sessions they write.
const PAIRS: u32 = 40;

fn deadlocks(db: &Database) -> String {
    // Counted when a connection ends, or a little later.
    db.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
}

/// The statistics of connections arrive when they end, at the latest.
async fn until_all_have_gone(db: &Database) {
    let ours = "pg_stat_activity WHERE datname = current_database() AND application_name = 'archonctl'";
    while count(db, ours) > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Connections of ours in the middle of a transaction that do nothing.
pub(super) fn idle_in_transaction(db: &Database) -> i64 {
    count(
        db,
        "pg_stat_activity WHERE datname = current_database() AND application_name = 'archonctl' \
         AND state LIKE 'idle in transaction%'",
    )
}

/// Writes as a busy server does, until the time is over: in an order of its own.
struct Hammer {
    store: Store,
    boot: i64,
    state: u64,
    stop: Arc<AtomicBool>,
}

impl Hammer {
    fn new(store: &Store, (boot, seed): (i64, u64), stop: &Arc<AtomicBool>) -> Self {
        Self { store: store.clone(), boot, state: seed, stop: stop.clone() }
    }

    fn is_on(&self) -> bool {
        !self.stop.load(Relaxed)
    }

    /// Some number below `most`.
    fn any(&mut self, most: u32) -> u32 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.state >> 33).expect("31 bits") % most
    }

    fn pair(&mut self) -> u32 {
        1 + self.any(PAIRS)
    }

    /// Touches and sums.
    async fn flushes(mut self) {
        let mut at = NOON;
        while self.is_on() {
            at = at.plus(Duration::from_millis(10));
            let touches = Touches {
                archon: (0..20).map(|_| touch_archon(self.pair(), at)).collect(),
                protocol: (0..20).map(|_| touch_protocol(self.pair(), at)).collect(),
            };
            self.store.totals().flush(self.boot, touches).await.map_err(|(e, _)| e).expect("a flush");
        }
    }

    /// First calls, of sessions that there are and of new ones; sessions bound to others' Archon sessions.
    async fn calls(mut self, first: u32) {
        for n in first.. {
            if !self.is_on() {
                break;
            }
            let mut writes = vec![opens(protocol(n)), creates(archon(n)), requests(call(n))];
            for _ in 0..4 {
                let (a, b) = (self.pair(), self.pair());
                let bound = Binding { protocol_session_id: ids(a).0, session_id: ids(b).1 };
                // Whoever ended long ago may have been removed.
                let there = [creates(archon(a)), creates(archon(b))];
                writes.extend(there.into_iter().chain([Write::Bind(Box::new(bound)), requests(call(b))]));
            }
            store_all(&self.store, writes).await;
        }
    }

    /// Ends of all kinds. Live ones follow, so that there is something to end.
    async fn ends(mut self, first: u32) {
        for n in first.. {
            if !self.is_on() {
                break;
            }
            store_all(&self.store, pair(n)).await;
            let ending = by(EndReason::Operator, "bob", NOON);
            let some = [self.pair(), n];
            match self.any(4) {
                0 => self.store.end_protocol_session(&ids(some[0]).0, ending).await.map(|_| ()),
                1 => self.store.end_archon_session(ids(some[0]).1, ending).await.map(|_| ()),
                2 => self.store.end_together(&some.map(|n| ids(n).1), &[], ending, None).await.map(|_| ()),
                _ => self.store.end_protocol_session(&ids(n).0, ending).await.map(|_| ()),
            }
            .expect("an end");
        }
    }

    /// What is past its time, what is old, and what dead boots left.
    async fn cleans(self) {
        while self.is_on() {
            self.store.reap(reap_at(NOON.plus(minutes(70))), &Touches::default()).await.expect("a chunk");
            self.store.prune(NOON.plus(minutes(1)), 50).await.expect("a chunk");
            self.store.heartbeat(self.boot, NOON, &Vitals::default()).await.expect("a heartbeat");
        }
    }

    /// What somebody types.
    async fn types(self, url: String) {
        let mut connection = PgConnection::connect(&url).await.expect("connect");
        while self.is_on() {
            for sql in [
                "UPDATE archon_mcp_sessions SET user_name = 'bob' WHERE principal = 'alice'",
                "UPDATE archon_mcp_protocol_sessions SET client_name = 'x' WHERE ctid IN \
                 (SELECT ctid FROM archon_mcp_protocol_sessions ORDER BY random() LIMIT 50)",
                "UPDATE archon_mcp_sessions SET status = 'disconnected' WHERE status = 'active' AND session_id IN \
                 (SELECT session_id FROM archon_mcp_sessions WHERE status = 'active' ORDER BY random() LIMIT 3)",
            ] {
                connection.execute(sql).await.expect("a statement");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_operators_and_people_never_wait_in_a_circle() {
    let Some(db) = Database::postgres() else { return };
    let first = serving(&db).await;
    store_all(&first, (1..=PAIRS).flat_map(pair)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for server in 0..3u32 {
        let store = if server == 0 { first.clone() } else { beside(&db).await };
        let boot = if server == 0 { 1 } else { begin_boot(&store, NOON).await.number };
        let hammer = |seed: u32| Hammer::new(&store, (boot, u64::from(10 * server + seed)), &stop);
        tasks.push(tokio::spawn(hammer(1).flushes()));
        tasks.push(tokio::spawn(hammer(2).calls(10_000 * (server + 1))));
        tasks.push(tokio::spawn(hammer(3).ends(100_000 * (server + 1))));
        tasks.push(tokio::spawn(hammer(4).cleans()));
    }
    tasks.push(tokio::spawn(Hammer::new(&first, (1, 99), &stop).types(db.url().to_owned())));
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.store(true, Relaxed);
    for task in tasks {
        task.await.expect("nothing failed");
    }
    assert_eq!(first.writer().stats().dropped, 0);
    // What ended has ended whole.
    let half = "archon_mcp_sessions s WHERE s.status = 'active' AND s.protocol_session_id IS NOT NULL AND EXISTS \
         (SELECT 1 FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = s.protocol_session_id \
          AND p.session_id = s.session_id AND p.status <> 'active') AND NOT EXISTS \
         (SELECT 1 FROM archon_mcp_protocol_sessions p WHERE p.session_id = s.session_id AND p.status = 'active')";
    assert_eq!(count(&db, half), 0, "live Archon sessions of nobody");
    drop(first);
    until_all_have_gone(&db).await;
    assert_eq!(deadlocks(&db), "0");
}

/// Somebody locks rows, by their ids, looks at them and then changes them. Calls go on, and nobody is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_locks_rows_before_changing_them_is_in_nobodys_way() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=PAIRS).flat_map(pair)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut hammer = Hammer::new(&store, (1, 2), &stop);
    let calling = tokio::spawn(async move {
        while hammer.is_on() {
            // Nothing else is in the batch.
            let calls: Vec<_> = (0..10).map(|_| requests(call(hammer.pair()))).collect();
            store_all(&hammer.store, calls).await;
        }
    });
    let flushing = tokio::spawn(Hammer::new(&store, (1, 3), &stop).flushes());
    let mut hand = PgConnection::connect(db.url()).await.expect("connect");
    let mut picker = Hammer::new(&store, (1, 4), &stop);
    let began = std::time::Instant::now();
    let mut held = 0;
    while began.elapsed() < Duration::from_millis(1500) {
        let mut some: Vec<_> = (0..10).map(|_| ids(picker.pair()).1).collect();
        some.sort_unstable();
        let list = some.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
        let lock =
            format!("SELECT 1 FROM archon_mcp_sessions WHERE session_id IN ({list}) ORDER BY session_id FOR UPDATE");
        let change = format!("UPDATE archon_mcp_sessions SET user_name = 'bob' WHERE session_id IN ({list})");
        hand.execute("BEGIN").await.expect("a transaction");
        hand.execute(sqlx::AssertSqlSafe(lock)).await.expect("the locks");
        tokio::time::sleep(Duration::from_millis(20)).await;
        hand.execute(sqlx::AssertSqlSafe(change)).await.expect("a change");
        hand.execute("COMMIT").await.expect("a commit");
        held += 1;
    }
    stop.store(true, Relaxed);
    for task in [calling, flushing] {
        task.await.expect("nothing failed");
    }
    assert!(held > 1, "{held} times");
    assert_eq!(store.writer().stats().dropped, 0);
    drop((store, picker));
    until_all_have_gone(&db).await;
    assert_eq!(deadlocks(&db), "0", "in {held} times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_repeated_at_once_and_is_no_outage() {
    let Some(db) = Database::postgres() else { return };
    // The database looks for one sooner than we give up.
    db.rows(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' SET deadlock_timeout TO 50'; END $$",
    );
    let store = serving(&db).await;
    store_all(&store, (1..=2).flat_map(pair)).await;
    let (a, b) = (ids(1).1, ids(2).1);
    let lock =
        |id| sqlx::AssertSqlSafe(format!("SELECT 1 FROM archon_mcp_sessions WHERE session_id = '{id}' FOR UPDATE"));
    // Somebody who takes rows in the other order, and has more patience than we.
    let mut other = PgConnection::connect(db.url()).await.expect("connect");
    other.execute("BEGIN; SET LOCAL deadlock_timeout TO '30s'").await.expect("a transaction");
    other.execute(lock(b)).await.expect("a lock");
    let later = NOON.plus(minutes(1));
    let flushing = store
        .totals()
        .flush(1, Touches { archon: vec![touch_archon(1, later), touch_archon(2, later)], protocol: vec![] });
    let opposing = async {
        while count(&db, "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        other.execute(lock(a)).await.expect("the other one wins");
        other.execute("COMMIT").await.expect("a commit");
    };
    let (flushed, ()) = tokio::join!(flushing, opposing);
    flushed.map_err(|(e, _)| e).expect("a flush");
    assert!(!store.outage().is_suspected());
    for id in [a, b] {
        assert_eq!(store.archon_session(id).await.expect("an answer").expect("a session").life.last_activity, later);
    }
}

/// Somebody types an UPDATE, and goes for a coffee before the COMMIT.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_was_typed_and_not_committed_stops_nobody_else() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=2).flat_map(pair)).await;
    let mut typed = PgConnection::connect(db.url()).await.expect("connect");
    let id = ids(1).1;
    let sql = format!("BEGIN; UPDATE archon_mcp_sessions SET status = 'disconnected' WHERE session_id = '{id}'");
    typed.execute(sqlx::AssertSqlSafe(sql)).await.expect("a statement");
    let opened = store.writer().submit(opens(protocol(3))).required(Duration::from_secs(2));
    store.writer().submit_unwatched(creates(archon(3)));
    assert!(opened.await.is_ok());
    store_all(&store, [requests(call(2)), requests(call(3))]).await;
    let touches = Touches { archon: vec![touch_archon(2, NOON.plus(minutes(1)))], protocol: vec![] };
    store.totals().flush(1, touches).await.map_err(|(e, _)| e).expect("a flush");
    assert!(store.end_protocol_session(&ids(2).0, by(EndReason::Operator, "bob", NOON)).await.expect("an end"));
    typed.execute("COMMIT").await.expect("a commit");
    assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'active'"), 1);
    assert_eq!(store.writer().stats().dropped, 0);
}
