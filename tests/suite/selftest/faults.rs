//! Selftest can fail: for each scenario there is a server that is broken in just one way (`tests/servers/faulty_archon/`),
//! on which that scenario fails, by name, with words that tell the fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use archonctl::selftest::builtin;
use serde_json::Value;

use super::{Bench, message};
use crate::databases::Database;

/// A fault, the scenarios that must find it, and what each says then.
const FAULTS: [(&str, &[(&str, &str)]); 26] = [
    (
        "forgets-on-restart",
        &[
            ("recovery-after-sigkill", "status: expected 200, got 404"),
            ("recovery-after-sigterm", "status: expected 200, got 404"),
            ("recovery-concurrent-first-hits", "status: expected 200, got 404"),
            ("recovery-keeps-ends", "json /error/message: expected something with \"client_disconnect\" in it"),
            ("survives-sigkill", "status: expected 200, got 404"),
            ("survives-sigterm", "status: expected 200, got 404"),
            ("session-reuse", "status: expected 200, got 404"),
        ],
    ),
    (
        "unknown-is-400",
        &[("unknown-id-is-404", "status: expected 404, got 400"), ("close-then-404", "status: expected 404, got 400")],
    ),
    ("serves-without-id", &[("missing-id-is-400", "status: expected 400, got 200")]),
    ("ignores-client-id", &[("client-id-valid", "header x-archon-session-id: expected")]),
    (
        "believes-client-id",
        &[
            ("client-id-unknown", "header x-archon-session-id: expected"),
            ("client-id-malformed", "header x-archon-session-id: expected"),
            ("client-id-expired", "header x-archon-session-id: expected something other than"),
        ],
    ),
    (
        "one-token-for-all",
        &[
            ("sessions-of-another-principal", "status: expected 404, got 200"),
            ("client-id-of-another-principal", "header x-archon-session-id: expected something other than"),
        ],
    ),
    (
        "leaks-the-first-session",
        &[("sessions-are-kept-apart", "rows of SELECT session_id FROM archon_mcp_protocol_sessions")],
    ),
    ("short-ids", &[("session-ids-are-safe", "header mcp-session-id: expected a text that matches")]),
    ("no-hints", &[("errors-tell-the-way-out", "json /error/data/hint")]),
    (
        "one-revision",
        &[
            ("lifecycle-2024-11-05", "json /result/protocolVersion: expected \"2024-11-05\", got \"2099-01-01\""),
            ("lifecycle-2025-03-26", "json /result/protocolVersion: expected \"2025-03-26\""),
            ("lifecycle-2025-06-18", "json /result/protocolVersion: expected \"2025-06-18\""),
            ("lifecycle-2025-11-25", "json /result/protocolVersion: expected \"2025-11-25\""),
        ],
    ),
    ("refuses-batches", &[("batches-on-2025-03-26", "status: expected 200, got 400")]),
    (
        "serves-batches",
        &[
            ("no-batches-on-2025-06-18", "status: expected 4xx, got 200"),
            ("no-batches-on-2025-11-25", "status: expected 4xx, got 200"),
        ],
    ),
    ("ignores-version", &[("unsupported-version-header", "status: expected 400, got 200")]),
    (
        "ignores-host",
        &[("foreign-host", "status: expected 4xx, got 200"), ("foreign-origin", "status: expected 403, got 200")],
    ),
    (
        "get-is-404",
        &[
            ("get-is-never-404", "status: expected 200 or 405, got 404"),
            ("inspector-like-traffic", "status: expected 200 or 405, got 404"),
        ],
    ),
    ("swallows-delete", &[("close-then-404", "status: expected 404, got 200")]),
    ("refuses-stale-initialize", &[("stale-id-at-initialize", "status: expected 200, got 404")]),
    (
        "revives",
        &[
            ("late-requests-do-not-revive", "status: expected 404, got 200"),
            ("recovery-keeps-ends", "status: expected 404, got 200"),
            ("survives-sigkill", "status: expected 400 or 401 or 403 or 404, got 200"),
            ("survives-sigterm", "status: expected 400 or 401 or 403 or 404, got 200"),
        ],
    ),
    ("health-lies", &[("health-tells-the-truth", "json /sessions/active: expected 0, got 99")]),
    ("errors-as-success", &[("tool-errors-are-recorded", "json /result/isError: expected true, got false")]),
    ("eager-sessions", &[("lazy-creation", "rows of")]),
    ("rows-get-lost", &[("request-rows-are-complete", "rows of"), ("session-reuse", "expected 6, got 0")]),
    ("handshake-is-not-kept", &[("creation-and-persistence", "got no rows")]),
    (
        "wrong-durations",
        &[
            ("end-by-delete", "expected 0 | 0, got"),
            ("end-by-timeout", "expected 0, got"),
            ("end-by-protocol-timeout", "expected 0, got"),
            ("end-by-operator", "expected 0 | 0, got"),
            ("end-by-max-age", "expected 0 | 0, got"),
            ("database-integrity", "total_duration"),
        ],
    ),
    ("reaps-everything", &[("running-call-survives-cleanup", "got expired"), ("cleanup-runs", "not within 10s")]),
    ("refuses-duplicates", &[("duplicate-request-ids", "status: expected 200, got 400")]),
];

