//! MCP's nouns as they stand on the wire, for server and client alike. Serde only: no IO, no clock.

pub mod capabilities;
pub mod error;
pub mod frame;
pub mod header;
pub mod initialize;
pub mod level;
pub mod message;
pub mod number;
pub mod reply;
pub mod revision;
pub mod tools;
