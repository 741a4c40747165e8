//! Boots: their numbers, the outages before them, and what those give back to sessions.

use archonctl::model::boot::{Confidence, End, EndCause};
use archonctl::model::clock::Clock;
use archonctl::store::boots::{DEAD_AFTER, ServerName, Vitals};

use super::*;
use crate::databases::on_every_database;

fn ended(cause: EndCause) -> End {
    End::new(cause, Confidence::Certain, "a test")
}

/// How the boot before it ended.
fn cause(begun: &Begun) -> Option<EndCause> {
    begun.previous.as_ref().map(|end| end.cause)
}

on_every_database!(boots_are_numbered_and_remember_how_the_last_one_ended, |db| async {
    let store = open(&db, Role::Server).await.expect("open");
    let first = begin_boot(&store, NOON).await;
    assert_eq!((first.number, first.outage, cause(&first)), (1, Duration::ZERO, None));
    store
        .heartbeat(1, NOON.plus(minutes(5)), &Vitals { cleaned_up: Some(NOON.plus(minutes(4))), ..Vitals::default() })
        .await
        .expect("a heartbeat");
    store.heartbeat(1, NOON.plus(minutes(6)), &Vitals::default()).await.expect("a heartbeat");
    assert_eq!(
        row(
            &db,
            &format!(
                "SELECT {}, {}, end_cause, pid, version, token_method FROM archon_mcp_boots",
                time(&db, "heartbeat_at"),
                time(&db, "cleanup_at")
            )
        ),
        [
            "2026-01-10 12:06:00.000",
            "2026-01-10 12:04:00.000",
            "NULL",
            &*std::process::id().to_string(),
            VERSION,
            "approx"
        ]
    );
    store.end_boot(1, NOON.plus(minutes(7)), &ended(EndCause::Clean)).await.expect("an end");
    // The first end counts.
    store.end_boot(1, NOON.plus(minutes(8)), &ended(EndCause::Interrupt)).await.expect("an end");
    let second = begin_boot(&store, NOON.plus(minutes(10))).await;
    assert_eq!((second.number, second.outage, cause(&second)), (2, minutes(3), Some(EndCause::Clean)));
    store.heartbeat(2, NOON.plus(minutes(11)), &Vitals::default()).await.expect("a heartbeat");
    // Nothing is heard of it any more; its process, which is this one, is there. A SQLite file it would have locked.
    let unheard = if db.is_postgres() { EndCause::Frozen } else { EndCause::Crash };
    let third = begin_boot(&store, NOON.plus(minutes(30))).await;
    assert_eq!((third.number, third.outage, cause(&third)), (3, minutes(19), Some(unheard)));
    assert_eq!(
        rows(
            &db,
            &format!(
                "SELECT number, end_cause, {}, outage_ms FROM archon_mcp_boots ORDER BY number",
                time(&db, "ended_at")
            )
        ),
        [
            ["1", "clean", "2026-01-10 12:07:00.000", "0"],
            ["2", "crash", "2026-01-10 12:11:00.000", "180000"],
            ["3", "NULL", "NULL", "1140000"],
        ]
    );
});

on_every_database!(no_outage_is_longer_than_the_window, |db| async {
    let store = serving(&db).await;
    let boot = NewBoot { recover_window: minutes(30), ..boot_at(NOON.plus(minutes(90))) };
    assert_eq!(store.begin_boot(&boot).await.expect("a boot").outage, minutes(30));
    let outages = store.credits().await.expect("credits").outages;
    assert_eq!(outages.iter().map(|o| (o.number, o.credit_ms)).collect::<Vec<_>>(), [(1, 30 * 60_000)]);
    // A clock that was set back is no outage.
    assert_eq!(begin_boot(&store, NOON.minus(minutes(90))).await.outage, Duration::ZERO);
});

/// Several servers on one PostgreSQL database.
#[tokio::test]
async fn while_one_server_lives_there_is_no_outage() {
    let Some(db) = Database::postgres() else { return };
    let first = serving(&db).await;
    let second = open(&db, Role::Server).await.expect("open");
    let begun = begin_boot(&second, NOON.plus(Duration::from_secs(14))).await;
    assert_eq!((begun.number, begun.outage), (2, Duration::ZERO));
    first.heartbeat(1, NOON.plus(minutes(1)), &Vitals::default()).await.expect("a heartbeat");
    // The second falls silent and is buried; the first is alive.
    first.heartbeat(1, NOON.plus(minutes(2)), &Vitals::default()).await.expect("a heartbeat");
    assert_eq!(
        rows(
            &db,
            &format!("SELECT number, end_cause, {} FROM archon_mcp_boots ORDER BY number", time(&db, "ended_at"))
        ),
        [["1", "NULL", "NULL"], ["2", "crash", "2026-01-10 12:00:14.000"]]
    );
    // It was only slow.
    second.heartbeat(2, NOON.plus(Duration::from_secs(160)), &Vitals::default()).await.expect("a heartbeat");
    assert_eq!(count(&db, "archon_mcp_boots WHERE ended_at IS NULL AND end_cause IS NULL"), 2);
    let third = begin_boot(&open(&db, Role::Server).await.expect("open"), NOON.plus(minutes(3))).await;
    assert_eq!((third.number, third.outage), (3, Duration::ZERO));
    // All of them die.
    let late = NOON.plus(minutes(60));
    let fourth = begin_boot(&first, late).await;
    assert_eq!((fourth.number, fourth.outage), (4, minutes(57)), "since the third began");
    assert_eq!(count(&db, "archon_mcp_boots WHERE end_cause = 'crash'"), 3);
    assert!(DEAD_AFTER < minutes(1));
}

