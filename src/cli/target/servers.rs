//! The servers that a client's configuration file names: `.mcp.json` and its kin.

use std::path::{Path, PathBuf};

use jsonc_parser::ParseOptions;
use serde_json::{Map, Value};

use super::super::exit::Usage;
use crate::model::encoding;

/// A server of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Its name there.
    pub(super) name: String,
    /// The file.
    pub(super) file: PathBuf,
    /// How it is reached.
    pub(super) kind: Kind,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Over Streamable HTTP.
    Http {
        /// Its address, `${VAR}` not yet filled in.
        url: String,
        /// What is sent with every request, likewise.
        headers: Vec<(String, String)>,
        /// Whether the file says so; some clients refuse an entry without it.
        typed: bool,
    },
    /// A program on standard input and output; `${VAR}` is not yet filled in anywhere.
    Stdio {
        /// The command.
        command: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// What its environment has besides ours.
        variables: Vec<(String, String)>,
        /// The folder that it runs in, if the file says so.
        folder: Option<String>,
    },
    /// In a way that we do not speak, and which.
    Other(&'static str),
}

const SSE: &str = "of type sse, the two addresses of 2024-11-05; archonctl speaks Streamable HTTP";
const UNKNOWN: &str = "of a type that archonctl does not know; it speaks http and stdio";

/// JSON with the two liberties that editors allow in their files.
pub(in crate::cli) const LIKE_EDITORS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a file; comments are allowed, as editors allow them. `folders` are the working folder and those above it, for a
/// file that has servers by project.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub(super) fn read(file: &Path, folders: &[&Path]) -> Result<Vec<Server>, Usage> {
    let hint = "name the server with --url to do without it";
    let text = std::fs::read(file)
        .and_then(encoding::decode)
        .map_err(|e| Usage::new(format!("cannot read {}: {e}", file.display()), hint))?;
    parse(&text, file, folders).map_err(|why| Usage::new(format!("cannot use {}: {why}", file.display()), hint))
}

fn parse(text: &str, file: &Path, folders: &[&Path]) -> Result<Vec<Server>, String> {
    let root: Value =
        jsonc_parser::parse_to_serde_value(text, &LIKE_EDITORS).map_err(|e| format!("it is not JSON: {e}"))?;
    let project = folders.iter().find_map(|folder| root.get("projects")?.get(folder.to_str()?));
    let lists = project.into_iter().chain([&root]).flat_map(|place| [&place["mcpServers"], &place["servers"]]);
    let mut servers: Vec<Server> = Vec::new();
    for (name, entry) in lists.filter_map(Value::as_object).flatten() {
        if servers.iter().all(|known| known.name != *name) {
            let entry = entry.as_object().ok_or_else(|| format!("the server {name} is not an object"))?;
            let kind = kind(entry).map_err(|why| format!("the server {name}: {why}"))?;
            servers.push(Server { name: name.clone(), file: file.to_owned(), kind });
        }
    }
    Ok(servers)
}

fn kind(entry: &Map<String, Value>) -> Result<Kind, String> {
    let url = ["url", "httpUrl", "serverUrl"].iter().find_map(|key| entry.get(*key));
    let typed = entry.get("type").and_then(Value::as_str);
    match (typed, url) {
        (Some("http" | "streamable-http" | "streamableHttp") | None, Some(url)) => {
            let url = url.as_str().ok_or("its url is not a string")?.to_owned();
            Ok(Kind::Http { url, headers: texts(entry.get("headers"), "header")?, typed: typed.is_some() })
        }
        (Some("http" | "streamable-http" | "streamableHttp"), None) => Err("it has no url".to_owned()),
        (Some("sse"), _) => Ok(Kind::Other(SSE)),
        (Some("stdio") | None, _) => program(entry),
        (Some(_), _) => Ok(Kind::Other(UNKNOWN)),
    }
}

fn program(entry: &Map<String, Value>) -> Result<Kind, String> {
    let command = entry.get("command").ok_or("it has neither a url nor a command")?;
    let command = command.as_str().ok_or("its command is not a string")?.to_owned();
    let arguments = entry.get("args").map_or(Ok(&[][..]), |args| args.as_array().map(Vec::as_slice).ok_or(()));
    let arguments = arguments.map_err(|()| "its args are not a list")?;
    let argument = |value: &Value| value.as_str().map(str::to_owned).ok_or("one of its args is not a string");
    let arguments = arguments.iter().map(argument).collect::<Result<_, _>>()?;
    let folder = entry.get("cwd").and_then(Value::as_str).map(str::to_owned);
    Ok(Kind::Stdio { command, arguments, variables: texts(entry.get("env"), "variable")?, folder })
}

