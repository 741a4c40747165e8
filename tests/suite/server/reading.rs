//! Resources, prompts and completion, where a catalogue has them.

use serde_json::{Value, json};

use super::{House, call};
use crate::databases::Database;
use crate::http::Mcp;
use crate::process::ServeProcess;

#[tokio::test]
async fn what_is_there_is_listed_and_read() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let result = async |method: &str, params: Value| session.request(method, params).await.json()["result"].clone();
    let resources = result("resources/list", json!({})).await;
    assert_eq!(resources["resources"][0]["uri"], "test://page");
    let templates = result("resources/templates/list", json!({})).await;
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "test://page/{number}");
    for (uri, text) in [("test://page", "a page"), ("test://page/7", "page 7")] {
        let read = result("resources/read", json!({"uri": uri})).await;
        assert_eq!(read, json!({"contents": [{"uri": uri, "mimeType": "text/plain", "text": text}]}));
    }
    let prompts = result("prompts/list", json!({})).await;
    assert_eq!(prompts["prompts"][0]["arguments"][0]["name"], "name");
    let got = result("prompts/get", json!({"name": "test_greeting", "arguments": {"name": "Ada"}})).await;
    assert_eq!(got["messages"], json!([{"role": "user", "content": {"type": "text", "text": "Please greet Ada."}}]));
    for (of, argument, values) in [
        (json!({"type": "ref/prompt", "name": "test_greeting"}), ("name", "a"), json!(["Ada", "Alan"])),
        (json!({"type": "ref/resource", "uri": "test://page/{number}"}), ("number", "1"), json!(["1", "10"])),
    ] {
        let params = json!({"ref": of, "argument": {"name": argument.0, "value": argument.1}});
        let completed = result("completion/complete", params).await;
        assert_eq!(completed["completion"]["values"], values);
    }
    for method in ["resources/list", "resources/read", "prompts/get", "completion/complete"] {
        house.newest_row("status", &format!("method = '{method}'"), "success").await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    for (method, params, code) in [
        ("resources/read", json!({"uri": "test://nothing"}), -32002),
        ("resources/read", json!({"uri": "test://page/x"}), -32002),
        ("resources/read", json!({}), -32602),
        ("prompts/get", json!({"name": "nothing"}), -32602),
        ("prompts/get", json!({"name": "test_greeting"}), -32602),
        ("prompts/get", json!({"name": "test_greeting", "arguments": {"name": 7}}), -32602),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}}),
            -32602,
        ),
        ("completion/complete", json!({"ref": {"type": "ref/other"}}), -32602),
        ("tools/list", json!({"cursor": "page-1"}), -32602),
        ("resources/list", json!({"cursor": "nonsense"}), -32602),
    ] {
        let answer = session.request(method, params.clone()).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (200, &json!(code)), "{method} {params}: {error}");
        house.newest_row("status", &format!("method = '{method}'"), "error").await;
    }
}

/// Capabilities follow from what is in the catalogue, and what is not promised is not there.
#[tokio::test]
async fn a_server_promises_what_it_has() {
    let promised = async |arguments: &[&str]| {
        let db = Database::sqlite();
        let server = ServeProcess::start(&db, arguments).await;
        let mcp = Mcp::new(server.url());
        let answer = mcp.post(&[], super::initialize(super::LATEST)).await.expect("an answer").json();
        let capabilities = answer["result"]["capabilities"].as_object().expect("capabilities").clone();
        let session = mcp.initialize(super::LATEST).await;
        let listed = session.request("prompts/list", json!({})).await.json();
        (capabilities.keys().cloned().collect::<Vec<_>>(), listed["error"]["code"].clone())
    };
    assert_eq!(promised(&[]).await, (vec!["logging".into(), "tools".into()], json!(-32601)));
    let (all, missing) = promised(&["--test-tools"]).await;
    assert_eq!(
        (all, missing),
        (["completions", "logging", "prompts", "resources", "tools"].map(String::from).into(), Value::Null)
    );
}

/// One session's request is not cancelled by another's notification; its own ends it.
#[tokio::test]
async fn a_reading_runs_like_a_call() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let slow = session.clone();
    let calling = tokio::spawn(async move { slow.post(&[], call(5, "test_sleep", json!({"ms": 60_000}))).await });
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}).to_string();
    let deadline = tokio::time::Instant::now() + super::SOON;
    while !calling.is_finished() {
        assert!(tokio::time::Instant::now() < deadline, "it was not cancelled");
        assert_eq!(session.post(&[], cancel.clone()).await.expect("an answer").status, 202);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let answer = calling.await.expect("ended").expect("an answer");
    assert!(answer.text().contains("cancelled"), "{}", answer.text());
}
