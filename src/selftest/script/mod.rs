//! Scripts as data: the format of a scenario, read and checked as a whole before anything runs.
//!
//! ```text
//! format   a scenario, what it needs, how our own server is started for it
//! step     one step: what to do, on which session, what to remember
//! expect   what an answer must look like
//! value    times, patterns, statuses: wrong ones are found while the file is read
//! check    what a parser cannot see: variables that nobody saved, steps that need more than the scenario says
//! ```

mod check;
mod error;
pub mod expect;
pub mod format;
mod nearest;
mod place;
pub mod step;
pub(in crate::selftest) mod template;
pub mod value;

use schemars::generate::SchemaSettings;
use serde_json::Value;

pub use error::ScriptError;
pub use format::Scenario;
pub use nearest::nearest;

use place::Text;

/// A scenario's file is no longer than this.
const MAX_FILE: usize = 1 << 20;

/// Reads a scenario and checks all of it.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ScriptError> {
    let place = Text::new(file, text);
    if text.len() > MAX_FILE {
        return Err(place.error(0..0, format!("the file is larger than {MAX_FILE} bytes"), None));
    }
    let read = |error: toml::de::Error| {
        let hint = nearest_in(error.message());
        place.error(error.span().unwrap_or(0..0), one_line(error.message()), hint)
    };
    let scenario: Scenario = toml::from_str(text).map_err(read)?;
    let document = toml::de::DeTable::parse(text).map_err(read)?;
    check::check(&scenario, document.get_ref(), &place)?;
    Ok(scenario)
}

/// The JSON schema of the format, for editors.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<Scenario>();
    schema.insert("title".to_owned(), "A scenario of archonctl selftest".into());
    schema.to_value()
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A parser's error for an unknown name lists the valid ones: ``unknown field `nmae`, expected one of `name`, …``.
fn nearest_in(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next().filter(|_| message.starts_with("unknown "))?;
    nearest(wrong, quoted)
}
