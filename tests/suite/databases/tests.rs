//! The helper held against both databases.

use super::{Database, block_on, on_every_database, rows_of_postgres};

on_every_database!(speaks_sql, |db| async {
    let rows = db.rows(
        "CREATE TABLE t (id INTEGER, name TEXT, share NUMERIC(10,6));
         INSERT INTO t VALUES (1, 'one', 0.5), (2, NULL, NULL);
         SELECT id, name FROM t ORDER BY id",
    );
    let text = |s: &str| Some(s.to_owned());
    assert_eq!(rows, [[text("1"), text("one")], [text("2"), None]]);
    assert_eq!(db.value("SELECT count(*) FROM t"), "2");
    assert_eq!(db.url().starts_with("postgres://"), db.is_postgres());
    assert!(db.folder().is_dir());
});

on_every_database!(is_its_own, |db| async {
    // The same table twice would fail in a shared database.
    let other = if db.is_postgres() { Database::postgres().expect("a second one") } else { Database::sqlite() };
    for database in [&db, &other] {
        database.rows("CREATE TABLE mine (id INTEGER)");
    }
});

#[test]
fn is_gone_when_dropped() {
    let sqlite = Database::sqlite();
    let folder = sqlite.folder().to_owned();
    drop(sqlite);
    assert!(!folder.exists());

    let Some(postgres) = Database::postgres() else { return };
    let maintenance = postgres.maintenance.clone().expect("a maintenance database");
    let name = postgres.value("SELECT current_database()");
    drop(postgres);
    let left = format!("SELECT datname FROM pg_database WHERE datname = '{name}'");
    assert_eq!(block_on(rows_of_postgres(&maintenance, &left)).expect("a list"), Vec::<Vec<_>>::new());
}
