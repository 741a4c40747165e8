//! A store that is closed has written everything, and a SQLite file holds it by itself.

use super::*;
use crate::databases::on_every_database;

on_every_database!(a_closed_store_has_written_what_was_queued, |db| async {
    let store = serving(&db).await;
    for n in 0..200 {
        pair(n).into_iter().chain([requests(call(n))]).for_each(|write| store.writer().submit_unwatched(write));
    }
    store.close().await.expect("closed");
    assert_eq!(count(&db, "archon_mcp_requests"), 200);
    assert!(store.ping().await.is_err(), "nothing is read any more");
    let refused = store.writer().submit(requests(call(1))).within(SOON).await;
    assert!(matches!(refused, Commit::Refused(_)), "nothing is written any more: {refused:?}");
    assert!(store.close().await.is_ok(), "a second time changes nothing");
});

#[tokio::test]
async fn the_file_alone_holds_everything() {
    for role in [Role::Server, Role::Migrator, Role::Operator] {
        let db = Database::sqlite();
        if role == Role::Operator {
            serving(&db).await.close().await.expect("closed");
        }
        let store = open(&db, role).await.expect("open");
        store_all(&store, pair(1)).await;
        store.close().await.expect("closed");
        let copy = tempfile::tempdir().expect("a folder");
        let copied = copy.path().join("copy.db");
        std::fs::copy(db.folder().join("archon.db"), &copied).expect("copied");
        let options = OpenOptions { location: copied.as_path().into(), role: Role::Reader, sync_full: false };
        let store = Store::open(&options).await.expect("open the copy");
        assert!(store.protocol_session(&ids(1).0).await.expect("an answer").is_some(), "{role:?}");
        for end in ["-wal", "-shm"] {
            assert!(!db.folder().join(format!("archon.db{end}")).exists(), "{role:?}: {end}");
        }
    }
}

#[tokio::test]
async fn a_closed_file_is_free_for_the_next_server() {
    let db = Database::sqlite();
    let first = serving(&db).await;
    first.close().await.expect("closed");
    // The first one is still there.
    open(&db, Role::Server).await.expect("open").close().await.expect("closed");
    drop(first);
}

#[tokio::test]
async fn somebody_who_reads_on_is_not_waited_for_for_ever() {
    let db = Database::sqlite();
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let reader = rusqlite::Connection::open(db.folder().join("archon.db")).expect("a connection");
    reader.execute_batch("BEGIN; SELECT COUNT(*) FROM archon_mcp_sessions").expect("a reader");
    store_all(&store, pair(2)).await;
    let refused = store.close().await.expect_err("the log is in use").to_string();
    assert!(refused.contains("another program uses it"), "{refused}");
    drop(reader);
    let store = open(&db, Role::Server).await.expect("open");
    assert!(store.protocol_session(&ids(2).0).await.expect("an answer").is_some());
}
