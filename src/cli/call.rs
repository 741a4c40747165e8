//! `archonctl call`: one tool, once. Opens a session, calls, closes it.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::client::{Client, ClientError, ToolAnswer};

use super::arguments::Typed;
use super::exit;
use super::output::printable;
use super::pretty::pretty;
use super::signal::interrupted;
use super::target::Target;

const EXAMPLES: &str = r#"Examples:
  archonctl call health_check
  archonctl call find_projects query=auth page=2
  archonctl call find_projects --args '{"query": "auth"}' --json

It opens a session, calls, closes it, and prints the text of the answer, indented if it is JSON. An answer that the tool
marks as an error goes to standard error, and the exit code is 5: archonctl --help lists them all."#;

/// Call a tool and print its answer
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The tool's name
    #[arg(value_name = "TOOL")]
    tool: String,
    /// Arguments: key=value (the tool's schema says whether it is a number, a text, …) or key:=JSON
    #[arg(value_name = "KEY=VALUE", conflicts_with = "args")]
    pairs: Vec<String>,
    /// All arguments as one JSON object; from a file with @FILE, from standard input with -
    #[arg(long, value_name = "JSON|@FILE|-")]
    args: Option<String>,
    /// Print the whole result as JSON, and an error as one JSON line on standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Options {
    /// Calls the tool.
    ///
    /// # Errors
    /// Each with its exit code: see [`exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let typed = Typed::read(self.args.as_deref(), &self.pairs)?;
        let client = Client::connect(self.target.into_options()?).await?;
        let called = tokio::select! {
            // In this order: the signals are caught before the call can reach the server.
            biased;
            signal = interrupted() => Err(signal.into()),
            answer = call(&client, &self.tool, typed) => answer,
        };
        let printed = print(called, self.json);
        if let Err(error) = client.close().await {
            // The answer is there; a session that stays open costs nobody anything but a little patience.
            let _ = writeln!(io::stderr(), "warning: the session is not closed: {}", printable(&error.to_string()));
        }
        printed.map(|()| ExitCode::from(exit::DONE))
    }
}

async fn call(client: &Client, tool: &str, typed: Typed) -> anyhow::Result<ToolAnswer> {
    let schema = if typed.needs_schema() {
        let tools = client.list_tools().await.context("cannot ask for the tool's schema")?;
        // A tool that is not there has no schema; the server will say so better than we can.
        tools.into_iter().find(|t| t.name == tool).map_or(Value::Null, |t| t.input_schema)
    } else {
        Value::Null
    };
    Ok(client.call_tool(tool, typed.into_json(&schema)?).await?)
}

/// Prints an answer. With `--json` that of a tool that failed, too: a script gets all of it, besides the exit code.
fn print(called: anyhow::Result<ToolAnswer>, json: bool) -> anyhow::Result<()> {
    let failed = called.as_ref().err().and_then(|e| match e.downcast_ref() {
        Some(ClientError::Tool(answer)) => Some(&**answer),
        _ => None,
    });
    let text = match (called.as_ref().ok().or(failed), json) {
        (Some(answer), true) => answer.raw.get().to_owned(),
        (Some(answer), false) if failed.is_none() => readable(answer),
        _ => String::new(),
    };
    if !text.is_empty() {
        let mut out = io::stdout().lock();
        let text = if out.is_terminal() { printable(&text) } else { text };
        writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write the answer")?;
    }
    called.map(|_| ())
}

/// The texts, or the structured content where there is no text.
fn readable(answer: &ToolAnswer) -> String {
    let text = answer.result.content.iter().filter_map(|c| c.as_text()).map(pretty).collect::<Vec<_>>().join("\n");
    let other = answer.result.content.iter().filter(|c| c.as_text().is_none()).count();
    if other > 0 {
        let _ = writeln!(io::stderr(), "note: not shown are {other} parts that are no text; --json prints them");
    }
    match &answer.result.structured_content {
        Some(structured) if text.is_empty() => pretty(structured.get()),
        _ => text,
    }
}
