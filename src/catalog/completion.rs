//! Completion: what may stand in a blank of a prompt or of a template of URIs (server/utilities/completion).

use serde::Serialize;

/// The most values of one answer, as the specification bounds it.
const MOST: usize = 100;

/// What is to be completed.
#[derive(Debug, Clone, Copy)]
pub struct Completing<'a> {
    /// The name of the argument, or of the variable.
    pub argument: &'a str,
    /// What its user has typed.
    pub typed: &'a str,
}

/// Values that fit, the likeliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    values: Vec<String>,
    /// How many there are in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    has_more: bool,
}

impl Completion {
    /// Those of these that begin with what was typed, upper and lower case alike; the first hundred of them.
    pub fn of<'a>(typed: &str, all: impl IntoIterator<Item = &'a str>) -> Self {
        let typed = typed.to_lowercase();
        let fits = all.into_iter().filter(|value| value.to_lowercase().starts_with(&typed));
        let mut values: Vec<_> = fits.map(str::to_owned).collect();
        let total = values.len();
        values.truncate(MOST);
        Self { has_more: total > values.len(), total: Some(total), values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_decides_and_a_hundred_are_enough() {
        let some = Completion::of("Pa", ["paris", "Park", "lisbon"]);
        assert_eq!(some.values, ["paris", "Park"]);
        assert_eq!((some.total, some.has_more), (Some(2), false));
        let many: Vec<_> = (0..250).map(|n| n.to_string()).collect();
        let cut = Completion::of("", many.iter().map(String::as_str));
        assert_eq!((cut.values.len(), cut.total, cut.has_more), (100, Some(250), true));
        let none = serde_json::to_value(Completion::default()).expect("json");
        assert_eq!(none, serde_json::json!({ "values": [], "hasMore": false }));
    }
}
