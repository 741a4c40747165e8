//! A look by somebody else's query: it sees everything, and changes nothing.

use archonctl::store::Scratch;

use super::*;
use crate::databases::{Database, on_every_database};

fn texts(rows: &[&[Option<&str>]]) -> Vec<Vec<Option<String>>> {
    rows.iter().map(|row| row.iter().map(|value| value.map(str::to_owned)).collect()).collect()
}

on_every_database!(a_look_reads_texts_in_their_order, |db| async {
    let store = serving(&db).await;
    store_all(&store, [opens(protocol(1))]).await;
    for (query, expected) in [
        ("SELECT 'z' AS z, 1 AS a, NULL AS m, 1.50 AS b", texts(&[&[Some("z"), Some("1"), None, Some("1.5")]])),
        ("SELECT 'it''s \"so\"'", texts(&[&[Some("it's \"so\"")]])),
        ("SELECT COUNT(*) FROM archon_mcp_protocol_sessions -- a comment", texts(&[&[Some("1")]])),
        ("SELECT 1 WHERE 1 = 2;", vec![]),
    ] {
        let mut seen = store.look(query).await.expect(query);
        // SQLite has no decimals.
        seen.iter_mut().flatten().flatten().for_each(|text| *text = text.replace("1.50", "1.5"));
        assert_eq!(seen, expected, "{query}");
    }
});

on_every_database!(a_look_changes_nothing, |db| async {
    let store = serving(&db).await;
    store_all(&store, [opens(protocol(1))]).await;
    for query in [
        "DELETE FROM archon_mcp_protocol_sessions",
        "SELECT 1; DELETE FROM archon_mcp_protocol_sessions",
        "SELECT 1) AS q; DELETE FROM archon_mcp_protocol_sessions; SELECT * FROM (SELECT 1",
        "WITH gone AS (DELETE FROM archon_mcp_protocol_sessions RETURNING 1) SELECT * FROM gone",
        "DELETE FROM archon_mcp_protocol_sessions RETURNING 1",
        "COMMIT",
        "",
        "SELECT * FROM no_such_table",
    ] {
        let error = store.look(query).await.expect_err(query).to_string();
        assert!(!error.contains("does not answer"), "{query}: {error}");
        assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_protocol_sessions"), "1", "{query}");
    }
});

#[tokio::test]
async fn a_scratch_schema_comes_and_goes() {
    let Some(db) = Database::postgres() else { return };
    let schemas = "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'archonctl_selftest%'";
    let scratch = Scratch::make(db.url()).await.expect("made");
    assert_eq!(db.value(schemas), "1");
    let options =
        OpenOptions { location: Location::parse(&scratch.url()).expect("a URL"), role: Role::Server, sync_full: false };
    let store = Store::open(&options).await.expect("opened");
    assert_eq!(store.look("SELECT COUNT(*) FROM archonctl_meta").await.expect("read").len(), 1);
    let outside =
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name LIKE 'archon%'";
    assert_eq!(db.value(outside), "0");
    drop(store);
    scratch.remove().await.expect("removed");
    assert_eq!(db.value(schemas), "0");
}