/// The members of an object that has texts alone: headers or variables.
fn texts(value: Option<&Value>, what: &str) -> Result<Vec<(String, String)>, String> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let object = value.as_object().ok_or_else(|| format!("its {what}s are not an object"))?;
    let text = |(name, value): (&String, &Value)| {
        let value = value.as_str().ok_or_else(|| format!("the {what} {name} is not a string"))?;
        Ok((name.clone(), value.to_owned()))
    };
    object.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Server>, String> {
        parse(text, Path::new("/w/.mcp.json"), &[Path::new("/w/deep"), Path::new("/w")])
    }

    fn kinds(text: &str) -> Vec<(String, Kind)> {
        parsed(text).expect("servers").into_iter().map(|s| (s.name, s.kind)).collect()
    }

    fn http(url: &str, typed: bool) -> Kind {
        Kind::Http { url: url.to_owned(), headers: vec![], typed }
    }

    fn program(command: &str, arguments: &[&str], variables: &[(&str, &str)], folder: Option<&str>) -> Kind {
        let owned = |text: &&str| (*text).to_owned();
        let variables = variables.iter().map(|(name, value)| (owned(name), owned(value))).collect();
        let arguments = arguments.iter().map(owned).collect();
        Kind::Stdio { command: command.to_owned(), arguments, variables, folder: folder.map(str::to_owned) }
    }

    #[test]
    fn reads_the_shapes_of_several_clients() {
        let text = r#"{
            // comments, as editors write them
            "mcpServers": {
                "a": {"type": "http", "url": "http://a/", "oauth": {}, "headersHelper": "rm -rf /"},
                "b": {"url": "http://b/"},
                "c": {"type": "streamable-http", "url": "http://c/"},
                "d": {"command": "npx", "args": ["-y"], "env": {"A": "${B}"}},
                "e": {"type": "sse", "url": "http://e/"},
                "f": {"type": "carrier-pigeon"},
                "g": {"httpUrl": "http://g/"},
                "h": {"type": "stdio", "command": "h", "cwd": "x"},
            },
        }"#;
        let expected = [
            ("a", http("http://a/", true)),
            ("b", http("http://b/", false)),
            ("c", http("http://c/", true)),
            ("d", program("npx", &["-y"], &[("A", "${B}")], None)),
            ("e", Kind::Other(SSE)),
            ("f", Kind::Other(UNKNOWN)),
            ("g", http("http://g/", false)),
            ("h", program("h", &[], &[], Some("x"))),
        ];
        assert_eq!(kinds(text), expected.map(|(name, kind)| (name.to_owned(), kind)));
        let text = r#"{"servers": {"x": {"type": "http", "url": "u", "headers": {"A": "${B}"}}}, "inputs": []}"#;
        let headers = vec![("A".to_owned(), "${B}".to_owned())];
        assert_eq!(kinds(text), [("x".to_owned(), Kind::Http { url: "u".to_owned(), headers, typed: true })]);
        assert_eq!(kinds("{}"), []);
        assert_eq!(kinds(""), []);
    }

    #[test]
    fn a_projects_own_servers_come_first() {
        let text = r#"{
            "mcpServers": {"a": {"type": "http", "url": "everywhere"}, "b": {"type": "http", "url": "b"}},
            "projects": {"/w": {"mcpServers": {"a": {"type": "http", "url": "here"}}}, "/other": {"mcpServers": {"c": {}}}}
        }"#;
        let expected = [("a".to_owned(), http("here", true)), ("b".to_owned(), http("b", true))];
        assert_eq!(kinds(text), expected);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, words) in [
            ("{", "not JSON"),
            (r#"{"servers": {"x": 1}}"#, "the server x is not an object"),
            (r#"{"servers": {"x": {"type": "http"}}}"#, "the server x: it has no url"),
            (r#"{"servers": {"x": {"url": 1}}}"#, "its url is not a string"),
            (r#"{"servers": {"x": {"url": "u", "headers": []}}}"#, "its headers are not an object"),
            (r#"{"servers": {"x": {"url": "u", "headers": {"A": 1}}}}"#, "the header A is not a string"),
            (r#"{"servers": {"x": {}}}"#, "neither a url nor a command"),
            (r#"{"servers": {"x": {"command": ["x"]}}}"#, "its command is not a string"),
            (r#"{"servers": {"x": {"command": "x", "args": "y"}}}"#, "its args are not a list"),
            (r#"{"servers": {"x": {"command": "x", "args": [1]}}}"#, "one of its args is not a string"),
            (r#"{"servers": {"x": {"command": "x", "env": {"A": 1}}}}"#, "the variable A is not a string"),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
    }
}
