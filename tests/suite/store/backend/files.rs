//! The file of a database: made for its owner alone, and nobody else's touched.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

fn file(db: &Database) -> PathBuf {
    db.url().trim_start_matches("sqlite://").into()
}

async fn open_file(path: &Path, role: Role) -> Result<Store, OpenError> {
    Store::open(&OpenOptions { location: path.into(), role, sync_full: false }).await
}

#[tokio::test]
async fn files_belong_to_their_owner() {
    let db = Database::sqlite();
    let path = db.folder().join("made/by/us/archon.db");
    let store = open_file(&path, Role::Server).await.expect("open");
    begin_boot(&store, NOON).await;
    store_all(&store, pair(1)).await;
    let mode = |path: &Path| path.metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode();
    for end in ["", "-wal", "-shm", ".lock"] {
        let path = format!("{}{end}", path.display());
        assert_eq!(mode(path.as_ref()) & 0o777, 0o600, "{path}");
    }
    for folder in ["made", "made/by", "made/by/us"] {
        assert_eq!(mode(&db.folder().join(folder)) & 0o777, 0o700, "{folder}");
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let db = Database::sqlite();
    let plain = db.folder().join("plain");
    std::fs::write(&plain, "text").expect("a file");
    for path in [plain.join("archon.db"), plain.join("a/b/archon.db"), "/proc/archonctl/archon.db".into()] {
        let refused = open_file(&path, Role::Server).await.expect_err("unwritable");
        assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused}");
        assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
    }
    let refused = open_file(db.folder(), Role::Server).await.expect_err("a folder");
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused}");
    assert!(!db.folder().with_added_extension("lock").exists(), "nothing is left beside it");
    assert!(matches!(open_file(db.folder(), Role::Operator).await, Err(OpenError::Missing { .. })));
}

#[tokio::test]
async fn a_file_that_is_no_database_stays_as_it_is() {
    let db = Database::sqlite();
    for (name, content) in [("short", "hello"), ("long", &*"hello world\n".repeat(1000))] {
        let path = db.folder().join(name);
        std::fs::write(&path, content).expect("a file");
        for role in [Role::Server, Role::Operator] {
            let refused = open_file(&path, role).await.expect_err("no database");
            assert!(matches!(refused, OpenError::NotADatabase { .. }), "{name}: {refused}");
        }
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), content);
    }
}

/// Not a table, not a line in its log, not even the kind of its journal.
#[tokio::test]
async fn another_programs_file_stays_as_it_is() {
    let db = Database::sqlite();
    for sql in
        ["CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name)", "CREATE VIRTUAL TABLE v USING fts5(x)"]
    {
        db.rows(sql);
        let before = std::fs::read(file(&db)).expect("a file");
        for role in [Role::Server, Role::Migrator, Role::Operator, Role::Reader] {
            let refused = open(&db, role).await.expect_err("not ours");
            assert!(matches!(refused, OpenError::Occupied { .. }), "{refused}");
            assert!(refused.to_string().contains("nothing was changed"), "{refused}");
        }
        assert!(std::fs::read(file(&db)).expect("a file") == before, "{sql}");
        std::fs::remove_file(file(&db)).expect("removed");
    }
    drop(serving(&db).await);
    db.rows("CREATE TABLE notes (text)");
    open(&db, Role::Server).await.expect("a table beside ours is the operator's");
}

#[tokio::test]
async fn where_a_link_leads_nothing_is_made() {
    let db = Database::sqlite();
    let target = db.folder().join("elsewhere");
    std::os::unix::fs::symlink(&target, file(&db)).expect("a link");
    for role in [Role::Server, Role::Migrator] {
        let refused = open(&db, role).await.expect_err("a link to nothing");
        assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused}");
        assert!(!target.exists());
    }
    std::fs::write(&target, "").expect("written");
    open(&db, Role::Server).await.expect("a link to a file is another name of it");
}
