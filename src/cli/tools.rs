//! `archonctl tools`: what a server offers.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::protocol::tools::{ToolAnnotations, ToolDescription};
use crate::queries::columns::{Cell, Column, Listed};

use super::exit::{self, Failure};
use super::item::Item;
use super::output::{List, Output, printable};
use super::signal::or_interrupted;
use super::signature::{Argument, arguments, meant_tool, signature};
use super::target::{ProgramOption, Target};
use super::visit::{Visit, Which};

const EXAMPLES: &str = "Examples:
  archonctl tools
  archonctl tools find_projects
  archonctl tools -o json --url http://127.0.0.1:8051/mcp
  archonctl tools --stdio 'npx -y @modelcontextprotocol/server-everything'

On the remembered session, if there is one; else it opens a session, asks, and closes it. A program (--stdio, or an entry \
with a command that --server names) is started for it, and ended.

With -o json: {version, url, tools: [{name, title, description, signature, arguments: [{name, types, required, default, \
choices, description}], annotations: {read_only, destructive, idempotent, open_world}, input_schema, output_schema, \
other: what else the server says of it}]}; of one tool its members alone, beside version.";

/// Show what tools a server offers
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Show all about this one
    #[arg(value_name = "TOOL")]
    tool: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    program: ProgramOption,
    #[command(flatten)]
    target: Target,
}

impl Options {
    /// Asks for the tools and prints them.
    ///
    /// # Errors
    /// Each with its exit code: see [`exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let visit = Visit::begin(self.target, self.program, self.which).await?;
        let url = visit.client.place().to_owned();
        let listed = or_interrupted(async { Ok(visit.client.list_tools().await?) }).await;
        visit.print_loss();
        visit.end().await;
        let tools = listed?;
        match self.tool {
            None => {
                let rows = tools.into_iter().map(Row).collect();
                let list = List::new(rows, Clock::uncorrected()).with("url", url);
                self.output.print(&list.noting_if_empty("The server offers no tools.")).context("cannot write")?;
            }
            Some(name) => {
                let tool = tools.iter().find(|tool| tool.name == name).ok_or_else(|| no_such(&name, &tools))?;
                let item = Item { text: page(tool), members: members(tool) };
                self.output.print(&item).context("cannot write")?;
            }
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

fn no_such(name: &str, tools: &[ToolDescription]) -> Failure {
    Failure {
        exit: exit::FAILED,
        code: "tool",
        message: format!("the server has no tool {name}"),
        hint: Some(meant_tool(name, tools)),
    }
}

/// A tool of the list.
#[derive(Debug)]
struct Row(ToolDescription);

impl Listed for Row {
    type Context = Timestamp;

    const LIST: &'static str = "tools";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("tool", "TOOL", 0, 0, |row, _| Cell::text(&row.0.name)),
        Column::text("arguments", "ARGUMENTS", 12, 2, |row, _| Cell::text(row.arguments())),
        Column::text("description", "DESCRIPTION", 20, 1, |row, _| Cell::maybe(row.first_line())),
    ];

    fn members() -> &'static [&'static str] {
        &["name", "title", "signature", "description"]
    }
}

impl Row {
    fn arguments(&self) -> String {
        let signature = signature(&self.0);
        let arguments = signature.strip_prefix(self.0.name.as_ref()).unwrap_or(&signature);
        arguments.trim_start_matches('(').trim_end_matches(')').to_owned()
    }

    fn first_line(&self) -> Option<&str> {
        self.0.description.lines().map(str::trim).find(|line| !line.is_empty())
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = members(&self.0);
        let mut object = serializer.serialize_map(Some(members.len()))?;
        for (name, value) in members {
            object.serialize_entry(name, &value)?;
        }
        object.end()
    }
}

/// A tool as a program reads it.
fn members(tool: &ToolDescription) -> Vec<(&'static str, Value)> {
    let hints = tool.annotations.map(|hints: ToolAnnotations| {
        json!({
            "read_only": hints.read_only_hint,
            "destructive": hints.destructive_hint,
            "idempotent": hints.idempotent_hint,
            "open_world": hints.open_world_hint,
        })
    });
    vec![
        ("name", json!(tool.name)),
        ("title", json!(tool.title)),
        ("description", json!(tool.description)),
        ("signature", json!(signature(tool))),
        ("arguments", json!(arguments(&tool.input_schema))),
        ("annotations", json!(hints)),
        ("input_schema", tool.input_schema.clone()),
        ("output_schema", json!(tool.output_schema)),
        ("other", json!(tool.other)),
    ]
}

/// A tool as a person reads it.
fn page(tool: &ToolDescription) -> String {
    let arguments = arguments(&tool.input_schema);
    let mut parts = vec![signature(tool)];
    parts.extend(tool.title.iter().map(ToString::to_string));
    parts.push(tool.description.trim().to_owned());
    parts.push(arguments.iter().map(described).collect::<Vec<_>>().join("\n"));
    parts.push(tool.annotations.map(hints).unwrap_or_default());
    let mut example = vec!["  archonctl call".to_owned(), tool.name.to_string()];
    example.extend(arguments.iter().filter(|a| a.required).map(Argument::example));
    parts.push(format!("Example:\n{}", example.join(" ")));
    parts.retain(|part| !part.is_empty());
    printable(&parts.join("\n\n"))
}

fn described(argument: &Argument) -> String {
    let needed = if argument.required { ", required" } else { "" };
    let default = argument.default.as_ref().map(|d| format!(", default {d}")).unwrap_or_default();
    let mut lines = vec![format!("  {}  {}{needed}{default}", argument.name, argument.takes())];
    let description = argument.description.as_deref().unwrap_or_default().trim();
    lines.extend(description.lines().map(|line| format!("      {}", line.trim())));
    lines.join("\n")
}

fn hints(hints: ToolAnnotations) -> String {
    let said = [
        (hints.read_only_hint, "changes nothing"),
        (hints.destructive_hint, "may destroy something"),
        (hints.idempotent_hint, "may safely be repeated"),
        (hints.open_world_hint, "reaches outside systems"),
    ];
    let said: Vec<_> = said.iter().filter(|(hint, _)| *hint == Some(true)).map(|(_, words)| *words).collect();
    if said.is_empty() { String::new() } else { format!("It {}.", said.join(", ")) }
}
