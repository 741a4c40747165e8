//! What a client says of itself, however long it is.

use super::*;
use crate::databases::on_every_database;

fn initialize_of(capabilities: &Value, info: &Value) -> String {
    let params = json!({"protocolVersion": LATEST, "capabilities": capabilities, "clientInfo": info});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string()
}

on_every_database!(capabilities_stand_in_both_rows, |db| async {
    let house = House::open_on(db, &[]).await;
    let info = json!({"name": "suite", "version": "1"});
    let long = "x".repeat(6000);
    for (capabilities, kept) in [
        (json!({"sampling": {}, "x": "y"}), json!({"sampling": {}, "x": "y"})),
        (json!({"elicitation": {}, "x": long}), json!({"elicitation": {}})),
        (json!({"x": long}), Value::Null),
    ] {
        let answer = house.post(&[], initialize_of(&capabilities, &info)).await;
        let id = answer.header("mcp-session-id").expect("a session").to_owned();
        assert_serves(&house.mcp.known(&id, LATEST)).await;
        for (table, condition) in [
            ("archon_mcp_protocol_sessions", format!("protocol_session_id = '{id}'")),
            ("archon_mcp_sessions", format!("protocol_session_id = '{id}'")),
        ] {
            let column = format!("SELECT CAST(client_capabilities AS TEXT) FROM {table} WHERE {condition}");
            let rows = house.db.rows(&column);
            let stored = rows.first().and_then(|row| row.first().cloned().flatten());
            let stored = stored.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"));
            assert_eq!(stored, kept, "{table}");
        }
    }
});

#[tokio::test]
async fn long_words_of_a_client_take_no_memory() {
    let house = House::open(&["--max-initialize-rate", "0"]).await;
    let long = "x".repeat(3900);
    let body = initialize_of(&json!({"x": long}), &json!({"name": "suite", "version": "1", "x": long}));
    let fill = async |count: usize| {
        let each = (0..10).map(|_| async {
            for _ in 0..count / 10 {
                assert_eq!(house.post(&[], body.clone()).await.status, 200);
            }
        });
        futures_util::future::join_all(each).await;
    };
    fill(200).await;
    let before = resident(house.server.pid());
    fill(2000).await;
    let grown = resident(house.server.pid()).saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB for 2,000 sessions of 8 KB each");
}
