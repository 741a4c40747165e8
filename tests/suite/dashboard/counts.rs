//! The same moment, the same counts.

use archonctl::cli::exit;
use archonctl::queries::window::{SessionWindow, WindowQuery};
use archonctl::queries::{Queries, clock_of};
use archonctl::store::reports::page::Order;
use archonctl::store::{Location, OpenOptions, Role, Store};
use serde_json::{Value, json};

use super::{document, run, seed};
use crate::databases::{Database, on_every_database};

on_every_database!(counts_are_those_of_the_other_commands, |db| async {
    seed(&db, 2000, 10_000);
    let shown = document(&db, &["dashboard", "--once", "-o", "json"]);
    assert_eq!(shown["version"], 1);
    for status in ["active", "idle", "ended", "disconnected", "expired"] {
        let listed = document(&db, &["list", "--status", status, "--limit", "0", "--json"]);
        let listed = listed["sessions"].as_array().map(Vec::len);
        assert_eq!(shown["counts"][status].as_u64(), listed.map(|n| n as u64), "{status}");
    }
    let listed = document(&db, &["list", "--idle", "--limit", "0", "--json"]);
    let listed = listed["sessions"].as_array().expect("sessions");
    let of =
        |session: &Value| json!([session["session_id"], session["calls"], session["errors"], session["last_activity"]]);
    let sessions = shown["sessions"].as_array().expect("sessions");
    let first: Vec<_> = listed.iter().take(sessions.len()).map(of).collect();
    assert_eq!(sessions.iter().map(of).collect::<Vec<_>>(), first);

    tools_agree(&db);
    let events = document(&db, &["events", "--limit", "5", "--json"]);
    let newest: Vec<_> = shown["events"].as_array().expect("events").iter().take(5).rev().cloned().collect();
    assert_eq!(json!(newest), events["events"]);
    guide_agrees(&db, &shown);
    trends_agree(&db);
    percentiles_agree(&db);
});

on_every_database!(a_page_is_the_beginning_of_the_whole_list, |db| async {
    seed(&db, 2000, 2000);
    let location = Location::parse(db.url()).expect("a URL");
    let store = Store::open(&OpenOptions { location, role: Role::Reader, sync_full: false }).await.expect("open");
    let clock = clock_of(&store).await.expect("an answer");
    let mut queries = Queries::new(store, clock);
    for last_first in [true, false] {
        let query = WindowQuery { order: (Order::Activity, last_first), ..WindowQuery::default() };
        let of = |window: SessionWindow| window.rows.into_iter().map(|row| row.last_activity).collect::<Vec<_>>();
        let whole = of(queries.window(&query, 10_000).await.expect("all"));
        let page = queries.window(&query, 60).await.expect("a page");
        let silent = page.rows.iter().filter(|row| !row.called_tools).count();
        assert!(!last_first || silent > 0, "clients that have called no tool stand among the others");
        assert_eq!((page.more, of(page)), (true, whole[..60].to_vec()), "{query:?}");
    }
    queries.stand_still();
    let asked = async |queries: &Queries| queries.window(&WindowQuery::default(), 1).await.expect("a page").now;
    let first = asked(&queries).await;
    while queries.clock().now() == first {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(&queries).await, first, "one refresh is of one moment");
    queries.stand_still();
    assert!(asked(&queries).await > first, "and the next of another");
});

/// What a live view shows of the same minutes: the tools' hours and slowest calls against the very rows.
fn trends_agree(db: &Database) {
    let shown = document(db, &["dashboard", "--once", "-o", "json"]);
    let hours = shown["tool_hours"].as_array().expect("hours");
    let n = |value: &Value| value.as_i64().expect("a count");
    // Nothing was called in the hour that began before the last day did: so each hour is whole.
    let first = hours.iter().filter_map(|hour| hour["hour"].as_str()).min().expect("an hour");
    let total: i64 = hours.iter().map(|hour| n(&hour["calls"])).sum();
    let from = first.replace('T', " ").replace('Z', "");
    let after = if db.is_postgres() {
        format!("timestamp >= timestamptz '{from}+00'")
    } else {
        format!("timestamp >= '{from}'")
    };
    let rows = db.value(&format!("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name IS NOT NULL AND {after}"));
    assert_eq!(total.to_string(), rows);
    let slowest = shown["slowest"].as_array().expect("calls");
    assert_eq!(slowest.len(), 5);
    for call in slowest {
        let tool = call["tool_name"].as_str().expect("a tool");
        let most: f64 = db
            .value(&format!("SELECT MAX(duration_us) FROM archon_mcp_requests WHERE tool_name = '{tool}' AND {after}"))
            .parse()
            .expect("microseconds");
        let shown = call["duration_ms"].as_f64().expect("a duration") * 1000.0;
        assert!(shown >= most / 1.25, "{tool}: {shown} and {most}");
        let id = call["id"].as_str().expect("an id");
        let row =
            db.value(&format!("SELECT duration_us FROM archon_mcp_requests WHERE id = {id} AND tool_name = '{tool}'"));
        let row: f64 = row.parse().expect("microseconds");
        assert!((row - shown).abs() < 1.0, "{row} and {shown} are not of one call");
    }
}

