//! Counters and rollups are what their rows add up to, whatever happens in between.

use std::collections::BTreeMap;

use archonctl::model::boot::{Confidence, End, EndCause};
use archonctl::model::latency;
use futures_util::future::join_all;

use super::*;
use crate::databases::on_every_database;

/// What the tables of sums must hold, computed from the raw rows alone.
pub(super) fn assert_sums_equal_rows(db: &Database) {
    let per_session = "COUNT(*), COUNT(CASE WHEN status <> 'success' THEN 1 END), \
                       COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0)";
    assert_eq!(
        rows(
            db,
            "SELECT session_id, calls, errors, prompt_tokens, completion_tokens FROM archon_mcp_sessions WHERE calls > 0 ORDER BY 1"
        ),
        rows(
            db,
            &format!(
                "SELECT session_id, {per_session} FROM archon_mcp_requests WHERE session_id IS NOT NULL AND tool_name IS NOT NULL GROUP BY 1 ORDER BY 1"
            )
        )
    );
    assert_eq!(
        rows(
            db,
            "SELECT protocol_session_id, calls, errors, prompt_tokens, completion_tokens FROM archon_mcp_protocol_sessions WHERE calls > 0 ORDER BY 1"
        ),
        rows(
            db,
            &format!(
                "SELECT protocol_session_id, {per_session} FROM archon_mcp_requests WHERE protocol_session_id IS NOT NULL AND tool_name IS NOT NULL GROUP BY 1 ORDER BY 1"
            )
        )
    );
    let raw = format!(
        "SELECT {}, r.method, COALESCE(r.tool_name, ''), COALESCE(s.client_type, 'Unknown'), r.status, r.duration_us,
                COALESCE(r.prompt_tokens, 0), COALESCE(r.completion_tokens, 0)
         FROM archon_mcp_requests r LEFT JOIN archon_mcp_sessions s ON s.session_id = r.session_id",
        time(db, "r.timestamp")
    );
    let mut sums: BTreeMap<Vec<String>, [i64; 4]> = BTreeMap::new();
    for row in rows(db, &raw) {
        let [minute, duration, prompt, completion] = [0, 5, 6, 7].map(|i| &row[i]);
        let number = |text: &String| text.parse::<i64>().expect("a number");
        let micros = number(duration).try_into().expect("a duration");
        let mut key = vec![format!("{}:00.000", &minute[..16])];
        key.extend_from_slice(&row[1..5]);
        key.push(latency::bucket(Duration::from_micros(micros)).to_string());
        let sum = sums.entry(key).or_default();
        for (total, more) in sum.iter_mut().zip([1, number(duration), number(prompt), number(completion)]) {
            *total += more;
        }
    }
    let stored = format!(
        "SELECT {}, method, tool_name, client_type, status, bucket, calls, duration_us, prompt_tokens, completion_tokens
         FROM archon_mcp_rollups",
        time(db, "minute")
    );
    let mut stored = rows(db, &stored);
    stored.sort();
    let wanted: Vec<Vec<String>> =
        sums.into_iter().map(|(key, sum)| key.into_iter().chain(sum.map(|n| n.to_string())).collect()).collect();
    let mut wanted = wanted;
    wanted.sort();
    assert_eq!(stored, wanted);
    assert_hours_and_days_equal_minutes(db);
}

