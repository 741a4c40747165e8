//! A database is opened, or refused in one sentence with nothing changed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_util::future::join_all;

use super::*;
use crate::databases::on_every_database;

const ORIGINAL: &str = include_str!("original_archon.sql");

fn file(db: &Database) -> PathBuf {
    db.url().trim_start_matches("sqlite://").into()
}

async fn open_file(path: &Path, role: Role) -> Result<Store, OpenError> {
    Store::open(&OpenOptions { location: path.into(), role, sync_full: false }).await
}

/// All that a PostgreSQL database holds of definitions.
fn definitions(db: &Database) -> String {
    db.value(
        "SELECT string_agg(line, E'\n' ORDER BY line) FROM (
             SELECT concat_ws(' ', c.relkind, n.nspname, c.relname, c.relrowsecurity, a.attname,
                              format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
             WHERE n.nspname = 'public'
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
             UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger
             UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
         ) AS all_of_them (line)",
    )
}

on_every_database!(a_fresh_database_is_made_and_found_again, |db| async {
    let store = serving(&db).await;
    store.ping().await.expect("a database that answers");
    store_all(&store, pair(1)).await;
    drop(store);
    let store = open(&db, Role::Server).await.expect("open again");
    assert!(store.protocol_session(&ids(1).0).await.expect("an answer").is_some());
    assert_eq!(count(&db, "archonctl_migrations"), 3);
    assert_eq!(db.value("SELECT value FROM archonctl_meta WHERE key = 'oldest_program'"), "0.2.0");
});

on_every_database!(many_open_it_at_the_same_time, |db| async {
    // Eight servers on an empty PostgreSQL database; on SQLite there is one server, and many who look at its file.
    let _server = if db.is_postgres() { None } else { Some(serving(&db).await) };
    let role = if db.is_postgres() { Role::Server } else { Role::Operator };
    for round in 0..3 {
        for store in join_all((0..8).map(|_| open(&db, role))).await {
            store.unwrap_or_else(|e| panic!("round {round}: {e}")).ping().await.expect("an answer");
        }
    }
    assert_eq!(count(&db, "archonctl_migrations"), 3);
});

on_every_database!(an_operator_opens_beside_a_busy_server, |db| async {
    let server = Arc::new(serving(&db).await);
    store_all(&server, pair(1)).await;
    let load = tokio::spawn({
        let server = server.clone();
        async move {
            loop {
                store_all(&server, (0..100).map(|_| requests(call(1)))).await;
            }
        }
    });
    for _ in 0..20 {
        let operator = open(&db, Role::Operator).await.expect("open beside load");
        assert!(operator.protocol_session(&ids(1).0).await.expect("an answer").is_some());
    }
    load.abort();
});

on_every_database!(an_operator_makes_nothing, |db| async {
    let refused = open(&db, Role::Operator).await.expect_err("nothing is there");
    assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
    if db.is_postgres() {
        assert_eq!(count(&db, "pg_tables WHERE schemaname = 'public'"), 0);
    } else {
        assert!(refused.to_string().contains(file(&db).to_str().expect("a path")), "{refused}");
        assert_eq!(std::fs::read_dir(db.folder()).expect("a folder").count(), 0);
    }
});

on_every_database!(tables_of_another_archon_stay_as_they_are, |db| async {
    if db.is_postgres() {
        db.rows(ORIGINAL);
    } else {
        db.rows("CREATE TABLE archon_mcp_sessions (session_id TEXT PRIMARY KEY, client_type TEXT, status TEXT)");
    }
    let state =
        || if db.is_postgres() { definitions(&db).into_bytes() } else { std::fs::read(file(&db)).expect("a file") };
    let before = state();
    for role in [Role::Server, Role::Operator] {
        let refused = open(&db, role).await.expect_err("not ours");
        assert!(matches!(refused, OpenError::Foreign), "{refused}");
        assert!(refused.to_string().contains("nothing was changed"), "{refused}");
    }
    assert!(before == state(), "something was changed");
});

on_every_database!(a_schema_that_rules_us_out_is_left_alone, |db| async {
    drop(serving(&db).await);
    db.rows("UPDATE archonctl_meta SET value = '99.0.0' WHERE key = 'oldest_program'");
    for role in [Role::Server, Role::Operator] {
        let refused = open(&db, role).await.expect_err("too new");
        assert!(matches!(&refused, OpenError::TooNew { needs, .. } if needs == "99.0.0"), "{refused}");
        assert!(refused.to_string().contains("99.0.0") && refused.to_string().contains(VERSION), "{refused}");
    }
});