/// Percentiles from latency buckets are those of the rows, within a bucket; and each screen has those of `stats`.
fn percentiles_agree(db: &Database) {
    let shown = document(db, &["dashboard", "--once", "-o", "json"]);
    let exact = document(db, &["stats", "--by", "tool", "--since", "24h", "--exact", "--json"]);
    let named = |groups: &Value, name: &Value| {
        groups.as_array().and_then(|groups| groups.iter().find(|group| group["name"] == *name)).cloned()
    };
    let tools = shown["tools"].as_array().expect("tools");
    assert_eq!(tools.len(), 5);
    for tool in tools {
        let rows = named(&exact["groups"], &tool["name"]).expect("the same tools");
        for at in ["p50_ms", "p95_ms", "p99_ms"] {
            let (shown, true_one) = (tool[at].as_f64().expect("one"), rows[at].as_f64().expect("one"));
            assert!((shown - true_one).abs() / true_one < 0.19, "{}: {at} is {shown} and {true_one}", tool["name"]);
        }
    }
    let stats = document(db, &["stats", "--by", "hour", "--since", "48h", "--json"]);
    for hour in shown["history"].as_array().expect("hours").iter().rev().take(20) {
        assert_eq!(Some(hour), named(&stats["groups"], &hour["name"]).as_ref());
    }
    let newest = document(db, &["requests", "--limit", "20", "--json"]);
    let requests = shown["requests"].as_array().expect("requests").iter().take(20).rev();
    assert_eq!(json!(requests.collect::<Vec<_>>()), newest["requests"]);
    latencies_agree(db, &shown);
}

/// The p95 of a session's last calls, by its rows.
fn latencies_agree(db: &Database, shown: &Value) {
    let latest = shown["latest"].as_object().expect("sessions");
    assert!(latest.len() > 5, "{latest:?}");
    for (session, told) in latest.iter().take(5) {
        let rows = db.rows(&format!(
            "SELECT duration_us FROM (SELECT id, duration_us FROM archon_mcp_requests WHERE session_id = '{session}' \
             AND tool_name IS NOT NULL ORDER BY id DESC LIMIT 30) last ORDER BY duration_us"
        ));
        let took: Vec<f64> =
            rows.iter().map(|row| row[0].as_deref().and_then(|us| us.parse().ok()).expect("microseconds")).collect();
        let p95 = took[(took.len() * 95).div_ceil(100) - 1] / 1000.0;
        assert!((told["p95_ms"].as_f64().expect("one") - p95).abs() < 0.006, "{session}: {told} and {p95}");
    }
}

/// The last day begins at another minute each minute: only what is read within one can be compared.
fn tools_agree(db: &Database) {
    let stats = || document(db, &["stats", "--by", "tool", "--since", "24h", "--json"])["groups"].clone();
    loop {
        let (before, shown, after) = (stats(), document(db, &["dashboard", "--once", "-o", "json"]), stats());
        if before == after {
            assert_eq!(shown["tools"], before);
            assert!(before.as_array().is_some_and(|groups| !groups.is_empty()));
            return;
        }
    }
}

/// The guide's own queries, typed by hand.
fn guide_agrees(db: &Database, shown: &Value) {
    let by_hand = db.rows(
        "SELECT client_type, COUNT(*), COUNT(total_duration), COALESCE(SUM(total_duration), 0) \
         FROM archon_mcp_sessions GROUP BY client_type ORDER BY client_type",
    );
    let mut sums = std::collections::BTreeMap::<String, [i64; 3]>::new();
    for client in shown["clients"].as_array().expect("clients") {
        let n = |key: &str| client[key].as_i64().expect("a count");
        let sum = sums.entry(client["client_type"].as_str().expect("a type").to_owned()).or_default();
        *sum = [sum[0] + n("archon_sessions"), sum[1] + n("lasted"), sum[2] + n("lasted_s")];
    }
    let sums: Vec<_> = sums
        .into_iter()
        .filter(|(_, sum)| sum[0] > 0)
        .map(|(client, sum)| [client, sum[0].to_string(), sum[1].to_string(), sum[2].to_string()].map(Some).to_vec())
        .collect();
    assert_eq!(sums, by_hand);
    let active = db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'");
    let called = shown["sessions"]
        .as_array()
        .expect("sessions")
        .iter()
        .filter(|s| s["state"] == "active" && s["called_tools"] == true);
    assert_eq!(called.count().to_string(), active);
}

on_every_database!(one_frame_is_text_and_fits, |db| async {
    seed(&db, 300, 2000);
    for size in ["40x12", "80x24", "200x50"] {
        let (wide, high) =
            size.split_once('x').map(|(w, h)| (w.parse().unwrap_or(0), h.parse().unwrap_or(0))).expect("a size");
        let output = run(&db, &["dashboard", "--once", "--size", size]);
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(
            text.lines().count() <= high && text.lines().all(|line| line.chars().count() <= wide),
            "{size}:\n{text}"
        );
        assert!(text.contains("SESSION") && !text.contains('\u{1b}'), "{size}:\n{text}");
    }
    let output = run(&db, &["dashboard", "--once", "--screen", "tools", "--size", "100x20"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("TOOL"), "{output:?}");
});

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let db = Database::sqlite();
    let output = run(&db, &["dashboard"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{told}");
    assert!(told.contains("needs a terminal") && told.contains("--once"), "{told}");
    let output = run(&db, &["dashboard", "--once"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{told}");
    assert!(told.contains("no archonctl database"), "{told}");
}
