//! The scenarios that come with the program, each one promise.

use std::sync::Arc;

use super::run::Chosen;
use super::script::{ScriptError, parse};

macro_rules! scenarios {
    ($($id:literal),* $(,)?) => {
        [$(($id, include_str!(concat!("scenarios/", $id, ".toml")))),*]
    };
}

/// Their ids and texts, in the order in which they are run.
pub const SCENARIOS: [(&str, &str); 1] = scenarios!["recovery-after-sigkill"];

/// All of them, read.
///
/// # Errors
/// A test shows that there is none; a program that is broken says so.
pub fn all() -> Result<Vec<Chosen>, ScriptError> {
    let read = |(id, text): (&str, &str)| {
        let scenario = Arc::new(parse(&format!("{id}.toml"), text)?);
        Ok(Chosen { id: id.to_owned(), scenario })
    };
    SCENARIOS.into_iter().map(read).collect()
}
