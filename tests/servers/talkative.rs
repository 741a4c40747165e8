//! A server made with the official Rust SDK whose tools have something to say before they answer: progress, log messages,
//! questions to the client.
//!
//! ```text
//! talkative                  on standard input and output
//! talkative ADDRESS          over HTTP
//! ```

#![expect(deprecated, reason = "clients of the legacy era still hear log messages")]

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    ElicitRequest, ListRootsRequest, LoggingLevel, LoggingMessageNotificationParam, PingRequest,
    ProgressNotificationParam, ServerCapabilities, ServerConfig, ServerRequest,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler, ServiceExt, schemars, tool, tool_handler, tool_router};
use serde_json::json;
use tokio::net::TcpListener;

/// How far to count.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Count {
    to: u32,
}

#[derive(Debug, Clone)]
struct Talkative;

#[tool_router]
impl Talkative {
    #[tool(description = "counts, and tells how far it is")]
    async fn count(&self, Parameters(Count { to }): Parameters<Count>, context: RequestContext<RoleServer>) -> String {
        let token = context.meta.get_progress_token();
        for n in 1..=to {
            if let Some(token) = token.clone() {
                let progress = ProgressNotificationParam::new(token, n.into()).with_total(to.into());
                // Whoever has left does not want to know.
                _ = context.peer.notify_progress(progress.with_message(format!("at {n}"))).await;
            }
        }
        let log = LoggingMessageNotificationParam::new(LoggingLevel::Warning, json!("that was far"));
        _ = context.peer.notify_logging_message(log.with_logger("counter")).await;
        // What is sent on another stream than the answer may arrive after it.
        tokio::time::sleep(Duration::from_millis(200)).await;
        format!("counted to {to}, {} a token", if token.is_some() { "with" } else { "without" })
    }

    #[tool(description = "asks the client for a name and an age")]
    async fn ask(&self, context: RequestContext<RoleServer>) -> String {
        let properties = json!({"age": {"type": "integer", "minimum": 1, "default": 30},
            "name": {"type": "string", "default": "Ada"}});
        let schema = json!({"type": "object", "properties": properties, "required": ["name"]});
        let params = json!({"mode": "form", "message": "Who are you?", "requestedSchema": schema});
        let Ok(params) = serde_json::from_value(params) else { return "no such form".to_owned() };
        answer(context.peer.send_request(ServerRequest::ElicitRequest(ElicitRequest::new(params))).await)
    }

    #[tool(description = "asks the client whether it is there, and for what it does not have")]
    async fn probe(&self, context: RequestContext<RoleServer>) -> String {
        let ping = context.peer.send_request(ServerRequest::PingRequest(PingRequest::default())).await;
        let roots = context.peer.send_request(ServerRequest::ListRootsRequest(ListRootsRequest::default())).await;
        format!("{}\n{}", answer(ping), answer(roots))
    }

    #[tool(description = "waits until it is cancelled, and says so on standard error")]
    async fn wait(&self, context: RequestContext<RoleServer>) -> String {
        eprintln!("waiting");
        context.ct.cancelled().await;
        eprintln!("cancelled");
        String::new()
    }

    #[tool(description = "ends the server in the middle of the call")]
    async fn leave(&self) -> String {
        eprintln!("I have had enough");
        std::process::exit(7)
    }

    #[tool(description = "tells what the client said that it can do, and what the server's environment has")]
    async fn look(&self, context: RequestContext<RoleServer>) -> String {
        let info = context.peer.peer_info().map(|info| json!(info.capabilities));
        let variable = std::env::var("TALKATIVE").ok();
        let folder = std::env::current_dir().ok();
        json!({"capabilities": info, "variable": variable, "folder": folder}).to_string()
    }
}

/// An answer of the client, or its error, as text.
fn answer(answered: Result<impl serde::Serialize, impl std::fmt::Display>) -> String {
    answered.map_or_else(|error| error.to_string(), |result| json!(result).to_string())
}

#[tool_handler]
impl ServerHandler for Talkative {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_logging().build())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(address) = std::env::args().nth(1) else {
        println!("hello from a server that greets people on its standard output");
        let server = Talkative.serve((tokio::io::stdin(), tokio::io::stdout())).await?;
        server.waiting().await?;
        return Ok(());
    };
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Talkative), sessions, StreamableHttpServerConfig::default());
    axum::serve(listener, Router::new().nest_service("/mcp", service)).await.context("serving ended")
}
