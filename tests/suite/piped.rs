//! A client of `serve --stdio` and the server that it has started.

use std::process::{ExitStatus, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::databases::Database;
use crate::process::archonctl;
use crate::stdio::SOON;

/// A client and the server that it has started.
pub(crate) struct Piped {
    pub(crate) process: Child,
    pub(crate) input: Option<ChildStdin>,
    pub(crate) output: Lines<BufReader<ChildStdout>>,
    pub(crate) next: u64,
}

impl Piped {
    pub(crate) fn start(db: &Database, arguments: &[&str]) -> Self {
        let mut command = archonctl(db.folder());
        command.args(["serve", "--stdio", "--test-tools", "--database-url", db.url()]).args(arguments);
        Self::launch(command)
    }

    pub(crate) fn launch(command: std::process::Command) -> Self {
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("started");
        let output = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Self { input: process.stdin.take(), process, output, next: 1 }
    }

    pub(crate) async fn initialized(db: &Database, arguments: &[&str]) -> Self {
        let mut piped = Self::start(db, arguments);
        piped.shake_hands().await;
        piped
    }

    pub(crate) async fn shake_hands(&mut self) {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "piped", "version": "1"}});
        let answer = self.ask("initialize", params).await;
        assert_eq!(answer["result"]["serverInfo"]["name"], "archonctl", "{answer}");
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        self.write(&format!("{message}\n")).await;
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.input.as_mut().expect("open").write_all(text.as_bytes()).await.expect("written");
    }

    pub(crate) async fn hear(&mut self) -> Value {
        let line = timeout(SOON, self.output.next_line()).await.expect("in time").expect("read").expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }

    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        loop {
            let heard = self.hear().await;
            if heard["id"] == id && heard.get("method").is_none() {
                return heard;
            }
        }
    }

    pub(crate) async fn echo(&mut self, text: &str) -> Value {
        let answer = self.ask("tools/call", json!({"name": "test_echo", "arguments": {"text": text}})).await;
        answer["result"]["structuredContent"]["text"].clone()
    }

    /// The ids of its session, as the server says them.
    pub(crate) async fn ids(&mut self) -> (String, String) {
        let answer = self.ask("tools/call", json!({"name": "session_info", "arguments": {}})).await;
        let ids = &answer["result"]["structuredContent"]["session"];
        let text = |name: &str| ids[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("protocol_session_id"), text("archon_session_id"))
    }

    /// Closes the pipe; how the server ends, and its log.
    pub(crate) async fn close(mut self) -> (ExitStatus, String) {
        drop(self.input.take());
        let status = timeout(SOON, self.process.wait()).await.expect("it goes on").expect("ended");
        let mut log = String::new();
        self.process.stderr.take().expect("a pipe").read_to_string(&mut log).await.expect("a log");
        (status, log)
    }
}
