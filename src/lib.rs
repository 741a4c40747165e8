//! archonctl keeps MCP sessions alive, shows them, and proves it.
//!
//! A tour of the house, from the ground floor up. A file leans only on the floors below its own; rooms on one floor do
//! not know each other (`tests/suite/architecture.rs` reads the imports and fails on an arrow that runs up).
//!
//! | floor | rooms | what lives there |
//! |---|---|---|
//! | 1 | [`protocol`] | MCP's nouns as they stand on the wire: serde only, no IO, no clock |
//! | 2 | [`model`] | our nouns: sessions, request records, boots, time |
//! | 3 | [`store`], [`client`] | SQL on two databases; MCP from the other side |
//! | 4 | [`session`], [`accounting`] | the life of a session: opened, validated, bound, touched, reaped, recovered; tokens, prices, captured words |
//! | 5 | [`catalog`], [`queries`] | what can be called and read: tools, resources, prompts; read models for people |
//! | 6 | [`tools`], [`selftest`], [`diagnosis`] | the built-in tools; scripted checks of a server; rules: what is wrong, and why |
//! | 7 | [`mcp`], [`dashboard`] | what a server does with a message; the live view |
//! | 8 | [`server`], [`stdio`] | HTTP: routes, headers, status codes, event streams; two pipes |
//! | 9 | [`cli`] | one file a subcommand; the only reader of arguments and environment |
//!
//! A request goes `server → mcp → session → store`, and to a tool by `mcp → catalog`, which `cli` has filled. An operator
//! looks by `cli → queries → store` and `dashboard → diagnosis → queries`, and ends sessions by `cli → session → store`.

pub mod accounting;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod dashboard;
pub mod diagnosis;
pub mod mcp;
pub mod model;
pub mod protocol;
pub mod queries;
pub mod selftest;
pub mod server;
pub mod session;
pub mod stdio;
pub mod store;
pub mod tools;