/// The broken server, which is an example: `cargo test` builds it with the tests.
fn faulty() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_archonctl"));
    let example = program.with_file_name("examples").join("faulty_archon");
    assert!(example.is_file(), "{} is not built: cargo build --examples", example.display());
    example
}

/// The outcomes of these scenarios on a server with that fault, by id.
async fn outcomes(fault: &str, scenarios: &[&str], more: &[&str]) -> BTreeMap<String, Value> {
    let bench = Bench::new();
    let program = format!("{} {fault} {}", faulty().display(), env!("CARGO_BIN_EXE_archonctl"));
    let run = bench.run(&[scenarios, &["--json", "--program", &program], more].concat()).await;
    let finished = run.events().into_iter().filter(|event| event["event"] == "finished");
    let found = finished.map(|event| (event["id"].as_str().unwrap_or_default().to_owned(), event)).collect();
    bench.until_nothing_is_left().await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_found_by_name() {
    for (fault, found) in FAULTS {
        let scenarios: Vec<_> = found.iter().map(|(scenario, _)| *scenario).collect();
        let outcomes = outcomes(fault, &scenarios, &[]).await;
        for (scenario, words) in found {
            let outcome = &outcomes[*scenario];
            assert_eq!(outcome["verdict"], "failed", "{fault}: {scenario}\n{outcome:#}");
            assert!(message(outcome).contains(words), "{fault}: {scenario}\n{outcome:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_fault_the_same_server_passes() {
    let every = ["recovery-after-sigkill", "recovery-after-sigterm", "cleanup-runs", "end-by-delete", "foreign-host"];
    for (scenario, outcome) in outcomes("no-fault", &every, &[]).await {
        assert_eq!(outcome["verdict"], "passed", "{scenario}: {outcome:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_share_nothing_are_found() {
    let Some(db) = Database::postgres() else { return };
    let found = outcomes("forgets-on-restart", &["two-servers"], &["--database-url", db.url()]).await;
    let outcome = &found["two-servers-one-database"];
    assert_eq!(outcome["verdict"], "failed", "{outcome:#}");
    assert!(message(outcome).contains("status: expected 200, got 404"), "{outcome:#}");
}

#[test]
fn no_scenario_is_without_its_fault() {
    let found: BTreeSet<_> = FAULTS.iter().flat_map(|(_, found)| found.iter().map(|(scenario, _)| *scenario)).collect();
    let all: BTreeSet<_> = builtin::SCENARIOS.iter().map(|(id, _)| *id).collect();
    let missing: Vec<_> = all.difference(&found).filter(|id| **id != "two-servers-one-database").collect();
    assert!(missing.is_empty(), "no fault shows that these can fail: {missing:?}");
}
