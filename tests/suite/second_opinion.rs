//! The official SDK on the other side: our client against its server, with sessions and event streams, and its client
//! against ours, through a crash.

use archonctl::client::{Client, ClientError, ClientOptions};
use archonctl::protocol::revision::Revision;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpClientTransport, StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt, schemars, tool, tool_handler, tool_router};
use serde_json::json;

use crate::databases::on_every_database;
use crate::http::install_cryptography;
use crate::process::ServeProcess;

#[expect(deprecated, reason = "roots and logging go with the era that has sessions, and clients of that era have them")]
mod hearing;

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Sum {
    a: i64,
    b: i64,
}

#[derive(Debug, Clone)]
struct Calculator;

#[tool_router]
impl Calculator {
    #[tool(description = "adds two numbers")]
    fn sum(Parameters(Sum { a, b }): Parameters<Sum>) -> String {
        (a + b).to_string()
    }
}

#[tool_handler]
impl ServerHandler for Calculator {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// The URL of a calculator, and its sessions.
async fn calculator() -> (String, std::sync::Arc<LocalSessionManager>) {
    let sessions = std::sync::Arc::new(LocalSessionManager::default());
    let service =
        StreamableHttpService::new(|| Ok(Calculator), sessions.clone(), StreamableHttpServerConfig::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    let app = axum::Router::new().nest_service("/mcp", service);
    tokio::spawn(async move { axum::serve(listener, app).await.expect("serving") });
    (url, sessions)
}

#[tokio::test]
async fn speaks_with_the_official_sdk() {
    let (url, sessions) = calculator().await;
    let client = Client::connect(ClientOptions::new(&url).expect("a URL")).await.expect("connected");
    assert_eq!(client.session().revision, Some(Revision::LATEST));
    let tools = client.list_tools().await.expect("tools");
    assert_eq!(tools.iter().map(|t| t.name.as_ref()).collect::<Vec<_>>(), ["sum"]);
    let answer = client.call_tool("sum", json!({"a": 19, "b": 23})).await.expect("an answer");
    assert_eq!(answer.text(), "42");
    let error = client.call_tool("product", json!({})).await.expect_err("no such tool");
    assert!(matches!(error, ClientError::Protocol(_)), "{error}");

    sessions.sessions.write().await.clear();
    let answer = client.call_tool("sum", json!({"a": 1, "b": 2})).await.expect("healed");
    assert_eq!(answer.text(), "3");
    client.close().await.expect("closed");
    assert!(sessions.sessions.read().await.is_empty());
}

on_every_database!(the_official_client_notices_no_crash, |db| async {
    let mut server = ServeProcess::start(&db, &[]).await;
    // It could heal itself by a new handshake; here it may not.
    let config = StreamableHttpClientTransportConfig::with_uri(server.url()).reinit_on_expired_session(false);
    install_cryptography();
    let client = ().serve(StreamableHttpClientTransport::from_config(config)).await.expect("connected");
    let tools = client.list_all_tools().await.expect("tools");
    assert!(tools.iter().any(|tool| tool.name == "find_projects"), "{tools:?}");
    for crash in [false, true, true] {
        if crash {
            server.sigkill();
            server = ServeProcess::start_at(server.address(), &db, &[]).await;
        }
        let answer = client.call_tool(CallToolRequestParams::new("find_projects")).await.expect("an answer");
        assert_eq!(answer.is_error, Some(false), "{answer:?}");
        assert!(answer.structured_content.is_some_and(|found| found.is_object()));
    }
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_protocol_sessions"), "1");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name = 'find_projects'"), "3");
    client.cancel().await.expect("closed");
    assert_eq!(db.value("SELECT disconnect_reason FROM archon_mcp_protocol_sessions"), "client_disconnect");
});