#[tokio::test]
async fn servers_that_start_together_share_one_outage() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    let others = futures_util::future::join_all((0..6).map(|_| open(&db, Role::Server))).await;
    let others: Vec<_> = others.into_iter().map(|s| s.expect("open")).collect();
    let late = NOON.plus(minutes(480));
    let begun = futures_util::future::join_all(others.iter().map(|s| begin_boot(s, late))).await;
    let mut outages: Vec<_> = begun.iter().map(|b| b.outage).collect();
    outages.sort();
    assert_eq!(outages, [&[Duration::ZERO; 5][..], &[minutes(480)]].concat());
    assert_eq!(store.credits().await.expect("credits").outages.len(), 1);
}

on_every_database!(clocks_of_one_machine_agree, |db| async {
    let store = serving(&db).await;
    let offset = store.clock_offset(&Clock::default()).await.expect("an answer");
    assert_eq!(offset.is_some(), db.is_postgres(), "SQLite has no clock of its own");
    assert!(offset.unwrap_or(0).abs() < 1000, "{offset:?}");
});

/// A process that has been.
fn gone() -> u32 {
    let mut child = std::process::Command::new("true").spawn().expect("a process");
    child.wait().expect("an end");
    child.id()
}

/// How each boot has ended.
fn causes(db: &Database) -> Vec<String> {
    rows(db, "SELECT end_cause FROM archon_mcp_boots ORDER BY number")
        .into_iter()
        .map(|mut row| row.remove(0))
        .collect()
}

/// On PostgreSQL a server elsewhere is dead when it was silent for long; on this machine, when its process is gone.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_this_machine_is_dead_when_its_process_is_gone() {
    let Some(db) = Database::postgres() else { return };
    let first = serving(&db).await;
    let at = |place: &str, seconds| NewBoot {
        listen: Some(place.into()),
        name: ServerName { name: None, address: Some(place.into()) },
        ..boot_at(NOON.plus(Duration::from_secs(seconds)))
    };
    let second = beside(&db).await;
    assert_eq!(cause(&second.begin_boot(&at("127.0.0.1:2", 0)).await.expect("a boot")), None);
    first.begin_boot(&at("127.0.0.1:1", 1)).await.expect("a boot");
    assert_eq!(causes(&db), ["NULL", "NULL", "NULL"], "all are of this process");

    // The second is killed, and started again before anybody would miss it.
    db.rows(&format!("UPDATE archon_mcp_boots SET pid = {} WHERE number = 2", gone()));
    let again = second.begin_boot(&at("127.0.0.1:2", 2)).await.expect("a boot");
    assert_eq!((again.number, again.outage, cause(&again)), (4, Duration::ZERO, Some(EndCause::Crash)));
    assert_eq!(causes(&db), ["NULL", "crash", "NULL", "NULL"]);

    // Of another machine, or another container, nothing is known.
    for elsewhere in ["kernel_boot = 'another'", "pid_namespace = 'pid:[1]'"] {
        db.rows(&format!("UPDATE archon_mcp_boots SET pid = {}, {elsewhere} WHERE number = 3", gone()));
        first.heartbeat(1, NOON.plus(Duration::from_secs(3)), &Vitals::default()).await.expect("a heartbeat");
        assert_eq!(causes(&db), ["NULL", "crash", "NULL", "NULL"]);
    }
    // The pid was given again.
    db.rows("UPDATE archon_mcp_boots SET pid_started = pid_started - 1 WHERE number = 4");
    first.heartbeat(1, NOON.plus(Duration::from_secs(4)), &Vitals::default()).await.expect("a heartbeat");
    assert_eq!(causes(&db), ["NULL", "crash", "NULL", "crash"]);
}

/// Also rows that were committed after the burial.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_finishes_the_sums_of_the_dead() {
    let Some(db) = Database::postgres() else { return };
    let first = serving(&db).await;
    let second = beside(&db).await;
    begin_boot(&second, NOON).await;
    store_all(&second, pair(1).into_iter().chain([requests(call(1)), requests(call(1))])).await;
    db.rows(&format!("UPDATE archon_mcp_boots SET pid = {} WHERE number = 2", gone()));
    for calls in ["2", "3"] {
        first.heartbeat(1, NOON.plus(Duration::from_secs(3)), &Vitals::default()).await.expect("a heartbeat");
        assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_sessions"), calls);
        store_all(&second, [requests(call(1))]).await;
    }
}

/// Two servers that were both silent take each other for dead at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_bury_each_other_do_not_wait_for_each_other() {
    let Some(db) = Database::postgres() else { return };
    let stores = [serving(&db).await, beside(&db).await, beside(&db).await];
    for store in &stores[1..] {
        begin_boot(store, NOON).await;
    }
    let vitals = Vitals::default();
    for n in 1..=20 {
        let now = NOON.plus(minutes(10 * n));
        let beats = (1..).zip(&stores).map(|(number, store)| store.heartbeat(number, now, &vitals));
        futures_util::future::join_all(beats).await.into_iter().for_each(|beat| beat.expect("a heartbeat"));
    }
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    drop(stores);
    while count(&db, "pg_stat_activity WHERE datname = current_database() AND application_name = 'archonctl'") > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(db.value(sql), "0");
}
