//! Each kind of step and expectation: it passes where it should, and fails, by its own words, where it should not.

use serde_json::json;

use super::{Bench, message, own};

/// A session, and then these steps.
fn with_session(steps: &str) -> String {
    own(&format!("[[step]]\ninitialize = {{}}\n{steps}"))
}

const HEARTBEAT: &str = "[[step]]\ncall.tool = \"heartbeat\"\n";

/// Steps after a session was opened, and what is said of the one that fails.
const FAILING: &[(&str, &str)] = &[
    ("[[step]]\ncall.method = \"no/such\"\n", "json: expected a result, got { \"code\": -32601"),
    ("[[step]]\ncall.tool = \"test_fail\"\ncall.arguments.message = \"oh\"\n", "json /result/isError: expected false"),
    ("[[step]]\ncall.method = \"ping\"\nexpect.status = [404, \"5xx\"]\n", "status: expected 404 or 5xx, got 200"),
    (
        "[[step]]\ncall.method = \"ping\"\nexpect.headers.x-none = { present = true }\n",
        "header x-none: expected something, got nothing",
    ),
    (
        "[[step]]\ncall.method = \"ping\"\nexpect.headers.content-type = \"text/html\"\n",
        "header content-type: expected \"text/html\"",
    ),
    (
        "[[step]]\ncall.method = \"ping\"\nexpect.body = { contains = \"pong\" }\n",
        "body: expected something with \"pong\" in it",
    ),
    (
        "[[step]]\ncall.method = \"tools/list\"\nexpect.json.\"/result/tools\".length = 1\n",
        "json /result/tools: expected something of length 1",
    ),
    ("[[step]]\ncall.method = \"ping\"\nexpect.duration.at_least = \"5s\"\n", "duration: expected at least 5s"),
    (
        "[[step]]\ncall.tool = \"test_sleep\"\ncall.arguments.ms = 50\nexpect.duration.at_most = \"10ms\"\n",
        "duration: expected at most 10ms",
    ),
    (
        "[[step]]\ncall.tool = \"test_sleep\"\ncall.arguments.ms = 5000\ntimeout = \"100ms\"\n",
        "no answer from http://127.0.0.1",
    ),
    ("[[step]]\ncall.method = \"ping\"\nsave.x = \"/result/none\"\n", "the answer has nothing at \"/result/none\""),
    ("[[step]]\nnotify.method = \"notifications/x\"\nexpect.status = 200\n", "status: expected 200, got 202"),
    ("[[step]]\ndelete = {}\n[[step]]\ndelete = {}\nexpect.status = 404\n", "status: expected 404, got 204"),
    ("[[step]]\ndelete = {}\n[[step]]\ncall.method = \"ping\"\n", "status: expected 200, got 404"),
    ("[[step]]\nsql.query = \"SELECT 1\"\nexpect.rows = [[2]]\n", "expected 2, got 1"),
    (
        "[[step]]\nsql.query = \"SELECT 1 WHERE 1 = 2\"\nexpect.json.\"/0/0\" = \"1\"\n",
        "rows /0/0: expected \"1\", got nothing",
    ),
    ("[[step]]\nlog.matches = 'never said'\ntimeout = \"100ms\"\n", "log: expected a line that matches never said"),
    (
        "[[step]]\nlog = { matches = 'listening', absent = true }\n",
        "log: expected no line that matches listening, got ",
    ),
    (
        "[[step]]\nwait = \"100ms\"\n[[step.do]]\ncall.method = \"ping\"\nexpect.status = 404\n",
        "not within 100ms: status: expected 404, got 200",
    ),
    ("[[step]]\ndelete = {}\n[[step]]\nexpire = {}\n", "the session was not active"),
    (
        "[[step]]\nrepeat.times = 3\n[[step.do]]\ncall.method = \"ping\"\nexpect.json.\"/id\" = 2\n",
        "json /id: expected 2, got 3",
    ),
    (
        "[[step]]\nparallel.times = 3\n[[step.do]]\ncall.method = \"ping\"\nexpect.status = 404\n",
        "status: expected 404, got 200",
    ),
    (
        "[[step]]\nparallel = {}\n[[step.do]]\ncall.method = \"ping\"\n[[step.do]]\ndelete = {}\nexpect.status = 405\n",
        "status: expected 405, got 204",
    ),
    ("[[step]]\nrestart = {}\n[[step.do]]\ncall.method = \"ping\"\n", "no server answers at"),
    ("[[step]]\nadvance = \"31d\"\n[[step]]\ncall.method = \"ping\"\n", "status: expected 200, got 404"),
    (
        "[[step]]\ninitialize.revision = \"2025-03-26\"\nexpect.json.\"/result/protocolVersion\" = \"x\"\n",
        "json /result/protocolVersion: expected \"x\"",
    ),
];

#[tokio::test]
async fn each_step_can_fail() {
    let bench = Bench::new();
    for (steps, expected) in FAILING {
        let finished = bench.play(&with_session(steps), &[]).await;
        assert_eq!(finished["verdict"], "failed", "{steps}\n{finished:#}");
        assert!(message(&finished).contains(expected), "{steps}\n{finished:#}");
        assert!(finished["failure"]["step"].as_str().is_some_and(|step| step.starts_with("step ")), "{finished:#}");
    }
    bench.until_nothing_is_left().await;
}

