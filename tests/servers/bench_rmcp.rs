//! The official Rust SDK at its best, for `scripts/bench.sh --peers`: one tool, sessions in memory, and `TCP_NODELAY` on each
//! connection, without which its answers wait for the other side's delayed acknowledgement.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
struct Health;

#[tool_router]
impl Health {
    #[tool(description = "whether the server is ready")]
    fn health_check() -> String {
        HEALTH.to_owned()
    }
}

/// As long as our own answer.
const HEALTH: &str = concat!(
    r#"{"success":true,"health":{"status":"healthy","database":true,"database_ms":0.275,"#,
    r#""last_health_check":"2026-11-20T10:00:00.000Z"},"uptime_seconds":1.22,"timestamp":"2026-11-20T10:00:00.000Z"}"#
);

#[tool_handler]
impl ServerHandler for Health {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("a connection without TCP_NODELAY: {error}");
        }
    });
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Health), sessions, StreamableHttpServerConfig::default());
    axum::serve(listener, Router::new().nest_service("/mcp", service)).await.context("serving ended")
}
