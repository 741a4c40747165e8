//! A tool's arguments as they are typed: `key=value`, `key:=json`, or one whole JSON object.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::model::encoding;
use crate::protocol::tools::ToolDescription;

use super::coerce::coerce;
use super::exit::Usage;
use super::signature::{missing, unknown};

/// What was typed.
#[derive(Debug)]
pub(super) enum Typed {
    /// `--args`: the object as it stands.
    Whole(Box<RawValue>),
    /// The pairs, by key.
    Pairs(BTreeMap<String, Given>),
}

/// The right side of a pair.
#[derive(Debug)]
pub(super) enum Given {
    /// `key=value`: the tool's schema says what it is.
    Text(String),
    /// `key:=json`.
    Json(Box<RawValue>),
}

impl Typed {
    /// Reads `--args`, if given, else the pairs.
    ///
    /// # Errors
    /// When something is not JSON, no pair, given twice, or cannot be read.
    pub(super) fn read(whole: Option<&str>, pairs: &[String]) -> Result<Self, Usage> {
        if let Some(source) = whole {
            return object(&fetch(source)?).map(Self::Whole);
        }
        let mut read = BTreeMap::new();
        for pair in pairs {
            let (key, given) = parse_pair(pair)?;
            if read.contains_key(&key) {
                return Err(Usage::new(format!("the argument {key} is given twice"), "give each argument once"));
            }
            read.insert(key, given);
        }
        Ok(Self::Pairs(read))
    }

    /// Whether the tool's schema is needed to understand them.
    pub(super) fn needs_schema(&self) -> bool {
        matches!(self, Self::Pairs(pairs) if pairs.values().any(|g| matches!(g, Given::Text(_))))
    }

    /// What was typed wrong, by the tool's schema: a name that it does not have, or one that is missing. A name with `:=`
    /// goes through as it stands.
    pub(super) fn fault(&self, tool: &ToolDescription) -> Option<Usage> {
        let Self::Pairs(pairs) = self else { return None };
        let texts: Vec<_> =
            pairs.iter().filter(|(_, g)| matches!(g, Given::Text(_))).map(|(key, _)| key.as_str()).collect();
        let all: Vec<_> = pairs.keys().map(String::as_str).collect();
        unknown(tool, &texts).or_else(|| missing(tool, &all))
    }

    /// The arguments as the tool gets them.
    ///
    /// # Errors
    /// When a text does not fit the schema.
    pub(super) fn into_json(self, schema: &Value) -> Result<Box<RawValue>, Usage> {
        let pairs = match self {
            Self::Whole(object) => return Ok(object),
            Self::Pairs(pairs) => pairs,
        };
        let mut members = BTreeMap::new();
        for (key, given) in pairs {
            let value = match given {
                Given::Json(raw) => raw,
                Given::Text(text) => coerce(&key, &text, schema)?,
            };
            members.insert(key, value);
        }
        to_raw_value(&members).map_err(|e| Usage::new(e.to_string(), "use --args"))
    }
}

/// The first `=` parts key and value, so a value may hold any more of them; a colon before it announces JSON.
fn parse_pair(pair: &str) -> Result<(String, Given), Usage> {
    let (left, right) = pair.split_once('=').unwrap_or_default();
    let key = left.strip_suffix(':').unwrap_or(left);
    if key.is_empty() {
        return Err(Usage::new(format!("{pair:?} is not a valid argument"), "write key=value, or key:=json"));
    }
    if left == key {
        return Ok((key.to_owned(), Given::Text(right.to_owned())));
    }
    let raw = serde_json::from_str(right)
        .map_err(|e| Usage::new(format!("the argument {key} is not JSON: {e}"), format!("{key}=text sends a text")))?;
    Ok((key.to_owned(), Given::Json(raw)))
}

/// JSON itself, or where to read it: `@file`, or `-` for standard input.
fn fetch(source: &str) -> Result<String, Usage> {
    let read = match source.strip_prefix('@') {
        Some(path) => std::fs::read(Path::new(path)).and_then(encoding::decode),
        None if source == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).and_then(|_| encoding::decode(bytes))
        }
        None => return Ok(source.to_owned()),
    };
    read.map_err(|e| {
        Usage::new(format!("cannot read the arguments from {source}: {e}"), "write --args JSON, @FILE or -")
    })
}

fn object(text: &str) -> Result<Box<RawValue>, Usage> {
    let hint = r#"write them as {"key": value}"#;
    let raw: Box<RawValue> =
        serde_json::from_str(text).map_err(|e| Usage::new(format!("the arguments are not JSON: {e}"), hint))?;
    if raw.get().starts_with('{') { Ok(raw) } else { Err(Usage::new("the arguments are not a JSON object", hint)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn typed(pairs: &[&str]) -> Result<Typed, Usage> {
        Typed::read(None, &pairs.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn reads_pairs() {
        let schema = json!({"properties": {"n": {"type": "integer"}}});
        let json = |pairs: &[&str]| {
            let read = typed(pairs).expect("pairs");
            (read.needs_schema(), read.into_json(&schema).expect("fits").get().to_owned())
        };
        assert_eq!(json(&[]), (false, "{}".to_owned()));
        assert_eq!(json(&["a:=[1, 2.50]"]), (false, r#"{"a":[1, 2.50]}"#.to_owned()));
        assert_eq!(json(&["u=http://x/?a:=b", "n=5"]), (true, r#"{"n":5,"u":"http://x/?a:=b"}"#.to_owned()));
        assert_eq!(json(&["e="]), (true, r#"{"e":""}"#.to_owned()));
    }

    #[test]
    fn refuses_what_is_no_pair() {
        for bad in [["novalue"], ["=x"], [":=1"], ["a:={"], ["a:="]] {
            assert!(typed(&bad).is_err(), "{bad:?}");
        }
        assert_eq!(typed(&["a=1", "a:=2"]).expect_err("twice").message, "the argument a is given twice");
    }

    #[test]
    fn reads_a_whole_object() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "{\"n\": 1.0}\n").expect("written");
        for source in ["{\"n\": 1.0}", &format!("@{}", file.path().display())] {
            let read = Typed::read(Some(source), &[]).expect("an object");
            assert!(!read.needs_schema());
            assert_eq!(read.into_json(&Value::Null).expect("json").get(), "{\"n\": 1.0}");
        }
        std::fs::write(file.path(), "\u{feff}{\"n\": 1}").expect("written");
        let read = Typed::read(Some(&format!("@{}", file.path().display())), &[]).expect("an object");
        assert_eq!(read.into_json(&Value::Null).expect("json").get(), "{\"n\": 1}", "without its byte order mark");
        for bad in ["", "[1]", "{", "@/no/such/file", "\"x\""] {
            assert!(Typed::read(Some(bad), &[]).is_err(), "{bad}");
        }
    }
}
