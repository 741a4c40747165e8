//! What a scenario knows at a moment: its variables and its sessions. Filling texts in is one pass: what a variable holds
//! is put in as it is and never looked at again, so no text can make itself longer for ever.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::selftest::script::template::{Piece, TemplateError, pieces};

/// A text after filling in is no longer than this.
const MAX_TEXT: usize = 4 << 20;

/// A session that a scenario has opened.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenSession {
    /// `Mcp-Session-Id`; a server without sessions gives none.
    pub(super) id: Option<String>,
    /// `X-Archon-Session-Id`, as the answer to `initialize` had it.
    pub(super) archon: Option<String>,
    /// The revision agreed on.
    pub(super) revision: String,
    /// The bearer token that it was opened with.
    pub(super) token: Option<String>,
    /// The server that it was opened on.
    pub(super) server: usize,
}

/// Variables and sessions. Each branch of `parallel` has its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) variables: BTreeMap<String, Value>,
    pub(super) sessions: BTreeMap<String, OpenSession>,
}

impl Scope {
    /// What one step sees: also which session `session.id` is, and which server `url` is.
    pub(super) fn seen_from<'a>(&'a self, session: &'a str, url: &'a str) -> View<'a> {
        View { scope: self, session, url }
    }

    /// Takes over what a branch has learnt.
    pub(super) fn merge(&mut self, branch: Self) {
        self.variables.extend(branch.variables);
        self.sessions.extend(branch.sessions);
    }
}

/// A scope from one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    scope: &'a Scope,
    session: &'a str,
    url: &'a str,
}

impl View<'_> {
    fn get(self, name: &str) -> Result<Value, TemplateError> {
        let found = match (name.split_once('.'), name) {
            (Some((session, member)), _) => self.of_session(session, member),
            (None, "url") => Some(self.url.into()),
            (None, "address") => Some(address_of(self.url).into()),
            (None, name) => self.scope.variables.get(name).cloned(),
        };
        found.ok_or_else(|| TemplateError::Unknown(name.to_owned()))
    }

    fn of_session(self, session: &str, member: &str) -> Option<Value> {
        let name = if session == "session" { self.session } else { session };
        let session = self.scope.sessions.get(name)?;
        let value = match member {
            "id" => session.id.clone(),
            "archon" => session.archon.clone(),
            "revision" => Some(session.revision.clone()),
            _ => None,
        };
        value.map(Value::from)
    }

    /// A text with its variables filled in.
    pub(super) fn text(self, text: &str) -> Result<String, TemplateError> {
        self.filled(text, |value| Ok(as_text(value)))
    }

    /// A query: each variable becomes a quoted SQL text.
    pub(super) fn sql(self, query: &str) -> Result<String, TemplateError> {
        self.filled(query, |value| {
            let text = as_text(value);
            if text.contains('\0') { Err(TemplateError::Nul) } else { Ok(format!("'{}'", text.replace('\'', "''"))) }
        })
    }

    /// A value with the variables of all its texts filled in. A text that is one variable becomes what that holds, its
    /// type kept.
    pub(super) fn value(self, value: &Value) -> Result<Value, TemplateError> {
        Ok(match value {
            Value::String(text) => match pieces(text)?.as_slice() {
                [Piece::Variable(name)] => self.get(name)?,
                _ => Value::String(self.text(text)?),
            },
            Value::Array(list) => Value::Array(list.iter().map(|v| self.value(v)).collect::<Result<_, _>>()?),
            Value::Object(map) => Value::Object(self.map(map)?),
            other => other.clone(),
        })
    }

    /// The same with the members of an object.
    pub(super) fn map(self, map: &Map<String, Value>) -> Result<Map<String, Value>, TemplateError> {
        map.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?))).collect()
    }

    fn filled(
        self,
        text: &str,
        write: impl Fn(&Value) -> Result<String, TemplateError>,
    ) -> Result<String, TemplateError> {
        let mut out = String::new();
        for piece in pieces(text)? {
            match piece {
                Piece::Plain(text) => out.push_str(&text),
                Piece::Variable(name) => out.push_str(&write(&self.get(name)?)?),
            }
            if out.len() > MAX_TEXT {
                return Err(TemplateError::TooLong(MAX_TEXT));
            }
        }
        Ok(out)
    }
}

/// A text as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `http://127.0.0.1:8051/mcp` → `127.0.0.1:8051`.
fn address_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[..end].rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope() -> Scope {
        let variables = [("a", json!("${a}${a}")), ("n", json!(7)), ("long", json!("x".repeat(3 << 20)))];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let mut scope = Scope { variables, ..Scope::default() };
        let session = OpenSession { id: Some("it's".to_owned()), ..OpenSession::default() };
        scope.sessions.insert("s".to_owned(), session);
        scope
    }

    #[test]
    fn fills_in_once() {
        let scope = scope();
        let view = scope.seen_from("s", "http://u:p@host:1/mcp");
        for (text, expected) in [
            ("<${a}>", "<${a}${a}>"),
            ("${n}${n}", "77"),
            ("$${a} ${n}", "${a} 7"),
            ("é${s.id}é${session.id}", "éit'séit's"),
            ("${address}", "host:1"),
        ] {
            assert_eq!(view.text(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(view.value(&json!({"x": ["${n}", "n=${n}"]})), Ok(json!({"x": [7, "n=7"]})));
        assert_eq!(view.sql("id = ${s.id}").as_deref(), Ok("id = 'it''s'"));
    }

    #[test]
    fn refuses_what_it_cannot_fill_in() {
        let scope = scope();
        let view = scope.seen_from("none", "");
        for name in ["b", "session.id", "s.archon", "s.nonsense"] {
            assert_eq!(view.text(&format!("${{{name}}}")), Err(TemplateError::Unknown(name.to_owned())));
        }
        assert_eq!(view.text("${long}${long}"), Err(TemplateError::TooLong(MAX_TEXT)));
    }
}
