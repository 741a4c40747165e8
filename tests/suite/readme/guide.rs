//! The guide's own commands, as it prints them: what a user of the original types must work here.

use std::process::Command;

use crate::databases::Database;
use crate::process::ServeProcess;

const INITIALIZE: &str = r#"curl -X POST http://localhost:8051/mcp \
  -H "Content-Type: application/json" \
  -H "Accept: application/json, text/event-stream" \
  -d '{
    "jsonrpc": "2.0",
    "id": "init-1",
    "method": "initialize",
    "params": {
      "protocolVersion": "2024-11-05",
      "capabilities": {},
      "clientInfo": {"name": "MyClient", "version": "1.0.0"}
    }
  }'"#;

const FIND_PROJECTS: &str = r#"curl -X POST http://localhost:8051/mcp \
  -H "Content-Type: application/json" \
  -H "Accept: application/json, text/event-stream" \
  -H "X-MCP-Session-Id: <fastmcp_session>" \
  -H "X-Archon-Session-Id: <archon_session>" \
  -d '{
    "jsonrpc": "2.0",
    "id": "tool-1",
    "method": "tools/call",
    "params": {
      "name": "find_projects",
      "arguments": {"query": "authentication"}
    }
  }'"#;

/// With an Archon session that nobody has: the answer comes all the same.
const HEALTH_CHECK: &str = r#"curl -X POST http://localhost:8051/mcp \
  -H "Content-Type: application/json" \
  -H "Accept: application/json, text/event-stream" \
  -H "X-MCP-Session-Id: <fastmcp_session_id>" \
  -H "X-Archon-Session-Id: 550e8400-e29b-41d4-a716-446655440000" \
  -d '{"jsonrpc":"2.0","id":"req-1","method":"tools/call","params":{"name":"health_check","arguments":{}}}'"#;

const ACTIVE_SESSIONS: &str = "SELECT
    session_id,
    client_type,
    client_version,
    connected_at,
    last_activity,
    status
FROM archon_mcp_sessions
WHERE status = 'active'
ORDER BY last_activity DESC;";

const SESSION_REQUESTS: &str = "SELECT
    s.session_id,
    s.client_type,
    r.tool_name,
    r.status,
    r.duration_ms,
    r.timestamp
FROM archon_mcp_sessions s
JOIN archon_mcp_requests r ON s.session_id = r.session_id
WHERE s.session_id = '<session_id>'
ORDER BY r.timestamp DESC;";

/// Runs a curl command of the guide against that address, and returns the answer, headers included.
fn curl(command: &str, address: &str) -> String {
    let command = command.replace("localhost:8051", address).replacen("curl ", "curl -si --max-time 30 ", 1);
    let output = Command::new("bash").args(["-c", &command]).output().expect("bash");
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {answer}")).trim()
}

fn sqlite3(db: &Database, sql: &str) -> Vec<Vec<String>> {
    let file = db.folder().join("archon.db");
    let output = Command::new("sqlite3").arg(file).arg(sql).output().expect("sqlite3");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_commands_work_as_printed() {
    let db = Database::sqlite();
    let mut server = ServeProcess::start(&db, &[]).await;
    let address = server.address().to_owned();

    let answer = curl(INITIALIZE, &address);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""protocolVersion":"2024-11-05""#), "{answer}");
    let (session, archon) = (header(&answer, "mcp-session-id"), header(&answer, "x-archon-session-id"));
    let find_projects = FIND_PROJECTS.replace("<fastmcp_session>", session).replace("<archon_session>", archon);
    let health_check = HEALTH_CHECK.replace("<fastmcp_session_id>", session);

    for killed in [false, true] {
        if killed {
            server.sigkill();
            server = ServeProcess::start_at(&address, &db, &[]).await;
        }
        let answer = curl(&find_projects, &address);
        assert!(answer.contains(r#""id":"tool-1","result""#) && !answer.contains(r#""isError":true"#), "{answer}");
        assert_eq!(header(&answer, "x-archon-session-id"), archon, "killed: {killed}");
        let answer = curl(&health_check, &address);
        assert!(answer.contains(r#""id":"req-1","result""#) && answer.contains("healthy"), "{answer}");
        assert_eq!(header(&answer, "x-archon-session-id"), archon, "an unknown id is replaced by our own");
    }

    let sessions = sqlite3(&db, ACTIVE_SESSIONS);
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!((&*sessions[0][0], &*sessions[0][1], &*sessions[0][2]), (archon, "MyClient", "1.0.0"));
    let requests = sqlite3(&db, &SESSION_REQUESTS.replace("<session_id>", archon));
    let tools: Vec<_> = requests.iter().filter(|r| !r[2].is_empty()).map(|r| (&*r[2], &*r[3])).collect();
    let pair = [("health_check", "success"), ("find_projects", "success")];
    assert_eq!(tools, [pair, pair].concat(), "newest first");
}
