//! `archonctl config paths`: which files there are.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::config::{FILE, home, run};

#[test]
fn paths_says_what_is_there() {
    let home = home("");
    let paths = |variables: &[(&str, &str)]| -> Value {
        let output = run(home.path(), variables, &["config", "paths", "-o", "json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("one document")
    };
    let state = home.path().join(".local/state/archonctl");
    let expected =
        |name: &str, path: &Path, state: &str| serde_json::json!({"name": name, "path": path, "state": state});
    assert_eq!(
        paths(&[])["paths"],
        serde_json::json!([
            expected("configuration file", &home.path().join(FILE), "exists"),
            expected("state folder", &state, "missing"),
            expected("database", &state.join("archon.db"), "missing"),
            expected("remembered sessions", &state.join("sessions.json"), "missing"),
        ])
    );
    fs::create_dir_all(&state).expect("a folder");
    fs::write(state.join("archon.db"), "").expect("written");
    assert_eq!(paths(&[])["paths"][2]["state"], "exists");
    let remote = paths(&[("DATABASE_URL", "postgres://ada:hunter2@db/a")]);
    assert_eq!(
        remote["paths"][2],
        serde_json::json!({"name": "database", "path": "postgres://ada@db/a", "state": "remote"})
    );
}
