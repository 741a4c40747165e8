//! Whether a value is what a script expects, and if not, what was expected in words.

use serde_json::Value;

use super::failure::Mismatch;
use super::scope::{View, as_text};
use crate::selftest::script::expect::{Bounds, Conditions};
use crate::selftest::script::template::TemplateError;

/// What does not hold of a value; `None` is one that is not there.
pub(super) fn judge(
    what: &str,
    conditions: &Conditions,
    actual: Option<&Value>,
    view: View<'_>,
) -> Result<Vec<Mismatch>, TemplateError> {
    let judging = Judging { conditions, actual, view };
    let unmet = judging.unmet()?;
    let actual = actual.map_or_else(|| "nothing".to_owned(), shown);
    Ok(unmet.into_iter().map(|expected| Mismatch::new(what, expected, actual.clone())).collect())
}

/// The same of a text, such as a header's: a literal is compared by its text.
pub(super) fn judge_text(
    what: &str,
    conditions: &Conditions,
    actual: Option<&str>,
    view: View<'_>,
) -> Result<Vec<Mismatch>, TemplateError> {
    let text = |value: &Value| Value::String(as_text(value));
    let conditions = Conditions {
        equals: conditions.equals.as_ref().map(text),
        differs: conditions.differs.as_ref().map(text),
        one_of: conditions.one_of.as_ref().map(|all| all.iter().map(text).collect()),
        ..conditions.clone()
    };
    judge(what, &conditions, actual.map(Value::from).as_ref(), view)
}

/// What does not hold of a time.
pub(super) fn judge_time(bounds: Bounds, took: std::time::Duration) -> Option<Mismatch> {
    let told = |time: std::time::Duration| humantime::format_duration(time).to_string();
    let millis = std::time::Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let expected = match bounds {
        Bounds { at_least: Some(least), .. } if took < least.0 => format!("at least {}", told(least.0)),
        Bounds { at_most: Some(most), .. } if took > most.0 => format!("at most {}", told(most.0)),
        _ => return None,
    };
    Some(Mismatch::new("duration", expected, told(millis)))
}

/// JSON for people: one line if it is short.
pub(super) fn shown(value: &Value) -> String {
    let line = value.to_string();
    if line.len() <= 100 { line } else { format!("{value:#}") }
}

struct Judging<'a> {
    conditions: &'a Conditions,
    actual: Option<&'a Value>,
    view: View<'a>,
}

impl Judging<'_> {
    /// Each condition that does not hold, in words.
    fn unmet(&self) -> Result<Vec<String>, TemplateError> {
        let c = self.conditions;
        if let Some(absent) = c.absent.or(c.present.map(|present| !present)) {
            let held = absent == self.actual.is_none();
            return Ok(if held { vec![] } else { vec![if absent { "nothing" } else { "something" }.to_owned()] });
        }
        let Some(actual) = self.actual else { return Ok(vec![self.wish()?]) };
        let mut unmet = self.unmet_by_equality(actual)?;
        let mut need = |held: bool, expected: String| {
            if !held {
                unmet.push(expected);
            }
        };
        if let Some(kind) = c.kind {
            need(kind.is(actual), format!("a value of type {kind}"));
        }
        if let Some(pattern) = &c.matches {
            need(
                actual.as_str().is_some_and(|text| pattern.0.is_match(text)),
                format!("a text that matches {}", pattern.0),
            );
        }
        if let Some(length) = c.length {
            need(length_of(actual) == Some(length), format!("something of length {length}"));
        }
        if let Some(least) = c.at_least {
            need(actual.as_f64().is_some_and(|n| n >= least), format!("a number of at least {least}"));
        }
        if let Some(most) = c.at_most {
            need(actual.as_f64().is_some_and(|n| n <= most), format!("a number of at most {most}"));
        }
        Ok(unmet)
    }

    fn unmet_by_equality(&self, actual: &Value) -> Result<Vec<String>, TemplateError> {
        let (c, mut unmet) = (self.conditions, Vec::new());
        if let Some(expected) = &c.equals {
            let expected = self.view.value(expected)?;
            if !same(&expected, actual) {
                unmet.push(shown(&expected));
            }
        }
        if let Some(other) = &c.differs {
            let other = self.view.value(other)?;
            if same(&other, actual) {
                unmet.push(format!("something other than {}", shown(&other)));
            }
        }
        if let Some(all) = &c.one_of {
            let all: Vec<Value> = all.iter().map(|one| self.view.value(one)).collect::<Result<_, _>>()?;
            if !all.iter().any(|one| same(one, actual)) {
                unmet.push(format!("one of {}", shown(&Value::Array(all))));
            }
        }
        if let Some(part) = &c.contains {
            let part = self.view.value(part)?;
            if !contains(actual, &part) {
                unmet.push(format!("something with {} in it", shown(&part)));
            }
        }
        Ok(unmet)
    }

    /// What was hoped for where there is nothing.
    fn wish(&self) -> Result<String, TemplateError> {
        match &self.conditions.equals {
            Some(expected) => Ok(shown(&self.view.value(expected)?)),
            None => Ok("something".to_owned()),
        }
    }
}

