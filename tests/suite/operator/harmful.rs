//! Rows that hold what means harm, from an older server or a hand in the database: harmless in all that is printed of them.

use super::*;
use crate::databases::on_every_database;
use crate::harm::{NAME, all, assert_harmless, assert_harmless_on_terminal, assert_printable};
use crate::terminal;

/// Everything that prints a list or a session.
const COMMANDS: [&[&str]; 11] = [
    &["list", "--all"],
    &["show", LIVE],
    &["show", CLOSED],
    &["requests"],
    &["events"],
    &["stats"],
    &["stats", "--by", "client"],
    &["stats", "--by", "user"],
    &["stats", "--by", "session"],
    &["expire", "--all", "--dry-run"],
    &["dashboard", "--once"],
];

/// The rows of [`filled`], each of their texts ending in what means harm.
fn poisoned(db: &Database) {
    filled(db);
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (name, all) = (quoted(NAME), quoted(&all()));
    for (table, columns) in [
        ("archon_mcp_protocol_sessions", &["client_type", "client_name", "client_version", "protocol_version"][..]),
        (
            "archon_mcp_sessions",
            &[
                "client_type",
                "client_name",
                "client_version",
                "user_name",
                "user_email",
                "ended_by",
                "disconnect_reason",
            ],
        ),
        ("archon_mcp_requests", &["method", "tool_name", "error_message", "session_rule"]),
        ("archon_mcp_session_events", &["kind", "reason", "actor"]),
        ("archon_mcp_rollups", &["method", "tool_name", "client_type"]),
        ("archon_mcp_rollups_daily", &["tool_name", "client_type"]),
    ] {
        // A condition keeps the end of a session out of those that go on.
        let set = |column: &&str| match *column {
            "ended_by" | "disconnect_reason" => {
                format!("{column} = CASE WHEN status = 'active' THEN NULL ELSE {name} || {all} END")
            }
            _ => format!("{column} = {name} || coalesce({column}, '') || {all}"),
        };
        let sets: Vec<_> = columns.iter().map(set).collect();
        db.rows(&format!("UPDATE {table} SET {}", sets.join(", ")));
    }
}

on_every_database!(stored_names_do_no_harm_in_any_format, |db| async {
    poisoned(&db);
    for args in COMMANDS {
        let table = printed(&db, args);
        assert_harmless(&table, &format!("{args:?}"));
        let is_dashboard = args[0] == "dashboard";
        let formats: &[&str] = if is_dashboard { &["json"] } else { &["json", "jsonl", "csv"] };
        for format in formats {
            let text = printed(&db, &[args, &["-o", *format][..]].concat());
            assert_printable(&text, &format!("{args:?} -o {format}"));
            if *format == "csv" {
                let mut csv = csv::Reader::from_reader(text.as_bytes());
                for cell in csv
                    .records()
                    .flat_map(|record| record.expect("a record").iter().map(str::to_owned).collect::<Vec<_>>())
                {
                    assert!(!cell.trim_start().starts_with(['=', '+', '@']), "{args:?}: {cell:?}");
                }
            } else {
                assert_harmless(&text, &format!("{args:?} -o {format}"));
                text.lines().for_each(|line| _ = serde_json::from_str::<Value>(line).expect("JSON"));
            }
        }
    }
    // To a program JSON still says what is stored, to the letter.
    let stored = db.value(&format!("SELECT client_type FROM archon_mcp_sessions WHERE session_id = '{CLOSED}'"));
    assert_eq!(document(&db, &["show", CLOSED])["session"]["client_type"], stored);
});

on_every_database!(stored_names_do_no_harm_on_a_terminal, |db| async {
    poisoned(&db);
    for args in COMMANDS {
        let formats: &[&str] = if args[0] == "dashboard" { &["text", "json"] } else { &["table", "json", "csv"] };
        for format in formats {
            let mut command = archonctl(db.folder());
            command.env("DATABASE_URL", db.url()).args(args).args(["-o", format]);
            let shown = terminal::show(command, 200);
            assert!(shown.status.success(), "{args:?}: {}", shown.text);
            assert_harmless_on_terminal(&shown.text, &format!("{args:?} -o {format}"));
        }
    }
});

on_every_database!(what_is_told_of_stored_names_does_no_harm, |db| async {
    poisoned(&db);
    for args in
        [&["show", "1111"][..], &["show", "no-such\u{1b}[2J\u{202e}\nerror: forged"], &["list", "--client\u{9b}31m"]]
    {
        let output = run(&db, args);
        assert!(!output.status.success(), "{args:?}");
        assert_harmless(&String::from_utf8(output.stderr).expect("text"), &format!("{args:?}"));
    }
});
