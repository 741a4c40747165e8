//! What calls cost, by a table that the operator gives. We know no prices: without a table there is no cost.
//!
//! ```toml
//! [default]
//! prompt_per_1k = 0.003
//! completion_per_1k = 0.015
//!
//! ["Claude Code"]
//! prompt_per_1k = 0.001
//! completion_per_1k = 0.005
//! ```

use std::collections::HashMap;

use toml::{Table, Value};

use crate::model::client_type;
use crate::model::request::Tokens;
use crate::model::text::nearest;

const DEFAULT: &str = "default";
const PROMPT: &str = "prompt_per_1k";
const COMPLETION: &str = "completion_per_1k";
/// What the column `NUMERIC(10, 6)` can hold.
const MOST: f64 = 9_999.999_999;

/// Prices by client type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PriceTable {
    by_client_type: HashMap<String, Price>,
    default: Option<Price>,
}

/// Prices of a thousand tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Price {
    prompt: f64,
    completion: f64,
}

/// Why a price table is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// It is not TOML.
    #[error("the price table is not TOML: {0}")]
    NotToml(String),
    /// A price stands outside of every table.
    #[error("{name:?} is not a table: prices belong under [default] or under a client type, such as [\"Claude Code\"]")]
    NotATable {
        /// The key.
        name: String,
    },
    /// No client ever has that type.
    #[error("no client has the type {name:?}: did you mean {meant:?}?")]
    NoSuchType {
        /// The table's name.
        name: String,
        /// The nearest that can match.
        meant: String,
    },
    /// A key that means nothing.
    #[error("[{table}] has the unknown key {key:?}: did you mean {meant:?}?")]
    UnknownKey {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// The nearest key there is.
        meant: &'static str,
    },
    /// One of the two prices is missing.
    #[error("[{table}] lacks {key:?}")]
    Missing {
        /// The table.
        table: String,
        /// The key.
        key: &'static str,
    },
    /// Not a number from 0 to 9,999.
    #[error("{key:?} of [{table}] is not a price from 0 to 9999: {value}")]
    NotAPrice {
        /// The table.
        table: String,
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
    },
}

impl PriceTable {
    /// Reads a table from TOML.
    ///
    /// # Errors
    /// [`PriceError`], which names the table and the key.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let tables: Table = text.parse().map_err(|e: toml::de::Error| PriceError::NotToml(e.message().to_owned()))?;
        let mut prices = Self::default();
        for (name, table) in &tables {
            let Value::Table(table) = table else { return Err(PriceError::NotATable { name: name.clone() }) };
            let price = Price::read(name, table)?;
            if name == DEFAULT {
                prices.default = Some(price);
            } else {
                prices.by_client_type.insert(checked_type(name)?, price);
            }
        }
        Ok(prices)
    }

    /// What those tokens cost a client of that type, rounded and bounded as the column is. `None` without a price.
    pub fn cost(&self, client_type: &str, tokens: Tokens) -> Option<f64> {
        let price = self.by_client_type.get(client_type).or(self.default.as_ref())?;
        let cost = (f64::from(tokens.prompt) * price.prompt + f64::from(tokens.completion) * price.completion) / 1000.0;
        Some(((cost * 1e6).round() / 1e6).min(MOST))
    }
}

impl Price {
    fn read(name: &str, table: &Table) -> Result<Self, PriceError> {
        if let Some(key) = table.keys().find(|key| ![PROMPT, COMPLETION].contains(&key.as_str())) {
            let likeness = |known: &str| strsim::jaro_winkler(key, known);
            let meant = if likeness(COMPLETION) > likeness(PROMPT) { COMPLETION } else { PROMPT };
            return Err(PriceError::UnknownKey { table: name.to_owned(), key: key.clone(), meant });
        }
        Ok(Self { prompt: price(name, table, PROMPT)?, completion: price(name, table, COMPLETION)? })
    }
}

fn price(name: &str, table: &Table, key: &'static str) -> Result<f64, PriceError> {
    let value = table.get(key).ok_or_else(|| PriceError::Missing { table: name.to_owned(), key })?;
    let number = match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
        _ => None,
    };
    number.filter(|n| (0.0..=MOST).contains(n)).ok_or_else(|| PriceError::NotAPrice {
        table: name.to_owned(),
        key,
        value: value.to_string(),
    })
}

/// A table's name, if it can be a client's type: a type is what its own name is detected as.
fn checked_type(name: &str) -> Result<String, PriceError> {
    let detected = client_type::detect(name);
    let meant = match nearest(name, [DEFAULT].into_iter()).first() {
        Some(default) => (*default).to_owned(),
        None => detected,
    };
    if meant == name { Ok(meant) } else { Err(PriceError::NoSuchType { name: name.to_owned(), meant }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: &str = r#"
        [default]
        prompt_per_1k = 0.003
        completion_per_1k = 0.015
        ["Claude Code"]
        prompt_per_1k = 1
        completion_per_1k = 0
    "#;

    #[test]
    fn costs_go_by_client_type_then_default() {
        let prices = PriceTable::parse(PRICES).expect("a table");
        let tokens = |prompt, completion| Tokens { prompt, completion };
        assert_eq!(prices.cost("Cursor", tokens(1000, 1000)), Some(0.018));
        assert_eq!(prices.cost("Cursor", tokens(1, 0)), Some(0.000_003));
        assert_eq!(prices.cost("Cursor", tokens(123, 456)), Some(0.007_209));
        assert_eq!(prices.cost("Claude Code", tokens(1500, 9999)), Some(1.5));
        assert_eq!(prices.cost("Cursor", tokens(0, 0)), Some(0.0));
        assert_eq!(prices.cost("Claude Code", tokens(u32::MAX, 0)), Some(MOST));
        assert_eq!(PriceTable::default().cost("Cursor", tokens(1, 1)), None);
    }

    fn refusal(text: &str) -> String {
        PriceTable::parse(text).expect_err("refused").to_string()
    }

    #[test]
    fn slips_are_named_with_what_was_meant() {
        let both = "prompt_per_1k = 1\ncompletion_per_1k = 1\n";
        for (text, says) in [
            ("[default]\nprompt_per_1k = 1\n", r#"[default] lacks "completion_per_1k""#),
            ("[default]\nprompt_per_lk = 1\n", r#"did you mean "prompt_per_1k"?"#),
            ("[default]\ncompletion = 1\n", r#"did you mean "completion_per_1k"?"#),
            (both, "is not a table"),
            ("[", "is not TOML"),
        ] {
            assert!(refusal(text).contains(says), "{text}: {}", refusal(text));
        }
        for (name, meant) in [("defualt", "default"), ("Default", "default"), ("claude code", "Claude Code")] {
            let says = refusal(&format!("[\"{name}\"]\n{both}"));
            assert_eq!(says, format!("no client has the type {name:?}: did you mean {meant:?}?"));
        }
        assert!(PriceTable::parse(&format!("[MyClient]\n{both}")).is_ok(), "any client may call itself anything");
    }

    #[test]
    fn a_price_is_a_number_that_the_column_can_hold() {
        for value in ["-1", "nan", "inf", "\"1\"", "9999999999", "10000.0"] {
            let text = format!("[default]\nprompt_per_1k = {value}\ncompletion_per_1k = 1\n");
            assert!(refusal(&text).contains("is not a price"), "{value}");
        }
    }
}
