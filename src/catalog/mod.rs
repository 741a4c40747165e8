//! What can be called and read here: tools, resources, prompts, of ours and, some day, of other servers.
//!
//! [`Catalog`] holds them, [`Current`] holds the catalogue that is served now and can be swapped. What is called gets a
//! [`Call`]: who asks, with what, until when, and a way to speak before the answer. Nobody here knows HTTP, and `mcp`
//! knows none of the tools: whoever starts a server fills the catalogue.

mod call;
#[expect(clippy::module_inception, reason = "the room is named after what it holds")]
mod catalog;
mod completion;
mod content;
mod contents;
mod current;
mod entry;
mod error;
mod exchange;
mod output;
mod pages;
mod prompt;
mod questions;
mod raw;
mod resource;
mod talk;
mod tool;

pub use call::Call;
pub use catalog::Catalog;
pub use completion::{Completing, Completion};
pub use content::Content;
pub use contents::{Body, Contents};
pub use current::Current;
pub use entry::{Entry, Kind};
pub use error::{ErrorKind, ErrorShape, ToolError};
pub use exchange::{Exchange, Listener};
pub use output::ToolOutput;
pub use pages::UnknownCursor;
pub use prompt::{Prompt, PromptMessage, PromptOutput, Role};
pub use questions::{Declined, Questions};
pub use resource::{Resource, ResourceTemplate};
pub use talk::Talk;
pub use tool::{Tool, ToolResult};
