//! Which Archon session a call belongs to: the one that the client names, the bound one, or a new one.

use serde_json::json;
use uuid::Uuid;

use super::clock::advance;
use super::{REVISION, SOON, echo, echo_naming, until};
use crate::databases::{Database, on_every_database};
use crate::http::{Mcp, Session};
use crate::process::ServeProcess;
use crate::token_file::lines;

const NAMED: &str = "x-archon-session-id";

async fn start(db: &Database) -> (ServeProcess, Mcp) {
    let server = ServeProcess::start(db, &["--test-tools", "--test-clock"]).await;
    let mcp = Mcp::new(server.url());
    (server, mcp)
}

fn archon(session: &Session) -> &str {
    session.archon.as_deref().expect("an Archon session")
}

/// The rules by which a session's calls found their Archon sessions, in order, with those.
fn rules(db: &Database, session: &Session) -> Vec<(String, String)> {
    let sql = format!(
        "SELECT session_rule, session_id FROM archon_mcp_requests \
         WHERE tool_name IS NOT NULL AND protocol_session_id = '{}' ORDER BY seq",
        session.id
    );
    let text = |value: &Option<String>| value.clone().expect("not NULL");
    db.rows(&sql).iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

fn pairs<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(rule, id)| (rule.to_owned(), id.to_owned())).into()
}

fn warning(id: &str) -> String {
    format!("Client-provided session {id} invalid/expired, will create new session")
}

/// How often the log says that this id was replaced. Another warning, made after them, shows that they are all there. What
/// comes next is warned of again.
async fn warnings(server: &mut ServeProcess, session: &Session, id: &str) -> usize {
    advance(server, "61s").await;
    let marker = Uuid::new_v4().to_string();
    echo_naming(session, &marker).await;
    server.wait_for_line(&warning(&marker), SOON).await;
    advance(server, "61s").await;
    server.lines().iter().filter(|line| line.contains(&warning(id))).count()
}

on_every_database!(the_first_tool_call_makes_the_session, |db| async {
    let (_server, mcp) = start(&db).await;
    let session = mcp.initialize(REVISION).await;
    let id = archon(&session);
    let list = session.request("tools/list", json!({})).await;
    assert_eq!(list.header(NAMED), Some(id), "reserved");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), "0");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE session_id IS NULL"), "2");

    assert_eq!(echo(&session).await, id);
    assert_eq!(echo(&session).await, id);
    assert_eq!(echo_naming(&session, id).await, id);
    assert_eq!(rules(&db, &session), pairs([("new", id), ("bound", id), ("client", id)]));
    assert_eq!(db.value("SELECT session_id FROM archon_mcp_sessions"), id);
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE session_id IS NULL"), "0", "filled in");
    assert_eq!(db.value(&format!("SELECT COUNT(*) FROM archon_mcp_requests WHERE session_id = '{id}'")), "5");
});

on_every_database!(a_live_session_that_is_named_is_used, |db| async {
    let (_server, mcp) = start(&db).await;
    let owner = mcp.initialize(REVISION).await;
    let id = echo(&owner).await;
    // One without a session of its own is bound to it …
    let unbound = mcp.initialize(REVISION).await;
    assert_eq!(echo_naming(&unbound, &id).await, id);
    assert_eq!(echo(&unbound).await, id);
    assert_eq!(rules(&db, &unbound), pairs([("client", &id), ("bound", &id)]));
    let orphans = "SELECT COUNT(*) FROM archon_mcp_requests WHERE session_id IS NULL";
    until(&db, orphans, "0").await;
    // … one that has its own goes back to it.
    let bound = mcp.initialize(REVISION).await;
    let own = echo(&bound).await;
    assert_eq!(echo_naming(&bound, &id).await, id);
    assert_eq!(echo(&bound).await, own);
    assert_eq!(rules(&db, &bound), pairs([("new", &own), ("client", &id), ("bound", &own)]));
});

