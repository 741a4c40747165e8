//! `archonctl call`: one tool, once, or as often as was asked for.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::client::{Arguments, Client, ClientError, ProtocolError, Repeat, ToolAnswer};
use crate::protocol::tools::ToolDescription;

use super::arguments::Typed;
use super::board::Board;
use super::elicit::Manner;
use super::exit::{self, Failure};
use super::hear::Hear;
use super::output::{Format, View, json, print_note, printable, write_out};
use super::pretty::pretty;
use super::repeat::{self, Plan};
use super::secrets;
use super::signal::or_interrupted;
use super::signature::{fault, meant_tool};
use super::target::{ProgramOption, Target};
use super::visit::{Visit, Which};

const EXAMPLES: &str = "Examples:
  archonctl call health_check
  archonctl call find_projects query=auth page=2
  archonctl call find_projects --args '{\"query\": \"auth\"}' --json
  archonctl call find_projects --args @arguments.json --ignore-tool-error
  archonctl call health_check --repeat 1000 --concurrency 8
  archonctl call echo message=hello --stdio 'npx -y @modelcontextprotocol/server-everything'

It uses the session that archonctl init remembers; without one it opens a session, calls, and closes it. A program \
(--stdio, or an entry with a command that --server names) is started for the call and ended after it. call prints the \
text of the answer, indented if it is JSON; with --json the result as MCP has it: {content, structuredContent, isError, and \
what else there is}. An answer that the tool marks as an error goes to standard error, and the exit code is 5: archonctl \
--help lists them all.

A session that the server has lost is replaced once, with a note on standard error: a call that was refused for its \
session never ran. A call whose answer was lost is repeated only if the tool says that it is read-only or idempotent, or \
--idempotent is given. When no server answers, or it is busy, call retries for longer than a restart takes. \
Ctrl-C tells the server that nobody waits for the answer any more.

Progress and log messages of the tool are shown on standard error, unless --quiet or --json is given. When the server asks \
for input (elicitation), you are asked field by field, and the time that you take does not count unless a --timeout is given; \
where nobody is at a terminal the answer is no, or with --accept-defaults the defaults of its form.

With --repeat latencies are printed instead of answers: on standard error, or with --json as the one document {version, \
tool, calls, failed, tool_errors, concurrency, elapsed_ms, answers_per_second, latency_ms: {min, p50, p95, p99, max}}. It \
has no time limit unless --timeout sets one.";

/// Call a tool and print its answer
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The tool's name
    #[arg(value_name = "TOOL")]
    tool: String,
    /// Arguments: key=value (the tool's schema says of which type it is) or key:=JSON
    #[arg(value_name = "KEY=VALUE", conflicts_with = "args")]
    pairs: Vec<String>,
    /// All arguments as one JSON object; from a file with @FILE, from standard input with -
    #[arg(long, value_name = "JSON|@FILE|-")]
    args: Option<String>,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    plan: PlanOptions,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    program: ProgramOption,
    #[command(flatten)]
    target: Target,
}

/// How to call, and what to print.
#[derive(Debug, Clone, Copy, Args)]
struct Way {
    /// Print the whole result as JSON, and an error as one JSON line on standard error
    #[arg(long)]
    json: bool,
    /// Treat an answer that the tool marks as an error like any other
    #[arg(long)]
    ignore_tool_error: bool,
    /// Treat the call as idempotent: repeat it if the answer was lost, whatever the tool says
    #[arg(long)]
    idempotent: bool,
}

/// What is done with all that a server says before its answer.
#[derive(Debug, Clone, Copy, Args)]
struct Talk {
    /// Show neither progress nor log messages of the tool
    #[arg(short, long)]
    quiet: bool,
    /// When the server asks for input, answer with the defaults of its form; decline where a required field has none
    #[arg(long)]
    accept_defaults: bool,
}

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Measuring")]
struct PlanOptions {
    /// Call N times, and print latency statistics instead of the answers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    repeat: Option<u32>,
    /// With --repeat: number of calls at the same time
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1000))]
    concurrency: u32,
}

/// An answer or error, and what to do about it.
#[derive(Debug)]
struct Called {
    answer: Result<ToolAnswer, ClientError>,
    advice: Option<String>,
}

impl Options {
    /// Calls the tool.
    ///
    /// # Errors
    /// Each with its exit code: see [`exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let typed = Typed::read(self.args.as_deref(), &self.pairs)?;
        let plan = self.plan.plan();
        // The answers of many calls are counted; nobody could follow what each of them says besides.
        let hear = plan.is_none().then(|| Arc::new(self.talk.hear(self.way)));
        let target = if plan.is_some() { self.target.for_many() } else { self.target.patient() };
        let target = target.heard_by(hear.clone());
        let visit = Visit::begin(target, self.program, self.which).await?;
        let (tool, way) = (self.tool.as_str(), self.way);
        let done = if let Some(plan) = plan {
            let measured = measure(&visit.client, tool, typed, way, plan).await;
            visit.print_loss();
            measured
        } else {
            let call = async {
                visit.client.listen().await;
                call(&visit.client, tool, typed, way).await
            };
            let called = or_interrupted(call).await;
            if let Some(hear) = hear {
                hear.end();
            }
            visit.print_loss();
            called.and_then(|called| print(called, way))
        };
        visit.end().await;
        done.map(|()| ExitCode::from(exit::DONE))
    }
}

