//! What may stand in a body, and how a body may come.

use serde_json::{Value, json};

use super::{House, LATEST, PING, assert_refused, assert_serves, initialize};

const MEBIBYTE: usize = 1 << 20;

#[tokio::test]
async fn what_wants_no_answer_gets_none() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let bodies = [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/no-such","params":{"a":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id": null ,"error":{"code":-32700,"message":"what?"}}"#,
        r#"{"error":{"code":-32600,"message":"what?"},"id":null,"jsonrpc":"2.0"}"#,
    ];
    for body in bodies {
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (202, ""), "{body}");
        assert_eq!(answer.header("content-type"), None, "{body}");
    }
}

#[tokio::test]
async fn what_is_not_json_is_a_parse_error() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for body in ["", " ", "{", "nonsense", "{\"jsonrpc\":\"2.0\",}", "[1,", "{}\u{feff}", "{} {}"] {
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(assert_refused(&answer, 400, -32700, "parse_error")["id"], Value::Null, "{body}");
    }
    assert_serves(&session).await;
}

#[tokio::test]
async fn what_is_not_json_rpc_is_an_invalid_request() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let bodies = [
        ("7", Value::Null),
        ("null", Value::Null),
        (r#""ping""#, Value::Null),
        ("{}", Value::Null),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1)),
        (r#"{"id":1,"method":"ping"}"#, json!(1)),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping","error":{}}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":"x","method":7}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":"x"}"#, json!("x")),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#, json!(1)),
    ];
    for (body, id) in bodies {
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(assert_refused(&answer, 400, -32600, "invalid_request")["id"], id, "{body}");
    }
    assert_serves(&session).await;
}

#[tokio::test]
async fn ids_come_back_byte_for_byte() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for id in ["0", "-1", "1.50", "1e400", "123456789012345678901234567890", r#""""#, r#""\u00e4\"\\ä""#] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(answer.text(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over_and_utf_16_is_named() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    for mark in ["\u{feff}", "\r\n\u{feff} ", "\u{feff}\u{feff}"] {
        assert_eq!(house.post(&[], format!("{mark}{}", initialize(LATEST))).await.status, 200, "{mark:?}");
        for body in [PING.to_owned(), format!("[{PING}]")] {
            let answer = session.post(&[], format!("{mark}{body}")).await.expect("an answer");
            assert_eq!(answer.status, 200, "{mark:?}: {}", answer.text());
        }
    }
    let utf_16: Vec<u8> = format!("\u{feff}{PING}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut connection = house.connect().await;
    let length = utf_16.len().to_string();
    let headers = [("content-type", "application/json"), ("content-length", length.as_str())];
    connection.request("POST /mcp", &headers, "").await.expect("sent");
    connection.send(utf_16).await.expect("sent");
    let json = assert_refused(&connection.answer().await.expect("an answer"), 400, -32700, "parse_error");
    assert!(json["error"]["message"].as_str().is_some_and(|message| message.contains("UTF-16")), "{json}");
}

#[tokio::test]
async fn an_integer_may_be_written_with_a_point() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for (tool, arguments, wrong) in [
        ("find_projects", r#"{"page": 1.0, "per_page": 2e1}"#, false),
        ("find_projects", r#"{"per_page":10.000,"page":100E-2}"#, false),
        ("test_sleep", r#"{"ms": 1.0}"#, false),
        ("find_projects", r#"{"page": 1.5}"#, true),
        ("find_projects", r#"{"page": "1.0"}"#, true),
        ("test_sleep", r#"{"ms": 1e99}"#, true),
    ] {
        let body = super::call(1, tool, json!("@")).replace("\"@\"", arguments);
        let result = session.post(&[], body).await.expect("an answer").json();
        assert_eq!(result["result"]["isError"], wrong, "{arguments}: {result}");
    }
    // And so may the id of what is cancelled.
    let slow = super::call(7, "test_sleep", json!({"ms": 600_000}));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7.0}}"#;
    let batch = house.mcp.initialize("2025-03-26").await;
    batch.call("test_echo", json!({"text": "x"})).await;
    let answers = batch.post(&[], format!("[{slow},{cancel}]")).await.expect("an answer").json();
    assert!(answers.to_string().contains("cancel"), "{answers}");
}

#[tokio::test]
async fn ids_that_cannot_be_echoed_are_refused() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let long = format!("\"{}\"", "x".repeat(600));
    for id in [r#""\ud800""#, r#""\udc00\ud800""#, &long] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(assert_refused(&answer, 400, -32600, "invalid_request")["id"], Value::Null, "{id}");
    }
}

#[tokio::test]
async fn what_is_not_utf_8_is_not_json() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let frames: [&[u8]; 4] = [
        b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\x28\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xed\xa0\x80\"}}",
        b"\xff\xfe{\x00}\x00",
    ];
    for frame in frames {
        let mut connection = house.connect().await;
        let length = frame.len().to_string();
        let headers = [
            ("mcp-session-id", session.id.as_str()),
            ("content-type", "application/json"),
            ("content-length", &length),
        ];
        connection.request("POST /mcp", &headers, "").await.expect("sent");
        connection.send(frame).await.expect("sent");
        assert_refused(&connection.answer().await.expect("an answer"), 400, -32700, "parse_error");
    }
}

#[tokio::test]
async fn parameters_that_are_no_object_are_an_error_of_the_request() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for params in [r#"["2025-11-25"]"#, "[]", "7", r#""x""#, "null", r#"{"protocolVersion":7}"#, "{}"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{params}}}"#);
        let answer = house.post(&[], body).await;
        assert_eq!(answer.json()["error"]["code"], -32602, "{params}: {}", answer.text());
        assert_eq!(answer.header("mcp-session-id"), None, "{params}");
    }
    for params in [r#"["heartbeat"]"#, "[]", "7", "null", r#"{"name":7}"#, "{}"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let answer = session.post(&[], body).await.expect("an answer");
        assert_eq!(answer.json()["error"]["code"], -32602, "{params}: {}", answer.text());
    }
    assert_eq!(house.db.value("SELECT count(*) FROM archon_mcp_protocol_sessions"), "1");
}