fn assert_hours_and_days_equal_minutes(db: &Database) {
    let sums = "SUM(calls), SUM(duration_us), SUM(prompt_tokens), SUM(completion_tokens)";
    let (minute, key) = (time(db, "minute"), "method, tool_name, client_type, status, bucket");
    assert_eq!(
        rows(
            db,
            &format!(
                "SELECT {}, {key}, {sums} FROM archon_mcp_rollups_daily GROUP BY 1, {key} ORDER BY 1, {key}",
                time(db, "day")
            )
        ),
        rows(
            db,
            &format!(
                "SELECT substr({minute}, 1, 10) || ' 00:00:00.000', {key}, {sums} FROM archon_mcp_rollups GROUP BY 1, {key} ORDER BY 1, {key}"
            )
        )
    );
    assert_eq!(
        rows(
            db,
            &format!(
                "SELECT {}, status, bucket, {sums} FROM archon_mcp_rollups_hourly GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                time(db, "hour")
            )
        ),
        rows(
            db,
            &format!(
                "SELECT substr({minute}, 1, 13) || ':00:00.000', status, bucket, {sums} FROM archon_mcp_rollups WHERE tool_name <> '' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            )
        )
    );
}

/// Requests of all kinds, different for each `n`.
pub(super) fn varied(n: u32) -> NewRequest {
    let statuses = [RequestStatus::Success, RequestStatus::Success, RequestStatus::Error, RequestStatus::Timeout];
    let tools = ["health_check", "find_projects", "manage_project"];
    let pick = |count: u32| usize::try_from(n % count).expect("small");
    let listing = n.is_multiple_of(5);
    NewRequest {
        method: if listing { "tools/list" } else { "tools/call" }.into(),
        tool_name: (!listing).then(|| tools[pick(3)].into()),
        timestamp: NOON.plus(Duration::from_millis(u64::from(n) * 977)),
        duration_us: i64::from(n * n % 100_000),
        status: statuses[pick(4)],
        tokens: (!n.is_multiple_of(7)).then_some(Tokens { prompt: n, completion: 2 * n }),
        ..call(1 + n % 20)
    }
}

pub(super) fn sessions() -> impl Iterator<Item = Write> {
    (1..=20).flat_map(pair)
}

pub(super) async fn fold_all(store: &Store, boot: i64, limit: i64) {
    while store.totals().fold_leftovers(boot, limit).await.expect("a fold") > 0 {}
}

on_every_database!(sums_equal_rows_after_concurrent_calls_and_flushes, |db| async {
    let store = serving(&db).await;
    store_all(&store, sessions()).await;
    let callers = (0..8).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..50 {
                store_all(&store, [requests(varied(task * 50 + n))]).await;
                if n % 10 == task {
                    flush(&store).await;
                }
            }
        })
    });
    for caller in join_all(callers).await {
        caller.expect("a caller");
    }
    flush(&store).await;
    assert_sums_equal_rows(&db);
    assert_eq!(
        row(&db, "SELECT folded_seq, (SELECT MAX(seq) FROM archon_mcp_requests) FROM archon_mcp_boots")
            .iter()
            .collect::<std::collections::HashSet<_>>()
            .len(),
        1
    );
    flush(&store).await;
    assert_sums_equal_rows(&db);
    assert_eq!(store.totals().unfolded_boots().await.expect("boots"), Vec::<i64>::new());
});

on_every_database!(a_flush_that_fails_keeps_its_sums, |db| async {
    let store = serving(&db).await;
    store_all(&store, sessions().chain((0..50).map(|n| requests(varied(n))))).await;
    db.rows("ALTER TABLE archon_mcp_rollups RENAME TO away");
    let touches = Touches {
        archon: vec![touch_archon(1, NOON.plus(minutes(1)))],
        protocol: vec![touch_protocol(1, NOON.plus(minutes(1)))],
    };
    let (error, touches) = store.totals().flush(1, touches).await.expect_err("a table is missing");
    assert!(!error.to_string().is_empty());
    assert!(!store.outage().is_on() && store.outage().is_suspected(), "once may be by chance");
    let (_, touches) = store.totals().flush(1, touches).await.expect_err("a table is missing");
    assert!(store.outage().is_on(), "twice is an outage");
    assert_eq!((touches.archon.len(), touches.protocol.len()), (1, 1));
    assert_eq!(count(&db, "archon_mcp_sessions WHERE calls > 0"), 0, "all or nothing");
    store_all(&store, (50..100).map(|n| requests(varied(n)))).await;
    db.rows("ALTER TABLE away RENAME TO archon_mcp_rollups");
    store.totals().flush(1, touches).await.map_err(|(e, _)| e).expect("a flush");
    assert!(!store.outage().is_suspected());
    assert_sums_equal_rows(&db);
    assert_eq!(
        count(&db, &format!("archon_mcp_sessions WHERE {} = '2026-01-10 12:01:00.000'", time(&db, "last_activity"))),
        1
    );
});