/// Equality of JSON; 1 and 1.0 are the same.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, a)| y.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match whole {
        Value::String(text) => text.contains(&as_text(part)),
        Value::Array(list) => list.iter().any(|one| same(one, part)),
        Value::Object(map) => part.as_str().is_some_and(|key| map.contains_key(key)),
        _ => false,
    }
}

fn length_of(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(list) => Some(list.len()),
        Value::Object(map) => Some(map.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::Scope;
    use super::*;
    use crate::selftest::script::expect::Condition;
    use serde_json::json;

    #[derive(serde::Deserialize)]
    struct Given {
        c: Condition,
    }

    fn verdict(condition: &str, actual: Option<&Value>) -> Vec<String> {
        let mut scope = Scope::default();
        scope.variables.insert("n".to_owned(), json!(5));
        let given: Given = toml::from_str(&format!("c = {condition}")).expect(condition);
        let view = scope.seen_from("main", "");
        judge("x", &given.c.0, actual, view).expect("known").into_iter().map(|m| m.expected).collect()
    }

    #[test]
    fn each_condition_holds_and_fails() {
        for (condition, right, wrong, told) in [
            ("5", json!(5), json!("5"), "5"),
            ("1.0", json!(1), json!(2), "1.0"),
            ("\"${n}\"", json!(5), json!("5"), "5"),
            ("\"n=${n}\"", json!("n=5"), json!("n=6"), "\"n=5\""),
            ("false", json!(false), json!(null), "false"),
            ("[1, \"a\"]", json!([1, "a"]), json!([1]), "[1,\"a\"]"),
            ("{ equals = { a = 1 } }", json!({"a": 1}), json!({"a": 1, "b": 2}), "{\"a\":1}"),
            ("{ differs = 1 }", json!(2), json!(1), "something other than 1"),
            ("{ one_of = [1, 2] }", json!(2), json!(3), "one of [1,2]"),
            ("{ type = \"integer\" }", json!(1), json!(1.5), "a value of type integer"),
            ("{ type = \"object\" }", json!({}), json!([]), "a value of type object"),
            ("{ matches = '^a+$' }", json!("aa"), json!("ab"), "a text that matches ^a+$"),
            ("{ length = 2 }", json!("éé"), json!([1]), "something of length 2"),
            ("{ contains = \"b\" }", json!("abc"), json!("xyz"), "something with \"b\" in it"),
            ("{ contains = 2 }", json!([1, 2]), json!([1]), "something with 2 in it"),
            ("{ contains = \"k\" }", json!({"k": 1}), json!({}), "something with \"k\" in it"),
            ("{ at_least = 2 }", json!(2), json!(1.9), "a number of at least 2"),
            ("{ at_most = 2 }", json!(-1), json!("1"), "a number of at most 2"),
            ("{ present = true }", json!(null), json!(null), ""),
            ("{ absent = false }", json!(0), json!(0), ""),
        ] {
            assert_eq!(verdict(condition, Some(&right)), Vec::<String>::new(), "{condition} {right}");
            if !told.is_empty() {
                assert_eq!(verdict(condition, Some(&wrong)), [told], "{condition} {wrong}");
                assert_eq!(verdict(condition, None).len(), 1, "{condition} of nothing");
            }
        }
        assert_eq!(verdict("{ absent = true }", None), Vec::<String>::new());
        assert_eq!(verdict("{ absent = true }", Some(&json!(1))), ["nothing"]);
        assert_eq!(verdict("{ present = true }", None), ["something"]);
        assert_eq!(verdict("{ length = 1, type = \"array\" }", Some(&json!("ab"))).len(), 2);
    }
}