#[tokio::test]
async fn unknown_methods_are_named() {
    let house = House::open(&[]).await;
    let answer = house.session().await.request("resources/subscribe", json!({})).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (200, &json!(-32601)));
    house.newest_row("status", "method = 'resources/subscribe'", "error").await;
}

#[tokio::test]
async fn a_ping_leaves_no_row_and_other_requests_do() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    assert_eq!(session.request("ping", json!({})).await.json()["result"], json!({}));
    assert_eq!(session.request("tools/list", json!({})).await.status, 200);
    assert_serves(&session).await;
    // The answers came after their rows: nothing is waited for.
    let methods = house.db.rows("SELECT method FROM archon_mcp_requests ORDER BY id");
    let methods: Vec<_> = methods.iter().map(|row| row[0].as_deref().unwrap_or_default()).collect();
    assert_eq!(methods, ["initialize", "tools/list", "tools/call"]);
}

#[tokio::test]
async fn a_body_is_declared_as_json() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for kind in ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", "", "json", "\u{e9}"] {
        let answer = session.post(&[("content-type", kind)], PING).await.expect("an answer");
        assert_refused(&answer, 415, -32000, "content_type");
        assert_refused(&house.post(&[("content-type", kind)], initialize(LATEST)).await, 415, -32000, "content_type");
    }
    let missing = house.request("POST /mcp", &[("mcp-session-id", &session.id)], PING).await;
    assert_refused(&missing, 415, -32000, "content_type");
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        let answer = session.post(&[("content-type", kind)], PING).await.expect("an answer");
        assert_eq!(answer.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn five_megabytes_are_too_large_and_three_are_not() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let echo = |bytes| super::call(1, "test_echo", json!({"text": "x".repeat(bytes)}));
    for round in 0..5 {
        let answer = session.post(&[], echo(5 * MEBIBYTE)).await;
        assert_refused(&answer.unwrap_or_else(|e| panic!("round {round}: {e:?}")), 413, -32000, "too_large");
    }
    assert_eq!(session.call("test_echo", json!({"text": "x".repeat(3 * MEBIBYTE)})).await["isError"], false);
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends() {
    let house = House::open(&[]).await;
    for _ in 0..5 {
        let answer = house.post(&[("content-type", "text/plain")], "x".repeat(3 * MEBIBYTE)).await;
        assert_refused(&answer, 415, -32000, "content_type");
    }
}

#[tokio::test]
async fn five_megabytes_in_chunks_are_too_large_as_well() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let mut connection = house.connect().await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nMcp-Session-Id: {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        house.server.address(),
        session.id
    );
    connection.send(head).await.expect("sent");
    for _ in 0..5 {
        // The server may stop reading as soon as it knows.
        let sent = connection.send(format!("{MEBIBYTE:x}\r\n{}\r\n", " ".repeat(MEBIBYTE))).await;
        if sent.is_err() {
            break;
        }
    }
    assert_refused(&connection.answer().await.expect("an answer"), 413, -32000, "too_large");
    assert_serves(&session).await;
}

#[tokio::test]
async fn a_slash_more_is_the_same_endpoint() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let headers = [("mcp-session-id", session.id.as_str()), ("content-type", "application/json")];
    for path in ["/mcp/", "/mcp/?a=b", "/mcp?a=b"] {
        assert_eq!(house.request(&format!("POST {path}"), &headers, PING).await.status, 200, "{path}");
        let get = house.request(&format!("GET {path}"), &headers, "").await;
        assert_refused(&get, 405, -32000, "method_not_allowed");
    }
    for path in ["/health/", "/healthz/", "/livez", "/readyz/", "/metrics/"] {
        assert_eq!(house.request(&format!("GET {path}"), &[], "").await.status, 200, "{path}");
        let put = house.request(&format!("PUT {path}"), &[], "").await;
        assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    for path in ["/mcp//", "/mcp/x", "/MCP", "/sse"] {
        let nothing = house.request(&format!("POST {path}"), &headers, PING).await;
        let json = assert_refused(&nothing, 404, -32000, "not_found");
        assert!(json["error"]["message"].as_str().is_some_and(|message| message.contains("/mcp")), "{json}");
    }
    assert_eq!(house.request("DELETE /mcp/", &headers, "").await.status, 204);
}

#[tokio::test]
async fn there_is_no_other_verb() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    // A GET is one where a session hears its stream.
    let headers = [("mcp-session-id", session.id.as_str()), ("accept", "application/json")];
    let stream = [("accept", "text/event-stream")];
    for verb in ["GET", "PUT", "PATCH", "OPTIONS", "NONSENSE"] {
        for headers in [&[][..], &headers, &stream] {
            let answer = house.request(&format!("{verb} /mcp"), headers, "").await;
            assert_refused(&answer, 405, -32000, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET, POST, DELETE"), "{verb}");
        }
    }
    assert_serves(&session).await;
}
