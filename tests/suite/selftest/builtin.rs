//! The scenarios that come with the program: each is valid and says what it is, and all of them hold on our own server.

use std::collections::BTreeSet;

use archonctl::cli::exit;
use archonctl::selftest::builtin;

use super::Bench;
use super::verdicts::junit;
use crate::databases::on_every_database;

#[test]
fn each_is_one_promise_and_says_which() {
    let all = builtin::all().expect("valid");
    let names: BTreeSet<_> = all.iter().map(|one| &one.scenario.name).collect();
    assert_eq!(names.len(), all.len(), "no name twice");
    for one in &all {
        let scenario = &one.scenario;
        assert!(one.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", one.id);
        assert!(!scenario.name.ends_with('.') && scenario.name.len() < 90, "{}", scenario.name);
        assert!(scenario.description.len() > 60 && !scenario.tags.is_empty(), "{}", one.id);
    }
    for phase in ["creation", "validation", "client-id", "cleanup", "recovery", "integrity"] {
        let phase = |tags: &[String]| tags.iter().any(|t| t == phase) && tags.iter().any(|t| t == "guide");
        assert!(all.iter().any(|one| phase(&one.scenario.tags)), "the guide's list has a scenario for each");
    }
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/src/selftest/scenarios");
    assert_eq!(std::fs::read_dir(files).expect("a folder").count(), all.len(), "none is forgotten");
}

on_every_database!(all_of_them_hold, |db| async {
    let bench = Bench::new();
    let tables = "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'archonctl_selftest%'";
    let mut args = vec!["--junit", "report.xml"];
    if db.is_postgres() {
        db.rows("CREATE TABLE archon_mcp_sessions (session_id TEXT)");
        db.rows("INSERT INTO archon_mcp_sessions VALUES ('the user''s own')");
        args.extend(["--database-url", db.url()]);
    }
    let run = bench.run(&args).await;
    assert_eq!(run.code(), Some(i32::from(exit::DONE)), "{run}");
    let xml = std::fs::read_to_string(bench.path().join("report.xml")).expect("a report");
    let report = junit::read(&xml);
    assert_eq!(report.tests, builtin::SCENARIOS.len());
    assert_eq!((report.failures, report.errors), (0, 0), "{xml}");
    assert_eq!(report.skipped, usize::from(!db.is_postgres()), "two servers share PostgreSQL alone");
    if db.is_postgres() {
        assert_eq!(db.value(tables), "0", "its schemas are gone");
        assert_eq!(db.value("SELECT session_id FROM archon_mcp_sessions"), "the user's own");
    }
    bench.until_nothing_is_left().await;
});