on_every_database!(a_newer_schema_that_lets_us_in_is_used, |db| async {
    drop(serving(&db).await);
    let checksum = if db.is_postgres() { r"'\x00'" } else { "x'00'" };
    db.rows(&format!(
        "INSERT INTO archonctl_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', TRUE, {checksum}, 0)"
    ));
    for role in [Role::Operator, Role::Server] {
        open(&db, role).await.expect("open").ping().await.expect("an answer");
    }
});

#[tokio::test]
async fn a_role_that_may_only_read_can_look() {
    let Some(db) = Database::postgres() else { return };
    let _server = serving(&db).await;
    let reader = format!("reader_{}", Uuid::new_v4().simple());
    db.rows(&format!(
        "CREATE ROLE {reader} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader};
         ALTER ROLE {reader} SET default_transaction_read_only = on"
    ));
    let location = Location::parse(&db.url().replace("postgres@", &format!("{reader}@"))).expect("a URL");
    let options = OpenOptions { location, role: Role::Operator, sync_full: false };
    let looked = Store::open(&options).await.expect("open to look");
    looked.session_counts(NOON, NOON).await.expect("an answer");
    drop(looked);
    db.rows(&format!("DROP OWNED BY {reader}; DROP ROLE {reader}"));
}

#[tokio::test]
async fn one_sqlite_file_serves_one_server() {
    let db = Database::sqlite();
    let first = serving(&db).await;
    let refused = open(&db, Role::Server).await.expect_err("in use");
    assert!(matches!(&refused, OpenError::InUse { pid, .. } if *pid == std::process::id().to_string()), "{refused}");
    assert!(refused.to_string().contains("PostgreSQL"), "{refused}");
    drop(first);
    open(&db, Role::Server).await.expect("open once it is free");
}

/// `kill -9`, and start it: the system may need a moment to let go of what the dead one held.
#[tokio::test]
async fn a_file_whose_server_dies_just_now_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archon.db");
    let held = std::fs::File::create(folder.path().join("archon.db.lock")).expect("a lock file");
    held.lock().expect("locked");
    let mut opening = Box::pin(open_file(&path, Role::Server));
    assert!(futures_util::poll!(&mut opening).is_pending(), "it waits");
    drop(held);
    opening.await.expect("open");
}

#[tokio::test]
async fn a_url_that_means_nothing_is_refused_without_its_password() {
    for url in ["postgres://u:secret@h:no-port/d", "postgres://u:secret@h/d?sslmode=maybe"] {
        let location = Location::parse(url).expect("a scheme that we know");
        let refused = Store::open(&OpenOptions { location, role: Role::Server, sync_full: false }).await;
        let refused = refused.expect_err("no URL");
        assert!(matches!(refused, OpenError::UnknownUrl { .. }), "{refused}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}

#[tokio::test]
async fn a_postgres_that_is_not_there_is_told_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let location = Location::parse(&format!("postgres://u:secret@{free}/d")).expect("a URL");
    let began = Instant::now();
    let refused = Store::open(&OpenOptions { location, role: Role::Server, sync_full: false }).await;
    let refused = refused.expect_err("nothing listens");
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains(&free.to_string()) && !text.contains("secret"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_postgres_database_that_does_not_exist_is_unreachable() {
    let Some(db) = Database::postgres() else { return };
    let location = Location::parse(&format!("{}_not", db.url())).expect("a URL");
    let refused = Store::open(&OpenOptions { location, role: Role::Server, sync_full: false }).await;
    let refused = refused.expect_err("no such database");
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused}");
    assert!(refused.to_string().contains("does not exist"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_serves_like_a_file() {
    let open = || async {
        let location = Location::parse("sqlite::memory:").expect("a URL");
        Store::open(&OpenOptions { location, role: Role::Server, sync_full: false }).await.expect("open in memory")
    };
    let (store, other) = (open().await, open().await);
    begin_boot(&store, NOON).await;
    let tasks = (0..16u32).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in (0..20).map(|i| 100 * task + i) {
                store_all(&store, pair(n).into_iter().chain([requests(call(n))])).await;
                assert!(store.protocol_session(&ids(n).0).await.expect("an answer").is_some());
                if n % 2 == 0 {
                    let ended = store.end_archon_session(ids(n).1, by(EndReason::Operator, "bob", NOON)).await;
                    assert!(ended.expect("an end"));
                }
            }
        })
    });
    for task in join_all(tasks).await {
        task.expect("a task");
    }
    let counts = store.session_counts(NOON, NOON).await.expect("counts");
    assert_eq!((counts.archon_active, counts.protocol_active), (160, 160));
    assert_eq!(other.session_counts(NOON, NOON).await.expect("counts").archon_active, 0, "each memory is its own");
}