#[tokio::test]
async fn each_step_can_pass() {
    let bench = Bench::new();
    let steps = r#"
[[step]]
call = { tool = "test_echo", arguments = { text = "a ${run}" }, id = "an-id" }
expect.json."/id" = "an-id"
expect.json."/result/structuredContent/text" = { matches = '^a [0-9a-f-]{36}$' }
save = { said = "/result/structuredContent/text", archon = "header:X-Archon-Session-Id", code = "status" }
[[step]]
call = { tool = "test_echo", arguments = { text = "${said}" } }
expect.json."/result/structuredContent/text" = "${said}"
expect.headers.x-archon-session-id = "${archon}"
[[step]]
call = { http = "POST", path = "/mcp", body = '{"jsonrpc":"2.0","id":${code},"method":"ping"}' }
session = "main"
expect.json."/id" = 200
[[step]]
call = { http = "GET", path = "/healthz" }
expect.body = { contains = "ok" }
[[step]]
sql.query = "SELECT COUNT(*), NULL FROM archon_mcp_requests WHERE session_id = ${archon}"
expect.rows = [[3, "NULL"]]
save.rows = "/0/0"
[[step]]
sql = { sqlite = "SELECT 'sqlite'", postgres = "SELECT 'postgres'" }
expect.rows = [["sqlite"]]
[[step]]
restart = { signal = "SIGTERM" }
[[step.do]]
sql.query = "SELECT end_cause FROM archon_mcp_boots"
expect.rows = [["clean"]]
[[step]]
log.matches = 'MCP Server Start #2'
[[step]]
restart = { signal = "SIGKILL", args = ["--session-timeout", "5h"] }
[[step]]
call.method = "ping"
[[step]]
advance = "4h"
[[step]]
call.method = "ping"
[[step]]
notify = { method = "notifications/cancelled", params = { requestId = 1 } }
[[step]]
expire = {}
[[step]]
wait = "5s"
[[step.do]]
call.method = "ping"
expect.status = 404
"#;
    let finished = bench.play(&with_session(steps), &[]).await;
    assert_eq!(finished["verdict"], "passed", "{finished:#}");
    bench.until_nothing_is_left().await;
}

#[tokio::test]
async fn what_cannot_run_is_broken_and_never_passed() {
    let bench = Bench::new();
    for (steps, expected) in [
        ("[[step]]\nsql.query = \"SELECT * FROM no_such\"\n", "no such table: no_such"),
        ("[[step]]\nsql.query = \"DELETE FROM archon_mcp_sessions\"\n", "syntax error"),
        ("[[step]]\nsql.query = \"SELECT 1; DELETE FROM archon_mcp_sessions\"\n", "syntax error"),
        ("[[step]]\nrestart.args = [\"--no-such-flag\"]\n", "the server did not start: it ended"),
        ("[[step]]\ncall = { http = \"N O\" }\n", "\"N O\" is no HTTP method"),
        ("[[step]]\ncall = { http = \"GET\" }\nheaders = { \"a b\" = \"c\" }\n", "cannot be sent"),
    ] {
        let finished = bench.play(&with_session(steps), &[]).await;
        assert_eq!(finished["verdict"], "broken", "{steps}\n{finished:#}");
        assert!(message(&finished).contains(expected), "{steps}\n{finished:#}");
    }
}

#[tokio::test]
async fn a_failure_shows_the_exchange_and_masks_secrets() {
    let bench = Bench::new();
    let scenario = "name = \"x\"\n[needs]\nown_server = true\n[server]\ntokens = [\"hunter2hunter2\"]\n\
        [[step]]\ninitialize.token = \"hunter2hunter2\"\n[[step]]\nsession = \"main\"\nexpect.status = 404\n\
        call = { http = \"POST\", body = { jsonrpc = \"2.0\", id = 1, method = \"ping\", params = { password = \"hunter2\" } } }\n";
    let finished = bench.play(scenario, &[]).await;
    let failure = &finished["failure"];
    assert!(
        failure["exchange"]["request"].as_str().is_some_and(|r| r.starts_with("POST http://127.0.0.1:")),
        "{failure:#}"
    );
    assert!(failure["exchange"]["answer"].as_str().is_some_and(|a| a.starts_with("200 after ")), "{failure:#}");
    assert_eq!(failure["mismatches"], json!([{"what": "status", "expected": "404", "actual": "200"}]));
    assert!(!finished.to_string().contains("hunter2"), "{finished:#}");
    assert!(failure["log"].as_array().is_some_and(|log| !log.is_empty()), "{failure:#}");
    let human = bench.run(&["it.toml"]).await;
    for part in [
        "FAIL",
        "step 2 (call: POST)",
        "- 404",
        "+ 200",
        "> authorization: [masked]",
        "again: archonctl selftest it.toml",
    ] {
        assert!(human.out().contains(part), "{part}: {human}");
    }
}

#[tokio::test]
async fn a_scenario_has_its_time() {
    let bench = Bench::new();
    let slow = format!(
        "timeout = \"1s\"\n{}",
        with_session("[[step]]\ncall.tool = \"test_sleep\"\ncall.arguments.ms = 60000\n")
    );
    for args in [&[][..], &["--timeout", "1s"]] {
        let finished = bench.play(&slow, args).await;
        assert!(message(&finished).contains("longer than 1s"), "{finished:#}");
        assert_eq!(finished["failure"]["step"], "step 2 (call: test_sleep)");
    }
    let finished = bench.play(&with_session(HEARTBEAT), &["--timeout", "1ms"]).await;
    assert_eq!(finished["verdict"], "failed", "{finished:#}");
    bench.until_nothing_is_left().await;
}
