//! `expire` ends sessions, and running servers honour it.

use std::time::Instant;

use serde_json::json;

use super::*;
use crate::databases::on_every_database;
use crate::http::Mcp;
use crate::process::ServeProcess;

/// About a second, and what a busy machine needs.
const HONOURED: Duration = Duration::from_millis(2500);

/// Status, reason and actor of a session's row, and the same of its event.
fn end_of(db: &Database, id: &str) -> [Vec<Vec<Option<String>>>; 2] {
    let row = format!("SELECT status, disconnect_reason, ended_by FROM archon_mcp_sessions WHERE session_id = '{id}'");
    let event = format!(
        "SELECT kind, reason, actor FROM archon_mcp_session_events e
         WHERE kind IN ('ended', 'expire') AND protocol_session_id =
             (SELECT s.protocol_session_id FROM archon_mcp_sessions s WHERE s.session_id = '{id}') ORDER BY id"
    );
    [db.rows(&row), db.rows(&event)]
}

fn who() -> String {
    let run = |program: &str, arg: &str| {
        let output = std::process::Command::new(program).arg(arg).output().expect("it runs");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    format!("{}@{}", run("id", "-un"), run("uname", "-n"))
}

on_every_database!(an_end_says_who_and_why, |db| async {
    filled(&db);
    let done = document(&db, &["expire", "11111", "--reason", "a stuck client"]);
    assert_eq!((&done["version"], &done["dry_run"], &done["ended"]), (&json!(1), &json!(false), &json!(1)));
    assert_eq!(ids(&done), [LIVE]);
    let some = |text: &str| Some(text.to_owned());
    let [row, events] = end_of(&db, LIVE);
    assert_eq!(row, [[some("disconnected"), some("operator"), Some(who())]]);
    let ended = [some("ended"), some("operator"), Some(who())];
    assert_eq!(events, [ended, [some("expire"), some("a stuck client"), Some(who())]]);
    let bound =
        format!("SELECT status FROM archon_mcp_protocol_sessions WHERE protocol_session_id = '{LIVE_PROTOCOL}'");
    assert_eq!(db.value(&bound), "disconnected", "what ends is its connection");
    let story = printed(&db, &["show", LIVE]);
    assert!(story.contains(&format!("operator by {}: a stuck client", who())), "{story}");

    let again = told(&db, &["expire", LIVE], exit::NO_SESSION);
    assert!(again.contains("has ended already: operator by "), "{again}");
    for gone in [CLOSED, OVER, LIVE_PROTOCOL] {
        told(&db, &["expire", WAITING, gone], exit::NO_SESSION);
    }
    assert_eq!(ids(&document(&db, &["list"])), [WAITING], "all of them or none");
    let by_protocol = document(&db, &["expire", "cccc", "--reason", "idle"]);
    assert_eq!(ids(&by_protocol), [WAITING], "a client that has called no tool");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'expire'"), "2");
    assert!(printed(&db, &["show", WAITING]).contains(": idle"), "its reason is told");
});

on_every_database!(sessions_are_chosen_by_what_they_are, |db| async {
    filled(&db);
    for (args, expected) in [
        (&["--idle", "30m"][..], &[WAITING][..]),
        (&["--client", "CLAUDE CODE"], &[LIVE]),
        (&["--client", "cursor", "--idle", "30m"], &[WAITING]),
        (&["--client", "nobody"], &[]),
        (&["--all"], &[LIVE, WAITING]),
    ] {
        let would = document(&db, &[&["expire", "--dry-run"], args].concat());
        assert_eq!((ids(&would).as_slice(), &would["ended"]), (expected, &json!(0)), "{args:?}");
    }
    assert_eq!(ids(&document(&db, &["list"])).len(), 2, "nothing was ended");
    let refused = told(&db, &["expire", "--all"], exit::USAGE);
    assert!(refused.contains("2 sessions would end") && refused.contains("--yes"), "{refused}");
    let done = printed(&db, &["expire", "--idle", "30m", "--yes"]);
    assert!(done.ends_with("\nEnded 1 session.\n") && done.contains(WAITING), "{done}");
    assert_eq!(ids(&document(&db, &["list"])), [LIVE]);
});

on_every_database!(many_are_ended_in_chunks, |db| async {
    filled(&db);
    let (now, soon) = (ago(1), ago(-3600));
    for n in 0..13 {
        let sessions: Vec<_> = (0..100)
            .map(|i| format!("('77777777-0000-4000-8000-{:012}', 'Codex', {now}, {now}, {soon}, 1)", n * 100 + i))
            .collect();
        db.rows(&format!(
            "INSERT INTO archon_mcp_sessions (session_id, client_type, connected_at, last_activity, expires_at, boot) VALUES {}",
            sessions.join(", ")
        ));
    }
    let done = document(&db, &["expire", "--client", "codex", "--yes"]);
    assert_eq!(done["ended"], 1300);
    let ended = "SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'ended' AND reason = 'operator'";
    assert_eq!(db.value(ended), "1300");
    assert_eq!(ids(&document(&db, &["list"])), [LIVE, WAITING]);
});

on_every_database!(a_running_server_refuses_it_within_about_a_second, |db| async {
    let server = ServeProcess::start(&db, &[]).await;
    let session = Mcp::new(server.url()).initialize("2025-11-25").await;
    session.call("health_check", json!({})).await;
    let waiting = Mcp::new(server.url()).initialize("2025-11-25").await;
    let listed = document(&db, &["list"]);
    let called = |id: &str| {
        let sessions = listed["sessions"].as_array().expect("a list");
        sessions.iter().find(|s| s["protocol_session_id"] == id).map(|s| s["called_tools"].clone())
    };
    assert_eq!((called(&session.id), called(&waiting.id)), (Some(json!(true)), Some(json!(false))), "{listed}");

    document(&db, &["expire", &session.id]);
    assert_eq!(document(&db, &["expire", "--all", "--yes"])["ended"], 1);
    let begun = Instant::now();
    for session in [session, waiting] {
        loop {
            let answer = session.request("ping", json!({})).await;
            if answer.status == 404 {
                // Who of the operators is for operators alone.
                let text = answer.text();
                assert!(text.contains(": operator by operator") && !text.contains(&who()), "{text}");
                break;
            }
            assert!(begun.elapsed() < HONOURED, "still served after {HONOURED:?}: {}", answer.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(ids(&document(&db, &["list"])).is_empty());
});