on_every_database!(initialize_continues_the_session_that_it_names, |db| async {
    let (mut server, mcp) = start(&db).await;
    let first = mcp.initialize(REVISION).await;
    let id = echo(&first).await;
    let second = mcp.initialize_with(&[(NAMED, &id)], "suite", REVISION).await;
    assert_eq!((second.archon.as_deref(), second.id == first.id), (Some(&*id), false));
    assert_eq!(echo(&second).await, id);
    assert_eq!(rules(&db, &second), pairs([("bound", &id)]));
    server.sigkill();
    let _server = ServeProcess::start_at(server.address(), &db, &["--test-tools"]).await;
    assert_eq!((echo(&first).await, echo(&second).await), (id.clone(), id));
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), "1");
});

on_every_database!(a_reserved_id_is_shared_before_it_exists, |db| async {
    let (_server, mcp) = start(&db).await;
    let first = mcp.initialize(REVISION).await;
    let id = archon(&first);
    let second = mcp.initialize_with(&[(NAMED, id)], "suite", REVISION).await;
    assert_eq!(second.archon.as_deref(), Some(id));
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions"), "0");
    // A third names it in its first call only.
    let third = mcp.initialize(REVISION).await;
    assert_eq!(echo_naming(&third, id).await, id);
    for session in [&second, &first, &third] {
        assert_eq!(echo(session).await, id);
    }
    assert_eq!(rules(&db, &third), pairs([("new", id), ("bound", id)]));
    assert_eq!(rules(&db, &first), pairs([("bound", id)]));
    assert_eq!(db.value("SELECT session_id FROM archon_mcp_sessions"), id);
    until(&db, "SELECT COUNT(*) FROM archon_mcp_requests WHERE session_id IS NULL", "0").await;
});

on_every_database!(a_reserved_id_is_made_for_its_owner_when_a_bound_session_names_it, |db| async {
    let (_server, mcp) = start(&db).await;
    let owner = mcp.initialize_with(&[], "codex", REVISION).await;
    let bound = mcp.initialize(REVISION).await;
    let own = echo(&bound).await;
    let id = archon(&owner);
    for _ in 0..2 {
        assert_eq!(echo_naming(&bound, id).await, id);
    }
    assert_eq!(echo(&bound).await, own, "it keeps its own");
    assert_eq!(echo(&owner).await, id);
    assert_eq!(rules(&db, &bound), pairs([("new", &own), ("new", id), ("client", id), ("bound", &own)]));
    assert_eq!(rules(&db, &owner), pairs([("bound", id)]));
    let of = |id: &str| format!("SELECT client_name FROM archon_mcp_sessions WHERE session_id = '{id}'");
    assert_eq!((db.value(&of(id)), db.value(&of(&own))), ("codex".to_owned(), "suite".to_owned()));
    let bindings = "SELECT session_id FROM archon_mcp_protocol_sessions WHERE protocol_session_id = ";
    for (session, archon) in [(&owner, id), (&bound, &own)] {
        assert_eq!(db.value(&format!("{bindings}'{}'", session.id)), archon);
    }
    until(&db, "SELECT COUNT(*) FROM archon_mcp_requests WHERE session_id IS NULL", "0").await;
});

on_every_database!(who_makes_a_reserved_session_adopts_the_rows_of_all_who_share_it, |db| async {
    let (_server, mcp) = start(&db).await;
    let first = mcp.initialize(REVISION).await;
    let second = mcp.initialize_with(&[(NAMED, archon(&first))], "suite", REVISION).await;
    echo(&second).await;
    // Its row is there, so the batch that made the session is; the first need not come back for it.
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE session_id IS NULL"), "0");
    assert_eq!(echo(&first).await, archon(&first));
    assert_eq!(rules(&db, &first), pairs([("bound", archon(&first))]));
});

