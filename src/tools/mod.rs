//! The built-in tools, and the trait for one more.
//!
//! A tool is a [`Tool`]: it describes itself and answers calls. Most are small structs of their own file, written as a
//! [`TypedTool`]: two types for what goes in and out, from which the schemas come, and one function. This is the whole
//! of it, schema and validation included:
//!
//! ```
//! use archonctl::tools::{ToolCall, ToolError, ToolSet, Typed, TypedTool};
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
//!     async fn run(&self, arguments: Arguments, _call: ToolCall<'_>) -> Result<Repeated, ToolError> {
//!         let times = arguments.times.unwrap_or(2);
//!         if times > 100 {
//!             return Err(ToolError::validation("\"times\" must be 100 or less").suggest("Ask for less."));
//!         }
//!         Ok(Repeated { text: arguments.text.repeat(times) })
//!     }
//! }
//!
//! let tools = ToolSet::builtin().with(Typed::new(Repeat));
//! assert!(tools.get("repeat").is_some());
//! assert_eq!(tools.nearest("repaet"), ["repeat"]);
//! ```
//!
//! To serve it, put the struct in a file of this folder and add its line to [`ToolSet::builtin`].

mod arguments;
mod error;
mod find_projects;
#[cfg(test)]
mod fixture;
mod health_check;
mod heartbeat;
mod manage_project;
mod output;
pub mod prices;
mod project;
mod schema;
mod session_info;
mod set;
pub mod testing;
pub mod tokens;
mod typed;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use error::{ErrorKind, ToolError};
pub use output::ToolOutput;
pub use set::ToolSet;
pub use typed::{NoArguments, READ_ONLY, Typed, TypedTool};

use crate::model::timestamp::Timestamp;
use crate::protocol::tools::ToolDescription;
use crate::session::Sessions;

/// Something that a client can call by name. [`Typed`] makes one from a [`TypedTool`]; implement it directly where the
/// description is known only at run time.
pub trait Tool: Send + Sync {
    /// Its entry in `tools/list`. Asked for once, when the tool joins a [`ToolSet`].
    fn description(&self) -> ToolDescription;

    /// Answers one call; many run at once. [`ToolCall::cancelled`] fires when nobody wants the answer any more, and a
    /// tool that waits for long should watch it.
    fn call<'a>(&'a self, call: ToolCall<'a>) -> BoxFuture<'a, ToolResult>;
}

/// What a tool answers.
pub type ToolResult = Result<ToolOutput, ToolError>;

/// One call of a tool.
#[derive(Debug, Clone)]
pub struct ToolCall<'a> {
    /// The arguments as sent; absent ones mean `{}`.
    pub arguments: Option<&'a RawValue>,
    /// The server's sessions, its store and its clock.
    pub sessions: &'a Arc<Sessions>,
    /// The `Mcp-Session-Id` that it came with.
    pub protocol_session: &'a str,
    /// The Archon session that it counts for.
    pub archon_session: Option<Uuid>,
    /// When the request arrived: the tool's one `now`.
    pub received_at: Timestamp,
    /// Fires when nobody wants the answer any more.
    pub cancelled: &'a CancellationToken,
}
