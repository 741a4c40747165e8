//! `initialize` while the database fails: each client gets an id that is kept, or 503 and nothing, in bounded time however
//! many they are; and the cap is a cap afterwards.

use super::*;

/// What an opening may take, and what a busy machine adds.
const BOUNDED: Duration = Duration::from_secs(6);
const CAP: usize = 70;

/// The ids that were given out. Whoever has none was told to come back.
async fn opened(mcp: &Mcp, clients: usize, what: &str) -> Vec<String> {
    let answers = join_all((0..clients).map(async |_| {
        let began = Instant::now();
        let answer = mcp.post(&[], initialize()).await.expect("an answer");
        assert!(began.elapsed() < BOUNDED, "{what}, one of {clients}: {:?}", began.elapsed());
        answer
    }))
    .await;
    let id_of = |answer: Answer| {
        if answer.status == 200 {
            return Some(answer.header("mcp-session-id").expect("an id with 200").to_owned());
        }
        assert_come_back(&answer);
        assert!(answer.header("mcp-session-id").is_none(), "an id with {}", answer.status);
        None
    };
    answers.into_iter().filter_map(id_of).collect()
}

async fn opens_or_says_no(db: Database, mut fault: impl Fault, what: &str) {
    let cap = CAP.to_string();
    let server = ServeProcess::start_in(&fault.environment(&db), &db, &["--max-sessions", &cap]).await;
    let mcp = Mcp::new(server.url());
    let mut ids = opened(&mcp, 1, what).await;
    assert_eq!(ids.len(), 1);
    fault.begin(&db, &server).await;
    // At once, before anybody has noticed; and then all together.
    for clients in [1, 64] {
        ids.extend(opened(&mcp, clients, what).await);
    }
    fault.end(&db, &server).await;
    until_ready(&server, 200).await;
    until(&format!("{what}: as many sessions as ids"), async || {
        let active = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE status = 'active'";
        db.value(active) == ids.len().to_string()
    })
    .await;
    for id in &ids {
        let row = format!("SELECT status FROM archon_mcp_protocol_sessions WHERE protocol_session_id = '{id}'");
        assert_eq!(db.value(&row), "active", "{what}");
    }
    // One after the other, up to the cap and not beyond; what is taken back may be counted for a moment.
    let deadline = Instant::now() + SOON;
    while ids.len() < CAP {
        ids.extend(opened(&mcp, 1, what).await);
        assert!(Instant::now() < deadline, "{what}: {} sessions, not {CAP}", ids.len());
    }
    assert!(opened(&mcp, 16, what).await.is_empty(), "{what}: the cap is passed");
}

macro_rules! on_postgres {
    ($name:ident, $fault:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if let Some(db) = Database::postgres() {
                opens_or_says_no(db, $fault, stringify!($name)).await;
            }
        }
    };
}

macro_rules! on_sqlite {
    ($name:ident, $fault:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            opens_or_says_no(Database::sqlite(), $fault, stringify!($name)).await;
        }
    };
}

on_postgres!(a_read_only_postgres, faults::ReadOnly);
on_postgres!(a_full_postgres, faults::NoSpace);
on_postgres!(a_locked_postgres, faults::Locked::default());
on_sqlite!(a_full_sqlite, faults::FileLimit);
on_sqlite!(a_read_only_sqlite, faults::ReadOnlySystem::new());
on_sqlite!(a_locked_sqlite, faults::Locked::default());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_postgres() {
    // Where there is none for the others, there is none for this one.
    if Database::postgres().is_some() {
        let cluster = Cluster::start();
        opens_or_says_no(Database::on_postgres(cluster.url()), faults::Frozen(cluster), "a frozen PostgreSQL").await;
    }
}
