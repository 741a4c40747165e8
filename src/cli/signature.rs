//! A tool's arguments for people: `find_projects(query?: string, page?: integer = 1)`.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::protocol::tools::ToolDescription;

use super::coerce::{is_of, types, walk};
use super::exit::Usage;
use super::nearest::nearest;

/// More values than these are not listed in a signature.
const CHOICES_SHOWN: usize = 6;

/// An argument of a tool, as its schema describes it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Argument {
    /// Its name.
    pub(super) name: String,
    /// The JSON types that it takes; empty for any.
    pub(super) types: Vec<String>,
    /// Whether it must be given.
    pub(super) required: bool,
    /// What holds when it is not.
    pub(super) default: Option<Value>,
    /// The only values that it takes, if there are only some.
    pub(super) choices: Vec<Value>,
    /// What it is for.
    pub(super) description: Option<String>,
}

/// The arguments, those that must be given first.
pub(super) fn arguments(schema: &Value) -> Vec<Argument> {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut arguments: Vec<_> =
        properties.map(|(name, part)| argument(name, part, schema, required.contains(&name.as_str()))).collect();
    let place = |a: &Argument| required.iter().position(|name| *name == a.name).unwrap_or(required.len());
    arguments.sort_by_key(place);
    arguments
}

fn argument(name: &str, part: &Value, schema: &Value, required: bool) -> Argument {
    let (mut choices, mut default, mut description) = (Vec::new(), None, None);
    walk(part, schema, &mut |part| {
        choices.extend(part["enum"].as_array().into_iter().flatten().cloned());
        choices.extend(part.get("const").cloned());
        default = default.take().or_else(|| part.get("default").cloned());
        description = description.take().or_else(|| part["description"].as_str().map(str::to_owned));
    });
    let types = types(part, schema).into_iter().map(str::to_owned).collect();
    Argument { name: name.to_owned(), types, required, default, choices, description }
}

impl Argument {
    /// What it takes: its values, or its types.
    pub(super) fn takes(&self) -> String {
        if !self.choices.is_empty() && self.choices.len() <= CHOICES_SHOWN {
            return self.choices.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
        }
        // That an argument may be left out is said by its question mark.
        let types = self.types.iter().filter(|t| *t != "null" || self.required || self.types.len() == 1);
        let types = types.map(String::as_str).collect::<Vec<_>>().join(" | ");
        if types.is_empty() { "any".to_owned() } else { types }
    }

    /// `key=value` with a value that could be.
    pub(super) fn example(&self) -> String {
        let takes = |kind: &str| self.types.iter().any(|t| t == kind);
        let name = &self.name;
        match self.choices.first().or(self.default.as_ref()) {
            Some(Value::String(text)) => format!("{name}={text}"),
            Some(Value::Null) | None if takes("string") || self.types.is_empty() => format!("{name}=TEXT"),
            Some(Value::Null) | None if takes("integer") || takes("number") => format!("{name}=1"),
            Some(Value::Null) | None if takes("boolean") => format!("{name}=true"),
            Some(Value::Null) | None if takes("array") => format!("{name}='[]'"),
            Some(Value::Null) | None => format!("{name}='{{}}'"),
            Some(other) => format!("{name}:='{other}'"),
        }
    }
}

/// `name(required: type, optional?: type = default)`.
pub(super) fn signature(tool: &ToolDescription) -> String {
    let arguments = arguments(&tool.input_schema).iter().map(short).collect::<Vec<_>>().join(", ");
    format!("{}({arguments})", tool.name)
}

fn short(argument: &Argument) -> String {
    let mark = if argument.required { "" } else { "?" };
    let default = argument.default.as_ref().filter(|d| !d.is_null()).map(|d| format!(" = {d}")).unwrap_or_default();
    format!("{}{mark}: {}{default}", argument.name, argument.takes())
}

/// The way out for somebody who asked for a tool that is not there.
pub(super) fn meant_tool(typed: &str, tools: &[ToolDescription]) -> String {
    let near = nearest(typed, tools.iter().map(|t| t.name.as_ref()));
    match tools.iter().find(|t| Some(t.name.as_ref()) == near) {
        Some(tool) => format!("did you mean {}?", signature(tool)),
        None if tools.is_empty() => "the server offers no tools".to_owned(),
        None => format!("archonctl tools lists the {} that there are", tools.len()),
    }
}

/// What is wrong with these arguments by the tool's schema, as far as it can be seen without running the tool: a name
/// that it does not have, one that is missing, a value of another type.
pub(super) fn fault(tool: &ToolDescription, given: &Map<String, Value>) -> Option<Usage> {
    let names: Vec<_> = given.keys().map(String::as_str).collect();
    unknown(tool, &names).or_else(|| missing(tool, &names)).or_else(|| mistyped(tool, given))
}

