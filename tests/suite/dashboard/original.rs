//! On the tables of an original Archon: every screen, and nothing in them is changed.

use super::tmux::{Tmux, dashboard, has_tmux};
use super::{document, run};
use crate::operator::original::{IDLE, LEFT, everything, original};

#[test]
fn every_screen_reads_them_as_they_stand() {
    let Some(db) = original() else { return };
    let before = everything(&db);
    for (screen, told) in [
        ("sessions", &["Live sessions: 1", &IDLE[..8], "Claude Code", "an original Archon's database"][..]),
        ("requests", &["find_projects", "no such project", "health_check"]),
        ("tools", &["find_projects", "health_check", "100%", "12ms"]),
        ("clients", &["Claude Code", "Cursor"]),
        ("events", &["No events yet"]),
        ("history", &["By the hour", "Cursor 1"]),
        ("boots", &["keeps no record of its boots"]),
    ] {
        let output = run(&db, &["dashboard", "--once", "--size", "120x40", "--screen", screen]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{screen}: {}", String::from_utf8_lossy(&output.stderr));
        for words in told {
            assert!(text.contains(words), "{screen} has no {words:?}:\n{text}");
        }
        assert!(text.contains("1 active"), "idle counts as active:\n{text}");
    }
    let shown = document(&db, &["dashboard", "--once", "-o", "json"]);
    assert_eq!(shown["counts"]["disconnected"], 1);
    assert_eq!(shown["tool_hours"].as_array().map(Vec::len), Some(2));
    let slowest: Vec<_> =
        shown["slowest"].as_array().expect("calls").iter().map(|r| r["duration_ms"].as_f64()).collect();
    assert_eq!(slowest, [Some(12.0), None]);
    assert!(before == everything(&db), "something was changed");
}

#[test]
fn on_a_terminal_it_opens_sessions_and_ends_none() {
    if !has_tmux() {
        return;
    }
    let Some(db) = original() else { return };
    let before = everything(&db);
    let tmux = Tmux::start(db.folder(), (120, 30));
    tmux.wait_for("ready>");
    tmux.write(&dashboard(&db));
    tmux.press(&["Enter"]);
    tmux.wait_for(&IDLE[..8]);
    tmux.write("x");
    tmux.wait_for("Read only: nothing can be ended here.");
    tmux.write("a");
    tmux.wait_for(&LEFT[..8]);
    tmux.write("/cursor");
    tmux.press(&["Enter", "Enter"]);
    tmux.wait("its request", |s| s.contains(&format!("Session {LEFT}")) && s.contains("no such project"));
    tmux.write("x");
    tmux.wait_for("Read only");
    tmux.write("q");
    tmux.wait_for_the_terminal();
    assert!(before == everything(&db), "something was changed");
}
