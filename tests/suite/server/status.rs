//! Revisions, and the era of those without sessions.

use serde_json::{Value, json};

use super::{House, LATEST, PING, assert_refused, assert_serves, initialize};

const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LATEST];
const MODERN: &str = "2026-07-28";

#[tokio::test]
async fn each_revision_is_agreed_on_and_a_modern_one_never() {
    let house = House::open(&[]).await;
    for revision in REVISIONS {
        let answer = house.post(&[], initialize(revision)).await;
        assert_eq!(answer.json()["result"]["protocolVersion"], revision);
    }
    for asked in [MODERN, "2027-01-01", "1.0", ""] {
        let answer = house.post(&[], initialize(asked)).await;
        assert_eq!((answer.status, &answer.json()["result"]["protocolVersion"]), (200, &json!(LATEST)), "{asked}");
        assert!(answer.header("mcp-session-id").is_some(), "{asked}");
    }
}

#[tokio::test]
async fn structured_output_came_with_2025_06_18() {
    let house = House::open(&[]).await;
    for revision in REVISIONS {
        let session = house.mcp.initialize(revision).await;
        let modern = revision >= "2025-06-18";
        let result = session.call("test_echo", json!({"text": "x"})).await;
        assert_eq!(result.get("structuredContent").is_some(), modern, "{revision}: {result}");
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), json!({"text": "x"}), "{revision}");
        let listed = session.request("tools/list", json!({})).await.json();
        let tools = listed["result"]["tools"].as_array().expect("tools").clone();
        let having = |member: &str| tools.iter().filter(|tool| tool.get(member).is_some()).count();
        assert_eq!((having("outputSchema") > 0, having("title") > 0), (modern, modern), "{revision}");
        assert_eq!(having("inputSchema"), tools.len(), "{revision}");
        // There are clients that look for properties at the root alone, and drop the rest of an answer.
        for schema in tools.iter().filter_map(|tool| tool.get("outputSchema")) {
            let forms = schema["anyOf"].as_array().expect("forms");
            assert!(
                forms.iter().all(|form| form.as_object().is_some_and(|form| form.keys().eq(["required"]))),
                "{schema}"
            );
            let named = forms.iter().flat_map(|form| form["required"].as_array().expect("names"));
            for name in named.map(|name| name.as_str().expect("a name")) {
                assert!(schema["properties"][name].is_object(), "{name} of {schema}");
            }
        }
    }
}

#[tokio::test]
async fn the_version_header_may_be_absent_or_any_that_we_speak() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    assert_eq!(session.post(&[], PING).await.expect("an answer").status, 200);
    for revision in REVISIONS {
        let answer = session.post(&[("mcp-protocol-version", revision)], PING).await.expect("an answer");
        assert_eq!(answer.status, 200, "{revision}");
    }
    for unsupported in ["2023-01-01", "nonsense", "", "2025-06-18x"] {
        for body in [PING, r#"{"jsonrpc":"2.0","method":"notifications/x"}"#] {
            let answer = session.post(&[("mcp-protocol-version", unsupported)], body).await.expect("an answer");
            assert_refused(&answer, 400, -32000, "unsupported_version");
        }
        // Where a revision is agreed on, the header has nothing to say yet.
        let opened = house.post(&[("mcp-protocol-version", unsupported)], initialize(LATEST)).await;
        assert_eq!(opened.status, 200, "{unsupported}: {}", opened.text());
    }
    assert_serves(&house.session().await).await;
}

#[tokio::test]
async fn a_modern_request_is_told_to_fall_back() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN});
    let discover = json!({"jsonrpc": "2.0", "id": "d", "method": "server/discover", "params": {"_meta": meta}});
    let with_id = [("mcp-session-id", session.id.as_str())];
    for headers in [&[][..], &with_id] {
        let json = assert_refused(&house.post(headers, discover.to_string()).await, 400, -32000, "legacy_only");
        assert_eq!(json["id"], "d");
        let header = [headers, &[("mcp-protocol-version", MODERN)]].concat();
        assert_refused(&house.post(&header, PING).await, 400, -32000, "legacy_only");
        for asked in [LATEST, MODERN, "2024-10-07"] {
            let opened = house.post(&header, initialize(asked)).await;
            assert_eq!(opened.json()["result"]["protocolVersion"], LATEST, "{}", opened.text());
            assert!(opened.header("mcp-session-id").is_some(), "{asked}");
        }
    }
    // A legacy claim in the same place changes nothing.
    let meta = json!({"io.modelcontextprotocol/protocolVersion": LATEST, "progressToken": 1});
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": meta}});
    assert_eq!(session.post(&[], ping.to_string()).await.expect("an answer").status, 200);
}
