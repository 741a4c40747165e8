//! Our client against a server that is not ours: the official SDK's, with sessions and event streams.

use archonctl::client::{Client, ClientError, ClientOptions};
use archonctl::protocol::revision::Revision;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde_json::json;

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
    assert_eq!(client.session().revision, Revision::LATEST);
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
