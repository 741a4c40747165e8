//! Scripted checks of a server: does it keep its promises, and if not, which one, and where.
//!
//! ```text
//! script   a scenario as data: read, checked, described by a JSON schema
//! builtin  the scenarios that come with the program
//! target   what they are run against: servers of our own, a running one, one that a command starts
//! run      scenarios are played, answers are judged
//! report   what comes out, for people and for CI systems
//! ```

pub mod builtin;
pub mod report;
pub mod run;
pub mod script;
pub mod target;