impl Talk {
    fn hear(self, way: Way) -> Hear {
        // With --json whatever is on standard error is for a program, too.
        let board = Board::new(self.quiet || way.json);
        Hear::new(board, if self.accept_defaults { Manner::Defaults } else { Manner::found() })
    }
}

impl PlanOptions {
    fn plan(self) -> Option<Plan> {
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        Some(Plan { calls: size(self.repeat?), at_once: size(self.concurrency) })
    }
}

impl Way {
    /// Whether a call whose answer was lost may be repeated; `None` leaves it to the tool.
    fn repeat(self) -> Option<Repeat> {
        self.idempotent.then_some(Repeat::Allowed)
    }
}

async fn call(client: &Client, tool: &str, typed: Typed, way: Way) -> anyhow::Result<Called> {
    let (arguments, tools) = prepare(client, tool, typed).await?;
    let answer = match way.repeat() {
        Some(repeat) => client.call_tool_again(tool, arguments.clone(), repeat).await,
        None => client.call_tool(tool, arguments.clone()).await,
    };
    let advice = match &answer {
        Err(ClientError::Tool(_)) if way.ignore_tool_error => None,
        Err(ClientError::Tool(_) | ClientError::Protocol(ProtocolError::Answered(_))) => {
            advise(client, tool, &arguments, tools).await
        }
        _ => None,
    };
    Ok(Called { answer, advice })
}

/// The arguments as the tool wants them. The schema is asked for only where it is needed to understand them; then what is
/// plainly wrong is not sent at all.
async fn prepare(
    client: &Client,
    tool: &str,
    typed: Typed,
) -> anyhow::Result<(Box<RawValue>, Option<Vec<ToolDescription>>)> {
    if !typed.needs_schema() {
        return Ok((typed.into_json(&Value::Null)?, None));
    }
    let tools = client.list_tools().await.context("cannot ask for the tool's schema")?;
    // A tool that is not there has no schema; the server will say so better than we can.
    let Some(found) = tools.iter().find(|t| t.name == tool) else {
        return Ok((typed.into_json(&Value::Null)?, Some(tools)));
    };
    match typed.fault(found) {
        Some(fault) => Err(fault.into()),
        None => Ok((typed.into_json(&found.input_schema)?, Some(tools))),
    }
}

/// What may have been meant by a call that the server refused: another tool, or other arguments.
async fn advise(
    client: &Client,
    tool: &str,
    arguments: &RawValue,
    tools: Option<Vec<ToolDescription>>,
) -> Option<String> {
    let tools = match tools {
        Some(tools) => tools,
        // Where it cannot be had the error alone has to do.
        None => client.list_tools().await.ok()?,
    };
    let Some(found) = tools.iter().find(|t| t.name == tool) else { return Some(meant_tool(tool, &tools)) };
    let given: Map<String, Value> = serde_json::from_str(arguments.get()).ok()?;
    let fault = fault(found, &given)?;
    Some(fault.hint.iter().fold(fault.message.clone(), |message, hint| format!("{message}; {hint}")))
}

/// The same call many times over.
async fn measure(client: &Client, tool: &str, typed: Typed, way: Way, plan: Plan) -> anyhow::Result<()> {
    let (arguments, _) = or_interrupted(prepare(client, tool, typed)).await?;
    let tally = repeat::run(client, tool, (Arguments::from(arguments), way.repeat()), plan).await;
    let summary = tally.summary(tool, plan);
    if way.json {
        let document = summary.document().context("cannot write the figures")? + "\n";
        write_out(&document, Format::Json).context("cannot write the figures")?;
    } else {
        summary.text.lines().for_each(print_note);
    }
    tally.verdict(way.ignore_tool_error)
}

/// Prints an answer. With `--json` that of a tool that failed, too: a script gets all of it, besides the exit code.
fn print(called: Called, way: Way) -> anyhow::Result<()> {
    let (answer, fine) = match &called.answer {
        Ok(answer) => (Some(answer), true),
        Err(ClientError::Tool(answer)) => (Some(&**answer), way.ignore_tool_error),
        Err(_) => (None, false),
    };
    let mut out = io::stdout().lock();
    let text = match answer {
        Some(answer) if way.json => json(answer.raw.get()).into_owned(),
        Some(answer) if fine => secrets::hidden(&readable(answer)).into_owned(),
        _ => String::new(),
    };
    if !text.is_empty() {
        let text = if out.is_terminal() { printable(&text) } else { text };
        writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write the answer")?;
    }
    match (called.answer, called.advice) {
        (Err(error), Some(advice)) if !fine => Err(Failure::advised(&error, advice).into()),
        (Err(error), None) if !fine => Err(error.into()),
        _ => Ok(()),
    }
}

/// The texts, or the structured content where there is no text.
fn readable(answer: &ToolAnswer) -> String {
    let text = answer.result.content.iter().filter_map(|c| c.as_text()).map(pretty).collect::<Vec<_>>().join("\n");
    let other = answer.result.content.iter().filter(|c| c.as_text().is_none()).count();
    if other > 0 {
        print_note(&format!("note: {other} parts are not text and not shown; --json prints them"));
    }
    match &answer.result.structured_content {
        Some(structured) if text.is_empty() => pretty(structured.get()),
        _ => text,
    }
}
