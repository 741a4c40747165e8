//! The same moment, the same counts.

use archonctl::cli::exit;
use serde_json::{Value, json};

use super::{document, run, seed};
use crate::databases::{Database, on_every_database};

on_every_database!(counts_are_those_of_the_other_commands, |db| async {
    seed(&db, 2000, 10_000);
    let shown = document(&db, &["dashboard", "--once", "-o", "json"]);
    assert_eq!(shown["version"], 1);
    for status in ["active", "disconnected", "expired"] {
        let listed = document(&db, &["list", "--status", status, "--limit", "0", "--json"]);
        let listed = listed["sessions"].as_array().map(Vec::len);
        assert_eq!(shown["counts"][status].as_u64(), listed.map(|n| n as u64), "{status}");
    }
    let listed = document(&db, &["list", "--status", "active", "--limit", "0", "--json"]);
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
});

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
        *sum = [sum[0] + n("sessions") - n("silent"), sum[1] + n("lasted"), sum[2] + n("lasted_s")];
    }
    let sums: Vec<_> = sums
        .into_iter()
        .filter(|(_, sum)| sum[0] > 0)
        .map(|(client, sum)| [client, sum[0].to_string(), sum[1].to_string(), sum[2].to_string()].map(Some).to_vec())
        .collect();
    assert_eq!(sums, by_hand);
    let active = db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'");
    let called =
        shown["sessions"].as_array().expect("sessions").iter().filter(|session| session["called_tools"] == true);
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
