//! Time that was nobody's idleness: what it gives back to sessions, once, and that nobody is ended meanwhile.

use archonctl::store::boots::{Cause, Credits, Lost, Vitals};
use archonctl::store::sessions::{CreditRule, Credited};

use super::*;
use crate::databases::on_every_database;

const MINUTE: i64 = 60_000;

/// In chunks of `limit`, those whose time is over before `until`; how many.
async fn credit_until(store: &Store, credits: &Credits, until: Timestamp, limit: i64) -> usize {
    let (mut all, mut from) = (0, Some(Timestamp::from_millis(0)));
    while let Some(chunk) = from {
        let credited = store.credit_sessions(credits, CreditRule { until, from: chunk, limit }).await.expect("a chunk");
        assert!(credited.rows <= 2 * usize::try_from(limit).expect("a size"), "{credited:?}");
        all += credited.rows;
        from = credited.next;
    }
    all
}

async fn credit_all(store: &Store, credits: &Credits, limit: i64) -> usize {
    credit_until(store, credits, NOON.plus(PROTOCOL_TIMEOUT).plus(minutes(60 * 24)), limit).await
}

/// The end of the Archon session's time and of its connection's, each with the outage that it includes.
async fn ends(store: &Store, n: u32) -> [(Option<Timestamp>, Option<i64>); 2] {
    let stored = store.protocol_session(&ids(n).0).await.expect("an answer").expect("a session");
    let archon = stored.archon.expect("bound").life;
    [(archon.expires_at, archon.credited), (stored.life.expires_at, stored.life.credited)]
}

fn numbers(credits: &Credits) -> Vec<(i64, i64)> {
    credits.outages.iter().map(|outage| (outage.number, outage.credit_ms)).collect()
}

on_every_database!(an_outage_is_given_back_in_chunks_and_once, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=25).flat_map(pair)).await;
    store.end_archon_session(ids(25).1, by(EndReason::Operator, "bob", NOON)).await.expect("an end");
    let restarted = NOON.plus(minutes(480));
    assert_eq!(begin_boot(&store, restarted).await.outage, minutes(480));
    let credits = store.credits().await.expect("credits");
    assert_eq!(numbers(&credits), [(1, 480 * MINUTE)]);
    assert!(
        store.reap(reap_at(restarted), &Touches::default()).await.expect("a chunk").archon.is_empty(),
        "a night's outage loses nobody"
    );

    let over = NOON.plus(TIMEOUT);
    assert_eq!(credit_until(&store, &credits, over, 7).await, 0, "they have time");
    let rule = CreditRule { until: over.plus(minutes(1)), from: Timestamp::from_millis(0), limit: 7 };
    let first = store.credit_sessions(&credits, rule).await.expect("a chunk");
    assert_eq!(first, Credited { rows: 7, next: Some(over) }, "connections have a month");
    assert_eq!(first.rows + credit_all(&store, &credits, 7).await, 48);
    assert_eq!(credit_all(&store, &credits, 7).await, 0, "twice is once");
    let extended = |end: Timestamp| (Some(end.plus(minutes(480))), Some(1));
    for n in 1..=24 {
        assert_eq!(ends(&store, n).await, [extended(NOON.plus(TIMEOUT)), extended(NOON.plus(PROTOCOL_TIMEOUT))]);
    }
    // What has ended has nothing coming.
    assert_eq!(ends(&store, 25).await[0], (Some(NOON.plus(TIMEOUT)), Some(0)));
    let over = restarted.plus(TIMEOUT);
    assert!(store.reap(reap_at(over), &Touches::default()).await.expect("a chunk").archon.is_empty());
    assert_eq!(
        store
            .reap(reap_at(over.plus(Duration::from_millis(1))), &Touches::default())
            .await
            .expect("a chunk")
            .archon
            .len(),
        24
    );
});