on_every_database!(a_flush_that_is_dropped_keeps_its_sums, |db| async {
    let store = serving(&db).await;
    store_all(&store, sessions()).await;
    for n in 0..60 {
        store_all(&store, [requests(varied(n))]).await;
        _ = tokio::time::timeout(Duration::from_micros(u64::from(n) * 30), store.totals().flush(1, Touches::default()))
            .await;
    }
    flush(&store).await;
    assert_sums_equal_rows(&db);
});

on_every_database!(two_servers_add_to_the_same_sums, |db| async {
    let store = serving(&db).await;
    store_all(&store, sessions()).await;
    let other = beside(&db).await;
    let second = begin_boot(&other, NOON).await.number;
    let run = |store: Store, boot: i64, from: u32| async move {
        for n in from..from + 40 {
            store_all(&store, [requests(varied(n))]).await;
            let touches = Touches { archon: vec![touch_archon(1 + n % 20, NOON)], ..Touches::default() };
            store.totals().flush(boot, touches).await.map_err(|(e, _)| e).expect("a flush");
        }
        store.totals().flush(boot, Touches::default()).await.map_err(|(e, _)| e).expect("a flush");
    };
    tokio::join!(run(store.clone(), 1, 0), run(other, second, 20));
    assert_sums_equal_rows(&db);
});

on_every_database!(no_name_is_too_long_or_too_strange_for_a_sum, |db| async {
    let store = serving(&db).await;
    // Random, because PostgreSQL compresses. The columns of the rows themselves have no index.
    let long: String = (0..500).map(|_| Uuid::new_v4().to_string()).collect();
    let strange = NewRequest { client_type: "a\0b".into(), tool_name: Some(long.clone().into()), ..call(1) };
    store_all(&store, pair(1).into_iter().chain([requests(strange), requests(call(1))])).await;
    flush(&store).await;
    assert_eq!(
        rows(&db, "SELECT LENGTH(tool_name), calls FROM archon_mcp_rollups ORDER BY 1"),
        [["12", "1"], ["200", "1"]]
    );
    assert_eq!(db.value("SELECT MAX(LENGTH(tool_name)) FROM archon_mcp_requests"), long.len().to_string());
});

on_every_database!(a_call_that_ran_over_the_end_of_its_session_is_late, |db| async {
    let store = serving(&db).await;
    let ms = |n| NOON.plus(Duration::from_millis(n));
    let ran = |n, from: u64, to: u64| {
        let duration_us = 1000 * i64::try_from(to - from).expect("a duration");
        requests(NewRequest { timestamp: ms(from), duration_us, ..call(n) })
    };
    store_all(&store, pair(1).into_iter().chain(pair(2))).await;
    // The store's own news of an end: nobody told this server.
    store.end_archon_session(ids(1).1, by(EndReason::Operator, "bob", ms(50))).await.expect("an end");
    let spans = [(0, 49), (0, 50), (0, 51), (50, 51), (51, 60), (20, 2000)];
    store_all(&store, spans.into_iter().flat_map(|(from, to)| [ran(1, from, to), ran(2, from, to)])).await;
    flush(&store).await;
    let late = "SELECT session_id, duration_us FROM archon_mcp_requests WHERE CAST(late AS INTEGER) <> 0 ORDER BY seq";
    let ended = |duration_us: &str| [ids(1).1.to_string(), duration_us.to_owned()];
    assert_eq!(rows(&db, late), [ended("51000"), ended("1000"), ended("1980000")]);
    // What a dead boot left is looked at in the same way.
    store_all(&store, [ran(1, 30, 70), ran(2, 30, 70)]).await;
    store.end_boot(1, ms(80), &End::new(EndCause::Crash, Confidence::Possible, "a test")).await.expect("an end");
    fold_all(&beside(&db).await, 1, 10).await;
    assert_eq!(count(&db, "archon_mcp_requests WHERE CAST(late AS INTEGER) <> 0"), 4);
});
