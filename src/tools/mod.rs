//! The built-in tools, and how to write one more.
//!
//! A tool is a [`Tool`](crate::catalog::Tool): it describes itself and answers calls. Most are small structs of their own
//! file, written as a [`TypedTool`]: two types for what goes in and out, from which the schemas come, and one function. This is the whole
//! of it, schema and validation included:
//!
//! ```
//! use archonctl::catalog::{Call, Catalog, ToolError};
//! use archonctl::tools::{Typed, TypedTool};
//! use archonctl::protocol::tools::ToolAnnotations;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Repeats a text.
//! struct Repeat;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Arguments {
//!     /// What to repeat.
//!     text: String,
//!     /// How often; twice if absent.
//!     times: Option<usize>,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Repeated {
//!     /// The text, as often as asked.
//!     text: String,
//! }
//!
//! impl TypedTool for Repeat {
//!     const NAME: &'static str = "repeat";
//!     const TITLE: &'static str = "Repeat";
//!     const DESCRIPTION: &'static str = "Repeat a text a few times.";
//!     const ANNOTATIONS: ToolAnnotations = archonctl::tools::READ_ONLY;
//!     type Arguments = Arguments;
//!     type Output = Repeated;
//!
//!     async fn run(&self, arguments: Arguments, call: Call<'_>) -> Result<Repeated, ToolError> {
//!         let times = arguments.times.unwrap_or(2);
//!         if times > 100 {
//!             return Err(ToolError::validation("\"times\" must be 100 or less").suggest("Ask for less."));
//!         }
//!         call.progress(1.0, Some(1.0), Some("repeating"));
//!         Ok(Repeated { text: arguments.text.repeat(times) })
//!     }
//! }
//!
//! let catalog = Catalog::empty().with(Typed::new(Repeat));
//! assert!(catalog.tool("repeat").is_some());
//! assert_eq!(catalog.nearest("repaet"), ["repeat"]);
//! ```
//!
//! To serve it, put the struct in a file of this folder and add its line to [`builtin`]. What it needs of the server, such
//! as the sessions or the store, it is given there. Images, links and whole results are made with
//! [`ToolOutput`](crate::catalog::ToolOutput), by a tool that implements [`Tool`](crate::catalog::Tool) itself.

mod arguments;
mod find_projects;
#[cfg(test)]
mod fixture;
mod health_check;
mod heartbeat;
mod manage_project;
mod project;
mod schema;
mod session_info;
pub mod testing;
mod typed;

use std::sync::Arc;

pub use typed::{NoArguments, READ_ONLY, Typed, TypedTool};

use crate::catalog::Catalog;
use crate::session::Sessions;
use find_projects::FindProjects;
use health_check::HealthCheck;
use heartbeat::Heartbeat;
use manage_project::ManageProject;
use session_info::SessionInfo;

/// Name and title of the tools that every server has.
pub const BUILTIN: [(&str, &str); 5] = [
    (HealthCheck::NAME, HealthCheck::TITLE),
    (SessionInfo::NAME, SessionInfo::TITLE),
    (Heartbeat::NAME, Heartbeat::TITLE),
    (FindProjects::NAME, FindProjects::TITLE),
    (ManageProject::NAME, ManageProject::TITLE),
];

/// The tools that every server has.
pub fn builtin(sessions: &Arc<Sessions>) -> Catalog {
    Catalog::empty()
        .with(Typed::new(HealthCheck(sessions.clone())))
        .with(Typed::new(SessionInfo(sessions.clone())))
        .with(Typed::new(Heartbeat(sessions.clone())))
        .with(Typed::new(FindProjects(sessions.store().clone())))
        .with(Typed::new(ManageProject(sessions.store().clone())))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::catalog::Kind;
    use crate::protocol::revision::Revision;
    use fixture::Fixture;

    fn listed(catalog: &Catalog, revision: Revision) -> Vec<Value> {
        let list = catalog.list(Kind::Tool, revision, None).expect("a page");
        let list: Value = serde_json::from_str(list.get()).expect("json");
        list["tools"].as_array().cloned().expect("a list")
    }

    #[tokio::test]
    async fn lists_the_tools_in_a_stable_order() {
        let fixture = Fixture::new().await;
        let tools = listed(&builtin(fixture.sessions()), Revision::LATEST);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let listed: Vec<_> = tools.iter().map(|tool| (text(&tool["name"]), text(&tool["title"]))).collect();
        assert_eq!(listed, BUILTIN.map(|(name, title)| (name.to_owned(), title.to_owned())));
    }

    #[tokio::test]
    async fn old_revisions_see_no_structured_output() {
        let fixture = Fixture::new().await;
        for (revision, structured) in [(Revision::V2025_03_26, false), (Revision::V2025_06_18, true)] {
            for tool in listed(&builtin(fixture.sessions()), revision) {
                assert_eq!(tool.get("outputSchema").is_some(), structured, "{tool}");
                assert_eq!(tool.get("title").is_some(), structured, "{tool}");
                assert_eq!(tool["inputSchema"]["type"], "object");
                assert!(tool["annotations"]["readOnlyHint"].is_boolean());
            }
        }
    }

    #[tokio::test]
    async fn schemas_carry_no_clutter() {
        let fixture = Fixture::new().await;
        let catalog = builtin(fixture.sessions());
        let list = catalog.list(Kind::Tool, Revision::LATEST, None).expect("a page").get();
        for clutter in ["$schema", "$ref", "$defs", "int64", "double"] {
            assert!(!list.contains(clutter), "{clutter}");
        }
    }

    #[tokio::test]
    async fn knows_what_was_meant() {
        let fixture = Fixture::new().await;
        let catalog = builtin(fixture.sessions());
        assert_eq!(catalog.nearest("list_projects"), ["find_projects"]);
        assert_eq!(catalog.nearest("healthcheck"), ["health_check"]);
        assert!(catalog.nearest("rm -rf").is_empty());
        assert!(catalog.tool("healthcheck").is_none() && catalog.tool("health_check").is_some());
    }

    #[tokio::test]
    async fn a_tool_of_the_same_name_takes_the_place() {
        let fixture = Fixture::new().await;
        let once = testing::add_to(builtin(fixture.sessions()), fixture.sessions());
        let count = once.tool_entries().len();
        assert_eq!(testing::add_to(once, fixture.sessions()).tool_entries().len(), count);
    }
}