on_every_database!(credit_sums_over_outages_and_a_clock_set_back_takes_away, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    begin_boot(&store, NOON.plus(minutes(30))).await;
    begin_boot(&store, NOON.plus(minutes(50))).await;
    let back = Lost { began: NOON.plus(minutes(60)), ended: NOON, credit_ms: -40 * MINUTE, cause: Cause::Clock };
    store.record_lost(3, 2, back).await.expect("recorded");
    let credits = store.credits().await.expect("credits");
    assert_eq!(numbers(&credits), [(1, 30 * MINUTE), (2, 20 * MINUTE), (3, -40 * MINUTE)]);
    assert_eq!(credits.set_back(), minutes(40));
    assert_eq!(credit_all(&store, &credits, 500).await, 2);
    assert_eq!(ends(&store, 1).await[0], (Some(NOON.plus(minutes(70))), Some(3)));
});

on_every_database!(what_was_lost_is_recorded_once, |db| async {
    let store = serving(&db).await;
    let lost = Lost {
        began: NOON.plus(minutes(1)),
        ended: NOON.plus(minutes(11)),
        credit_ms: 10 * MINUTE,
        cause: Cause::Freeze,
    };
    for _ in 0..2 {
        // The answer to the first COMMIT may have been lost.
        store.record_lost(1, 0, lost).await.expect("recorded");
    }
    assert_eq!(numbers(&store.credits().await.expect("credits")), [(1, 10 * MINUTE)]);
    assert_eq!(rows(&db, "SELECT cause, boot FROM archon_mcp_outages"), [["freeze", "1"]]);
    assert_eq!(
        row(&db, &format!("SELECT {} FROM archon_mcp_boots", time(&db, "heartbeat_at"))),
        ["2026-01-10 12:11:00.000"]
    );
});

/// Three servers on one PostgreSQL database see it go away and come back.
#[tokio::test]
async fn servers_that_saw_the_same_record_it_once() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    begin_boot(&store, NOON).await;
    begin_boot(&store, NOON).await;
    let lost = |cause, credit_ms: i64| Lost {
        began: NOON.plus(minutes(1)),
        ended: NOON.plus(minutes(1)).shifted(credit_ms),
        credit_ms,
        cause,
    };
    let three = (1..=3).map(|boot| store.record_lost(boot, 0, lost(Cause::Database, 30 * MINUTE)));
    futures_util::future::join_all(three).await.into_iter().for_each(|done| done.expect("recorded"));
    assert_eq!(numbers(&store.credits().await.expect("credits")), [(1, 30 * MINUTE)]);
    // Its clock is set back: each measures that a little differently.
    for (boot, more) in [(1, 0), (2, 300), (3, -700)] {
        store.record_lost(boot, 1, lost(Cause::Clock, -120 * MINUTE + more)).await.expect("recorded");
    }
    assert_eq!(numbers(&store.credits().await.expect("credits")), [(1, 30 * MINUTE), (2, -120 * MINUTE)]);
}

/// One server is frozen while another lives.
#[tokio::test]
async fn time_in_which_another_server_lived_counts() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    begin_boot(&store, NOON).await;
    store.heartbeat(2, NOON.plus(minutes(20)), &Vitals::default()).await.expect("a heartbeat");
    let frozen = |until| Lost {
        began: NOON.plus(minutes(5)),
        ended: NOON.plus(minutes(until)),
        credit_ms: i64::try_from(until - 5).expect("minutes") * MINUTE,
        cause: Cause::Freeze,
    };
    store.record_lost(1, 0, frozen(19)).await.expect("recorded");
    assert!(store.credits().await.expect("credits").outages.is_empty());
    store.record_lost(1, 0, Lost { began: NOON.plus(minutes(6)), ..frozen(50) }).await.expect("recorded");
    assert_eq!(numbers(&store.credits().await.expect("credits")), [(1, 30 * MINUTE)], "since the other was last alive");
}