/// The first name that is none of the tool's arguments, where the schema lists them all.
pub(super) fn unknown(tool: &ToolDescription, names: &[&str]) -> Option<Usage> {
    let schema = &tool.input_schema;
    let open = matches!(schema["additionalProperties"], Value::Bool(true) | Value::Object(_))
        || ["patternProperties", "$ref", "anyOf", "oneOf", "allOf"].iter().any(|key| schema.get(key).is_some());
    let properties = schema["properties"].as_object().filter(|properties| !open && !properties.is_empty())?;
    let name = names.iter().find(|name| !properties.contains_key(**name))?;
    let near = nearest(name, properties.keys().map(String::as_str));
    let meant = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Some(Usage::new(format!("{} has no argument {name}", tool.name), format!("{meant}{}", signature(tool))))
}

/// The arguments that must be given and are not.
pub(super) fn missing(tool: &ToolDescription, names: &[&str]) -> Option<Usage> {
    let required = arguments(&tool.input_schema).into_iter().filter(|a| a.required);
    let missing: Vec<_> = required.map(|a| a.name).filter(|name| !names.contains(&name.as_str())).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let message = format!("{} needs more arguments: {} {verb} missing", tool.name, missing.join(", "));
    (!missing.is_empty()).then(|| Usage::new(message, signature(tool)))
}

fn mistyped(tool: &ToolDescription, given: &Map<String, Value>) -> Option<Usage> {
    let schema = &tool.input_schema;
    let wrong = given.iter().find_map(|(name, value)| {
        let types = types(&schema["properties"][name], schema);
        let fits = types.is_empty() || types.iter().any(|kind| is_of(&value.to_string(), kind));
        (!fits).then(|| format!("the argument {name} takes {}, not {value}", types.join(" or ")))
    });
    wrong.map(|message| Usage::new(message, signature(tool)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str, schema: &Value) -> ToolDescription {
        serde_json::from_value(json!({"name": name, "inputSchema": schema})).expect("a tool")
    }

    fn find() -> ToolDescription {
        let properties = json!({
            "query": {"type": "string", "description": "what to look for"},
            "page": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 1},
            "state": {"$ref": "#/$defs/State"},
            "any": {},
        });
        let defs = json!({"State": {"type": "string", "enum": ["open", "done"]}});
        tool("find", &json!({"type": "object", "properties": properties, "required": ["state"], "$defs": defs}))
    }

    #[test]
    fn a_signature_says_what_is_needed_and_what_may_be() {
        let expected = r#"find(state: "open" | "done", any?: any, page?: integer = 1, query?: string)"#;
        assert_eq!(signature(&find()), expected);
        assert_eq!(signature(&tool("x", &json!({}))), "x()");
        let examples: Vec<_> = arguments(&find().input_schema).iter().map(Argument::example).collect();
        assert_eq!(examples, ["state=open", "any=TEXT", "page:='1'", "query=TEXT"]);
        assert_eq!(arguments(&find().input_schema)[3].description.as_deref(), Some("what to look for"));
    }

    #[test]
    fn an_example_fits_its_type() {
        for (schema, expected) in [
            (json!({"type": "integer"}), "a=1"),
            (json!({"type": "boolean"}), "a=true"),
            (json!({"type": "array"}), "a='[]'"),
            (json!({"type": "object"}), "a='{}'"),
            (json!({"type": "boolean", "default": false}), "a:='false'"),
        ] {
            let schema = json!({"properties": {"a": schema}});
            assert_eq!(arguments(&schema)[0].example(), expected);
        }
    }

    #[test]
    fn says_what_was_meant() {
        assert!(meant_tool("fnd", &[find()]).starts_with("did you mean find(state"));
        assert_eq!(meant_tool("zzz", &[find()]), "archonctl tools lists the 1 that there are");
        assert_eq!(meant_tool("find", &[]), "the server offers no tools");
    }

    #[test]
    fn finds_what_is_wrong_with_arguments() {
        for (given, fault_is) in [
            (json!({"state": "open"}), None),
            (json!({"state": "open", "page": null, "any": [1]}), None),
            (json!({"state": "open", "qeury": "x"}), Some("find has no argument qeury")),
            (json!({}), Some("find needs more arguments: state is missing")),
            (json!({"state": "open", "page": "1"}), Some("the argument page takes integer or null, not \"1\"")),
        ] {
            let found = fault(&find(), given.as_object().expect("an object"));
            assert_eq!(found.map(|f| f.message).as_deref(), fault_is, "{given}");
        }
        let hint = unknown(&find(), &["qeury"]).and_then(|f| f.hint).expect("a hint");
        assert!(hint.starts_with("did you mean query? find(state"), "{hint}");
        let open = tool("x", &json!({"properties": {"a": {}}, "additionalProperties": true}));
        assert!(unknown(&open, &["b"]).is_none());
        assert!(unknown(&tool("x", &json!({"type": "object"})), &["b"]).is_none());
    }
}
