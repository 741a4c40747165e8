//! A server made with the official Rust SDK, its sessions in memory: `scripts/foreign.sh` talks to it, kills it and
//! starts it again.
//!
//! ```text
//! rmcp_server [ADDRESS]      default 127.0.0.1:0
//! ```

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use tokio::net::TcpListener;

/// Two numbers.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Sum {
    /// One.
    a: i64,
    /// The other.
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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Calculator), sessions, StreamableHttpServerConfig::default());
    axum::serve(listener, Router::new().nest_service("/mcp", service)).await.context("serving ended")
}
