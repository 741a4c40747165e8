//! What is kept of the words of calls: nothing, unless the operator asks, and never a secret.

use super::*;
use crate::databases::on_every_database;

const WORDS: &str = "SELECT r.tool_name, r.status, c.arguments, c.answer FROM archon_mcp_captures c \
                     JOIN archon_mcp_requests r ON r.boot = c.boot AND r.seq = c.seq ORDER BY c.seq";

/// One call that succeeds, one that fails, both with a secret.
async fn two_calls(house: &House) {
    let session = house.session().await;
    session.call("test_echo", json!({"text": "x ghp_abcdefghijklmnopqrstuvwxyz0123456789"})).await;
    session.call("find_projects", json!({"page": -1, "api_key": "hunter2"})).await;
    house.until("SELECT COUNT(*) FROM archon_mcp_requests WHERE method = 'tools/call'", "2").await;
}

async fn words(db: Database, capture: &[&str]) -> (House, Vec<Vec<Option<String>>>) {
    let house = House::open_on(db, capture).await;
    two_calls(&house).await;
    let rows = house.db.rows(WORDS);
    (house, rows)
}

on_every_database!(all_words_are_kept_without_their_secrets, |db| async {
    let (house, rows) = words(db, &["--capture", "all"]).await;
    let [echo, find] = rows.as_slice() else { panic!("{rows:?}") };
    let text = |row: &[Option<String>], column: usize| row[column].clone().expect("a text");
    assert_eq!((text(echo, 0), text(echo, 1)), ("test_echo".to_owned(), "success".to_owned()));
    assert_eq!((text(echo, 2), &echo[3]), (json!({"text": "x [masked]"}).to_string(), &None));
    assert_eq!((text(find, 0), text(find, 1)), ("find_projects".to_owned(), "error".to_owned()));
    let arguments: Value = serde_json::from_str(&text(find, 2)).expect("json");
    assert_eq!(arguments, json!({"page": -1, "api_key": "[masked]"}));
    assert!(text(find, 3).contains("validation_error"), "{rows:?}");
    for table in ["archon_mcp_requests", "archon_mcp_captures"] {
        let everything = format!("{:?}", house.db.rows(&format!("SELECT * FROM {table}")));
        assert!(!everything.contains("hunter2") && !everything.contains("ghp_"), "{everything}");
    }
});

#[tokio::test]
async fn errors_alone_or_nothing() {
    let (_house, rows) = words(Database::sqlite(), &["--capture", "errors"]).await;
    assert_eq!(rows.iter().map(|row| row[0].as_deref()).collect::<Vec<_>>(), [Some("find_projects")]);
    let (_house, rows) = words(Database::sqlite(), &[]).await;
    assert!(rows.is_empty(), "off by default: {rows:?}");
}
