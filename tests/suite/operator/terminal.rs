//! On a terminal: tables fit it, colours are there unless they are unwelcome, and somebody is asked.

use std::process::Command as Process;

use super::*;
use crate::databases::on_every_database;

/// Runs a command on a terminal so many columns wide, made by the program `script`; returns what the terminal gets.
fn on_terminal(db: &Database, columns: usize, environment: &str, args: &str) -> String {
    let program = env!("CARGO_BIN_EXE_archonctl");
    let line = format!("stty cols {columns} rows 50; {environment} {program} {args}");
    let mut command = Process::new("script");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("SHELL", "/bin/sh");
    command.env("HOME", db.folder()).env("DATABASE_URL", db.url()).env("TERM", "xterm").current_dir(db.folder());
    let output = Command::from_std(command)
        .args(["-qec", &line, "/dev/null"])
        .timeout(Duration::from_secs(30))
        .output()
        .expect("script runs");
    String::from_utf8(output.stdout).expect("text").replace('\r', "")
}

/// The lines without their colours.
fn plain(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = escape.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.lines().map(str::to_owned).collect()
}

on_every_database!(tables_fit_the_terminal, |db| async {
    filled(&db);
    for args in ["list --all", "requests", "events", "stats", "expire --all --dry-run"] {
        for columns in [40, 60, 80, 120, 300] {
            let lines = plain(&on_terminal(&db, columns, "", args));
            assert!(lines.len() >= 2, "{args} at {columns}: {lines:?}");
            for line in &lines {
                assert!(line.chars().count() <= columns, "{args} at {columns}: {line}");
            }
        }
    }
    let narrow = plain(&on_terminal(&db, 40, "", "list")).join("\n");
    assert!(narrow.contains("aaaaaaaa…") && !narrow.contains("ARCHON"), "{narrow}");
    let wide = plain(&on_terminal(&db, 300, "", "list")).join("\n");
    assert!(wide.contains(LIVE) && wide.contains(WAITING_PROTOCOL), "{wide}");
    assert!(printed(&db, &["list"]).contains(LIVE_PROTOCOL), "nothing is cut off a terminal");
});

on_every_database!(colours_are_for_terminals_that_welcome_them, |db| async {
    filled(&db);
    for args in ["list", "requests", "stats"] {
        assert!(on_terminal(&db, 100, "", args).contains("\u{1b}["), "{args}");
        for unwelcome in ["NO_COLOR=1", "TERM=dumb"] {
            assert!(!on_terminal(&db, 100, unwelcome, args).contains('\u{1b}'), "{args} with {unwelcome}");
        }
        assert!(on_terminal(&db, 100, "NO_COLOR=", args).contains("\u{1b}["), "{args}: an empty one says nothing");
    }
    let hostile = on_terminal(&db, 200, "NO_COLOR=1", "requests --status error -o csv");
    assert!(!hostile.contains('\u{1b}'), "{hostile}");
});

on_every_database!(an_operator_is_asked_on_a_terminal, |db| async {
    filled(&db);
    let refused = on_terminal(&db, 100, "echo n |", "expire --all");
    assert!(refused.contains("--yes"), "a pipe is no terminal to ask on: {refused}");
    let watched = on_terminal(&db, 100, "timeout -s INT 1", "list --watch=200ms");
    assert!(watched.matches("\u{1b}[H").count() >= 2, "drawn again in place: {watched:?}");
});
