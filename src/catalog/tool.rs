//! Tools: what a model calls (server/tools).

use futures_util::future::BoxFuture;

use super::{Call, Entry, ToolError, ToolOutput};

/// Something that a client can call by name. `tools::Typed` makes one from two types and a function; implement it
/// directly where the description is known only at run time.
pub trait Tool: Send + Sync {
    /// Its entry in `tools/list`. Asked for once, when the tool joins a catalogue.
    fn entry(&self) -> Entry;

    /// Answers one call; many run at once. [`Call::cancelled`] fires when nobody wants the answer any more, and a tool
    /// that waits for long should watch it.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, ToolResult>;
}

/// What a tool answers.
pub type ToolResult = Result<ToolOutput, ToolError>;
