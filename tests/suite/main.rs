//! The one integration test. Its modules mirror `src`; what many of them need stands beside them: [`databases`] (a fresh
//! one per test), [`process`] (the real `archonctl serve`, to be killed), [`http`] (raw requests, and a small MCP client),
//! [`faulty`] (a server that goes wrong on purpose), [`field`] (one with a single bad habit), [`home`] (where the client's commands run), [`terminal`] (a
//! screen for them).
//!
//! `scripts/test.sh` runs it with a PostgreSQL; plain `cargo test` runs the SQLite half.

mod architecture;
mod bench;
mod call;
mod cases;
mod cli;
mod client;
mod completions;
mod config;
mod connect;
mod dashboard;
mod databases;
mod deploy;
mod failing;
mod faulty;
mod field;
mod fuzz;
mod harm;
mod help;
mod home;
mod http;
mod init;
mod inspector;
mod man;
mod operator;
mod passing;
mod paths;
mod patience;
mod piped;
mod private;
mod process;
mod protocol;
mod readme;
mod ready;
mod repeat;
mod replicas;
mod second_opinion;
mod selftest;
mod server;
mod session;
mod stdio;
mod stopping;
mod store;
mod talk;
mod target;
mod terminal;
mod token_file;
mod tools;
mod visit;
mod words;
