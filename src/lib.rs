//! archonctl keeps MCP sessions alive, shows them, and proves it.
//!
//! A tour of the house, from the ground floor up. A file leans only on the floors below its own; rooms on one floor do
//! not know each other (`tests/suite/architecture.rs` reads the imports and fails on an arrow that runs up).
//!
//! | floor | rooms | what lives there |
//! |---|---|---|
//! | 1 | [`protocol`] | MCP's nouns as they stand on the wire: serde only, no IO, no clock |
//! | 2 | [`model`] | our nouns: sessions, request records, boots, time |
//! | 3 | [`store`], [`client`] | SQL on two databases; MCP over HTTP from the other side |
//! | 4 | [`session`], [`queries`] | the life of a session: opened, validated, bound, touched, reaped, recovered; read models for people |
//! | 5 | [`tools`], [`selftest`] | the built-in tools, and the trait for one more; scripted checks of a server |
//! | 6 | [`mcp`], [`dashboard`] | what a server does with a method; the live view |
//! | 7 | [`server`] | HTTP: routes, headers, status codes, SSE |
//! | 8 | [`cli`] | one file a subcommand; the only reader of arguments and environment |
//!
//! A request goes `server → mcp → session → store`, and to a tool by `mcp → tools`. An operator looks by
//! `cli → queries → store`, and ends sessions by `cli → session → store`.

pub mod cli;
pub mod client;
pub mod dashboard;
pub mod mcp;
pub mod model;
pub mod protocol;
pub mod queries;
pub mod selftest;
pub mod server;
pub mod session;
pub mod store;
pub mod tools;
