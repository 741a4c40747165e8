//! MCP over two pipes (basic/transports, stdio): a line a message, one client, one session. The dispatcher is that of HTTP.
//!
//! A pipe's session ends with the pipe: there is no way back to it. Its rows and events are those of every session. What
//! serves it may change under it: [`Pipes::serve`] by an engine of this process, [`Pipes::pass_on`] by another server.

mod lines;
mod passing;
mod pipes;
mod serving;

pub use pipes::{Ended, Pipes};
