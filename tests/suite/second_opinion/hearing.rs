//! The official SDK's client hears what a call says before its answer, by a port and by pipes.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ListRootsResult, LoggingMessageNotificationParam,
    ProgressNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ErrorData, RoleClient, ServiceExt};
use serde_json::json;

use crate::databases::{Database, on_every_database};
use crate::http::install_cryptography;
use crate::process::{ServeProcess, archonctl};

/// A client that hears what a call says before its answer.
#[derive(Debug, Clone, Default)]
struct Hearing(Arc<Mutex<Vec<String>>>);

impl Hearing {
    fn note(&self, heard: String) {
        self.0.lock().expect("heard").push(heard);
    }
}

impl ClientHandler for Hearing {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        config.capabilities = ClientCapabilities::builder().enable_roots().build();
        config
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.note(format!("progress {}", params.progress));
    }

    async fn on_logging_message(&self, params: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        self.note(format!("log {:?}", params.level));
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        self.note("roots".to_owned());
        Ok(ListRootsResult::default())
    }
}

fn call(tool: &'static str, arguments: &serde_json::Value) -> CallToolRequestParams {
    let mut params = CallToolRequestParams::new(tool);
    params.arguments = arguments.as_object().cloned();
    params
}

/// What it hears of calls that speak before they answer.
async fn hears(client: RunningService<RoleClient, Hearing>, hearing: Hearing) {
    let done = client.call_tool(call("test_progress", &json!({"steps": 2}))).await.expect("an answer");
    assert_eq!(done.structured_content, Some(json!({"steps": 2})));
    let asked = client.call_tool(call("test_ask", &json!({"what": "roots"}))).await.expect("an answer");
    assert_eq!(asked.structured_content, Some(json!({"answer": {"roots": []}})));
    client.call_tool(call("test_log", &json!({}))).await.expect("an answer");
    client.cancel().await.expect("closed");
    let heard = hearing.0.lock().expect("heard").clone();
    for wanted in ["progress 1", "progress 2", "roots", "log Emergency"] {
        assert!(heard.iter().any(|heard| heard == wanted), "{wanted}: {heard:?}");
    }
}

on_every_database!(the_official_client_hears_what_comes_before_an_answer, |db| async {
    let server = ServeProcess::start(&db, &["--test-tools"]).await;
    let hearing = Hearing::default();
    install_cryptography();
    let transport = StreamableHttpClientTransport::from_uri(server.url());
    hears(hearing.clone().serve(transport).await.expect("connected"), hearing).await;
});

#[tokio::test]
async fn the_official_client_starts_our_server() {
    let db = Database::sqlite();
    let mut command = archonctl(db.folder());
    command.args(["serve", "--stdio", "--test-tools", "--database-url", db.url()]);
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.stderr(Stdio::null()).kill_on_drop(true).spawn().expect("started");
    let pipes = (process.stdout.take().expect("a pipe"), process.stdin.take().expect("a pipe"));
    let hearing = Hearing::default();
    hears(hearing.clone().serve(pipes).await.expect("connected"), hearing).await;
    assert_eq!(process.wait().await.expect("ended").code(), Some(0));
    assert_eq!(db.value("SELECT disconnect_reason FROM archon_mcp_protocol_sessions"), "client_disconnect");
}
