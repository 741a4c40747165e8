//! Failures that are expected: a file that names one scenario a line.

use std::collections::BTreeSet;

use crate::selftest::script::nearest;

/// Scenarios that are expected to fail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    ids: BTreeSet<String>,
}

/// A line that names no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: there is no scenario {id:?}")]
pub struct BaselineError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub id: String,
    /// What may be meant.
    pub hint: Option<String>,
}

impl Baseline {
    /// Reads a file; `#` starts a comment. Where `known` is not empty, each line must be among those ids.
    ///
    /// # Errors
    /// [`BaselineError`] for the first line that names no scenario.
    pub fn parse(file: &str, text: &str, known: &[&str]) -> Result<Self, BaselineError> {
        let mut ids = BTreeSet::new();
        for (number, line) in text.lines().enumerate() {
            let id = line.split('#').next().unwrap_or_default().trim();
            if id.is_empty() {
                continue;
            }
            if !known.is_empty() && !known.contains(&id) {
                let hint = nearest(id, known.iter().copied());
                return Err(BaselineError { file: file.to_owned(), line: number + 1, id: id.to_owned(), hint });
            }
            ids.insert(id.to_owned());
        }
        Ok(Self { ids })
    }

    /// Whether a scenario is expected to fail.
    pub fn expects(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_scenario() {
        let known = ["one-thing", "another"];
        let read = Baseline::parse("f", "# why\n\n one-thing # because\n", &known).expect("read");
        assert!(read.expects("one-thing") && !read.expects("another"));
        let error = Baseline::parse("f", "\none-thnig", &known).expect_err("a typo");
        assert_eq!(error.to_string(), "f:2: there is no scenario \"one-thnig\"");
        assert_eq!(error.hint.as_deref(), Some("did you mean one-thing?"));
    }
}