on_every_database!(rows_that_wait_for_credit_are_left_alone, |db| async {
    let store = serving(&db).await;
    begin_boot(&store, NOON.plus(minutes(10))).await;
    let later = |n| {
        [opens(NewProtocolSession { credited: 1, ..protocol(n) }), creates(NewSession { credited: 1, ..archon(n) })]
    };
    store_all(&store, pair(1).into_iter().chain(later(2))).await;
    let now = NOON.plus(TIMEOUT).plus(minutes(1));
    let counts = store.session_counts(now, NOON).await.expect("counts");
    assert_eq!((counts.archon_active, counts.protocol_active), (1, 2), "what waits for credit is live");
    assert_eq!(store.reap(reap_at(now), &Touches::default()).await.expect("a chunk").archon, [ids(2).1]);
    let credits = store.credits().await.expect("credits");
    assert_eq!(credit_until(&store, &credits, now, 500).await, 1);
    assert!(store.reap(reap_at(now), &Touches::default()).await.expect("a chunk").archon.is_empty());
    assert_eq!(
        store.reap(reap_at(now.plus(minutes(10))), &Touches::default()).await.expect("a chunk").archon,
        [ids(1).1]
    );
});

on_every_database!(a_session_typed_by_hand_has_no_credit, |db| async {
    let store = serving(&db).await;
    let id = ids(1).1;
    db.rows(&format!("INSERT INTO archon_mcp_sessions (session_id, connected_at, last_activity) VALUES ('{id}', '2026-01-10 12:00:00', '2026-01-10 12:00:00')"));
    db.rows(&format!("INSERT INTO archon_mcp_sessions (session_id, connected_at, last_activity, credited) VALUES ('{}', '2026-01-10 12:00:00', '2026-01-10 12:00:00', 0)", ids(2).1));
    begin_boot(&store, NOON.plus(minutes(30))).await;
    let credits = store.credits().await.expect("credits");
    credit_all(&store, &credits, 500).await;
    assert_eq!(count(&db, "archon_mcp_sessions WHERE expires_at IS NULL"), 2);
});

// Two servers start after an outage; one has already been used when the other gives credit.
on_every_database!(credit_never_takes_back_a_touch, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=100).flat_map(pair)).await;
    let restarted = NOON.plus(minutes(30));
    begin_boot(&store, restarted).await;
    let credits = store.credits().await.expect("credits");
    let other = beside(&db).await;
    let later = restarted.plus(minutes(10));
    let touches = async {
        for n in 1..=100 {
            let archon = vec![ArchonTouch { boot: 2, credited: 1, ..touch_archon(n, later) }];
            let protocol = vec![ProtocolTouch { boot: 2, credited: 1, ..touch_protocol(n, later) }];
            store.totals().flush(2, Touches { protocol, archon }).await.map_err(|(e, _)| e).expect("a flush");
        }
    };
    tokio::join!(touches, credit_all(&other, &credits, 10));
    for n in 1..=100 {
        let [archon, protocol] = ends(&store, n).await;
        assert_eq!((archon.0, protocol.0), (Some(later.plus(TIMEOUT)), Some(later.plus(PROTOCOL_TIMEOUT))), "{n}");
    }
});

// After a clock was set back times are on another scale.
on_every_database!(a_touch_of_a_later_scale_counts, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let earlier = NOON.minus(minutes(120));
    let touch = |credited| Touches {
        protocol: vec![ProtocolTouch { credited, ..touch_protocol(1, earlier) }],
        archon: vec![ArchonTouch { credited, ..touch_archon(1, earlier) }],
    };
    store.totals().flush(1, touch(0)).await.map_err(|(e, _)| e).expect("a flush");
    assert_eq!(ends(&store, 1).await[0], (Some(NOON.plus(TIMEOUT)), Some(0)), "no use goes back");
    store.totals().flush(1, touch(1)).await.map_err(|(e, _)| e).expect("a flush");
    assert_eq!(
        ends(&store, 1).await,
        [(Some(earlier.plus(TIMEOUT)), Some(1)), (Some(earlier.plus(PROTOCOL_TIMEOUT)), Some(1))]
    );
});