on_every_database!(an_id_that_is_not_to_be_used_is_replaced_with_one_warning, |db| async {
    let (mut server, mcp) = start(&db).await;
    let ended = mcp.initialize(REVISION).await;
    let expired = echo(&ended).await;
    db.rows(&format!("UPDATE archon_mcp_sessions SET status = 'expired' WHERE session_id = '{expired}'"));
    // The lease of an end that was made elsewhere.
    super::refused(&ended, "operator").await;
    let (session, other) = (mcp.initialize(REVISION).await, mcp.initialize(REVISION).await);
    let unknown = Uuid::new_v4().to_string();
    for named in [&expired, &unknown, "not-a-uuid", "' OR 1=1 --"] {
        for _ in 0..3 {
            assert_eq!(echo_naming(&session, named).await, archon(&session), "{named}");
        }
        assert_eq!(warnings(&mut server, &session, named).await, 1, "{named}");
        assert_eq!(echo_naming(&other, named).await, archon(&other), "{named}");
        assert_eq!(warnings(&mut server, &session, named).await, 2, "{named}: one for each protocol session");
        let opened = mcp.initialize_with(&[(NAMED, named)], "suite", REVISION).await;
        advance(&mut server, "61s").await;
        assert!(archon(&opened) != named && Uuid::parse_str(archon(&opened)).is_ok(), "{named}");
    }
    assert_eq!(rules(&db, &session)[0], ("new".to_owned(), archon(&session).to_owned()));
    assert!(rules(&db, &session)[1..].iter().all(|(rule, id)| rule == "bound" && id == archon(&session)));
});

// A client that makes up an id for each call writes no log of that size.
on_every_database!(a_flood_of_ids_is_a_line_a_minute_and_a_number, |db| async {
    let (mut server, mcp) = start(&db).await;
    let session = mcp.initialize(REVISION).await;
    for n in 0..30 {
        echo_naming(&session, &format!("made-up-{n}")).await;
    }
    advance(&mut server, "61s").await;
    echo_naming(&session, "the-last").await;
    server.wait_for_line(&format!("{} (29 more before it)", warning("the-last")), SOON).await;
    assert_eq!(server.lines().iter().filter(|line| line.contains("invalid/expired")).count(), 2);
});

/// A token file with these principals; each one's token is its name.
fn token_file(db: &Database, principals: &[&str]) -> String {
    let line = |principal: &&str| {
        let name = principal.split(' ').next().unwrap_or_default();
        lines(&[(name, principal)])
    };
    let path = db.folder().join("tokens");
    std::fs::write(&path, principals.iter().map(line).collect::<String>()).expect("written");
    path.display().to_string()
}

on_every_database!(principals_are_kept_apart, |db| async {
    let id = "550e8400-e29b-41d4-a716-446655440000";
    let tokens = token_file(&db, &[&format!("ada ada@example.org {id}"), "bob"]);
    let options = ["--test-tools", "--test-clock", "--token-file", &tokens];
    let mut server = ServeProcess::start(&db, &options).await;
    let (ada, bob) = (Mcp::new(server.url()).with_token("ada"), Mcp::new(server.url()).with_token("bob"));
    let (hers, reserved) = (ada.initialize(REVISION).await, ada.initialize(REVISION).await);
    let named = echo(&hers).await;
    let user = format!("SELECT user_name, user_email, user_id FROM archon_mcp_sessions WHERE session_id = '{named}'");
    assert_eq!(db.rows(&user), [["ada", "ada@example.org", id].map(|text| Some(text.to_owned()))]);

    let his = bob.initialize(REVISION).await;
    for foreign in [&named, archon(&reserved)] {
        assert_eq!(echo_naming(&his, foreign).await, archon(&his));
        assert_eq!(warnings(&mut server, &his, foreign).await, 1);
        let opened = bob.initialize_with(&[(NAMED, foreign)], "suite", REVISION).await;
        advance(&mut server, "61s").await;
        assert_ne!(archon(&opened), foreign);
    }
    let user = user.replace(&named, archon(&his));
    assert_eq!(db.rows(&user), [[Some("bob".to_owned()), None, None]]);

    // Her protocol session does not exist for him.
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let answer = bob.post(&[("mcp-session-id", &hers.id)], ping).await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["error"]["data"]["reason"]), (404, &json!("session_unknown")));
    until(&db, "SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'refused'", "1").await;
    assert_eq!(echo(&hers).await, named);
});
