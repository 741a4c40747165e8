//! Clients make up names; the sums, which are kept for long, have a line for those that mean something.

use std::collections::BTreeSet;

use super::*;
use crate::databases::on_every_database;

/// As many different names as no server has of its own.
const MADE_UP: u32 = 300;

/// Requests that ran nothing: a tool that is not served, and a method that MCP does not have.
fn refused(n: u32) -> [Write; 2] {
    let call = || NewRequest { status: RequestStatus::Error, rule: None, tokens: None, ..call(1) };
    [
        requests(NewRequest { tool_name: Some(format!("tool-{n}").into()), ..call() }),
        requests(NewRequest { method: format!("method/{n}").into(), tool_name: None, ..call() }),
    ]
}

const NAMES: &str = "SELECT DISTINCT method, tool_name FROM archon_mcp_rollups_daily ORDER BY 1, 2";

fn assert_names_are_folded(db: &Database) {
    let folded = [["(other)", ""], ["initialize", ""], ["tools/call", "(unknown)"], ["tools/call", "health_check"]];
    assert_eq!(rows(db, NAMES), folded);
    assert_eq!(rows(db, &NAMES.replace("_daily", "")), folded);
    assert_eq!(
        db.value("SELECT SUM(calls) FROM archon_mcp_rollups_daily WHERE tool_name = '(unknown)'"),
        MADE_UP.to_string()
    );
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), (2 * MADE_UP + 2).to_string(), "none is missing");
    let tools = "SELECT COUNT(DISTINCT tool_name) FROM archon_mcp_requests";
    assert_eq!(db.value(tools), (MADE_UP + 1).to_string(), "rows say what was asked for");
}

fn asked() -> impl Iterator<Item = Write> {
    let initialized = NewRequest { method: "initialize".into(), tool_name: None, rule: None, ..call(1) };
    pair(1).into_iter().chain((0..MADE_UP).flat_map(refused)).chain([requests(call(1)), requests(initialized)])
}

on_every_database!(made_up_methods_and_tools_share_a_line, |db| async {
    let store = serving(&db).await;
    store_all(&store, asked()).await;
    flush(&store).await;
    assert_names_are_folded(&db);
});

on_every_database!(so_they_do_when_a_dead_boots_rows_are_folded, |db| async {
    let crashed = serving(&db).await;
    store_all(&crashed, asked()).await;
    drop(crashed);
    let store = open(&db, Role::Server).await.expect("open");
    begin_boot(&store, NOON.plus(minutes(10))).await;
    while store.totals().fold_leftovers(1, 100).await.expect("a fold") > 0 {}
    assert_names_are_folded(&db);
});

/// One call each of clients with these numbers.
async fn called(store: &Store, numbers: std::ops::Range<u32>) {
    let of = |n: u32| requests(NewRequest { client_type: format!("client-{n}").into(), ..call(1) });
    store_all(store, numbers.map(of).chain([requests(call(1))])).await;
}

on_every_database!(clients_beyond_a_days_number_share_a_line, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    called(&store, 0..150).await;
    flush(&store).await;
    drop(store);
    // A start anew is no new day.
    let store = open(&db, Role::Server).await.expect("open");
    let boot = begin_boot(&store, NOON.plus(minutes(1))).await.number;
    called(&store, 100..400).await;
    store.totals().flush(boot, Touches::default()).await.map_err(|(e, _)| e).expect("a flush");
    let clients = rows(&db, "SELECT DISTINCT client_type FROM archon_mcp_rollups_daily");
    let clients: BTreeSet<String> = clients.into_iter().flatten().collect();
    assert_eq!(clients.len(), 201, "200, and the rest");
    for name in ["client-0", "client-149", "client-150", "Claude Code", "(other)"] {
        assert!(clients.contains(name), "{name}");
    }
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups_daily"), "452");
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "452");
});
