//! `tools/list`, page by page: bounded whatever the server does, and lenient with single tools. A server that gives one
//! cursor twice counts in circles: its list has no end, and no part of it is taken for the whole.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tracing::{debug, warn};

use crate::protocol::tools::ToolDescription;

use super::error::{ClientError, ProtocolError};
use super::http::MAX_ANSWER;

/// More pages than this are a server that counts in circles (our bound).
pub(super) const MAX_PAGES: usize = 1000;

/// A page as it came: the tools unread.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tools: Vec<Box<RawValue>>,
    #[serde(default)]
    next_cursor: Option<Box<RawValue>>,
}

/// The tools of the pages so far.
#[derive(Debug, Default)]
pub(super) struct Pages {
    tools: Vec<ToolDescription>,
    names: HashSet<String>,
    cursors: HashSet<String>,
    /// The malformed ones, as they came.
    malformed: HashSet<String>,
    /// How many tools are not what MCP says, and of the first which and why.
    left_out: usize,
    first_left_out: Option<String>,
}

impl Pages {
    /// Takes a page, and gives the parameters that ask for the next one; `None` when there is none to ask for.
    ///
    /// # Errors
    /// When it is no page, or leads back to one that there was.
    pub(super) fn take(&mut self, page: &RawValue) -> Result<Option<String>, ProtocolError> {
        let page: Page = serde_json::from_str(page.get()).map_err(|e| wrong(e.to_string()))?;
        let before = self.seen();
        let is_empty = page.tools.is_empty();
        page.tools.iter().for_each(|tool| self.take_tool(tool));
        // Servers that end their pages with an empty text mean that there is none.
        let Some(cursor) = page.next_cursor.filter(|cursor| cursor.get() != r#""""#) else { return Ok(None) };
        if !self.cursors.insert(cursor.get().to_owned()) {
            return Err(wrong(format!(
                "its pages lead in a circle: the cursor {} comes twice",
                shortened(cursor.get())
            )));
        }
        if !is_empty && self.seen() == before {
            warn!("the pages of tools/list do not advance; going on with the {} tools so far", self.tools.len());
            return Ok(None);
        }
        if self.cursors.len() >= MAX_PAGES {
            return Err(wrong(format!("it has more than {MAX_PAGES} pages")));
        }
        debug!(tools = self.tools.len(), "asking for the next page");
        Ok(Some(format!(r#"{{"cursor":{}}}"#, cursor.get())))
    }

    /// How many different tools there were, malformed ones among them: a page of those is one more page.
    fn seen(&self) -> usize {
        self.names.len() + self.malformed.len()
    }

    /// A tool of a name that there was already is the same page once more.
    fn take_tool(&mut self, raw: &RawValue) {
        match read(raw) {
            Ok(tool) => {
                if self.names.insert(tool.name.to_string()) {
                    self.tools.push(tool);
                }
            }
            Err(error) => {
                self.left_out += 1;
                self.malformed.insert(raw.get().to_owned());
                self.first_left_out.get_or_insert_with(|| format!("{}: {error}", name(raw)));
            }
        }
    }

    /// All tools. What was left out is said once.
    pub(super) fn into_tools(self) -> Vec<ToolDescription> {
        if let Some(first) = self.first_left_out {
            let (them, verb) = if self.left_out == 1 { ("tool", "is") } else { ("tools", "are") };
            warn!("{} {them} of the server {verb} not what MCP says, and left out: {first}", self.left_out);
        }
        self.tools
    }
}

/// An error of one page, told of all: their bound is one, and a page is given what the others have left of it.
pub(super) fn of_all_pages(error: ClientError, left: usize) -> ClientError {
    match error {
        ClientError::Protocol(ProtocolError::TooLarge { limit }) if limit == left => {
            ProtocolError::TooLarge { limit: MAX_ANSWER }.into()
        }
        error => error,
    }
}

/// A cursor for people: the servers choose how long they are.
fn shortened(cursor: &str) -> String {
    const SHOWN: usize = 40;
    let more = if cursor.chars().count() > SHOWN { "…" } else { "" };
    cursor.chars().take(SHOWN).collect::<String>() + more
}

fn wrong(reason: String) -> ProtocolError {
    ProtocolError::Result { method: "tools/list", reason }
}

/// Members that are null are not there: servers write them so whose language has no other way.
fn read(raw: &RawValue) -> serde_json::Result<ToolDescription> {
    let mut members: Map<String, Value> = serde_json::from_str(raw.get())?;
    members.retain(|_, value| !value.is_null());
    let tool: ToolDescription = serde_json::from_value(Value::Object(members))?;
    if tool.name.is_empty() { Err(serde::de::Error::custom("its name is empty")) } else { Ok(tool) }
}

/// What a malformed tool can be called.
fn name(raw: &RawValue) -> String {
    let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    value["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("one without a name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn take(pages: &mut Pages, page: &Value) -> Result<Option<String>, ProtocolError> {
        pages.take(&RawValue::from_string(page.to_string()).expect("JSON"))
    }

    fn tool(name: &str) -> Value {
        json!({"name": name, "inputSchema": {"type": "object"}})
    }

    fn names(pages: Pages) -> Vec<String> {
        pages.into_tools().into_iter().map(|tool| tool.name.into_owned()).collect()
    }

    #[test]
    fn one_malformed_tool_costs_no_other() {
        let mut pages = Pages::default();
        let bad = [
            json!(null),
            json!(5),
            json!("x"),
            json!({}),
            json!({"name": "no_schema"}),
            json!({"name": 7, "inputSchema": {}}),
            json!({"name": "", "inputSchema": {}}),
            json!({"name": "odd", "inputSchema": {}, "annotations": {"readOnlyHint": "yes"}}),
        ];
        let nulls = json!({"name": "b", "inputSchema": {}, "description": null, "title": null, "annotations": null});
        let tools: Vec<Value> = [tool("a")].into_iter().chain(bad).chain([nulls, tool("c")]).collect();
        assert_eq!(take(&mut pages, &json!({"tools": tools, "nextCursor": null})).expect("a page"), None);
        assert_eq!(pages.left_out, 8);
        assert_eq!(names(pages), ["a", "b", "c"]);
    }

    #[test]
    fn cursors_go_back_as_they_came_and_end_when_they_do_not_advance() {
        let page = |names: &[&str], cursor: Value| json!({"tools": names.iter().map(|n| tool(n)).collect::<Vec<_>>(), "nextCursor": cursor});
        for (last, expected) in [
            (page(&["c"], json!("")), &["a", "b", "c"][..]),
            (page(&["c"], json!(null)), &["a", "b", "c"]),
            // A fresh cursor each time, and the same tools.
            (page(&["a", "b"], json!("3")), &["a", "b"]),
        ] {
            let mut pages = Pages::default();
            let next = take(&mut pages, &page(&["a"], json!("1"))).expect("a page");
            assert_eq!(next.as_deref(), Some(r#"{"cursor":"1"}"#));
            let next = take(&mut pages, &page(&["b"], json!("2"))).expect("a page");
            assert_eq!(next.as_deref(), Some(r#"{"cursor":"2"}"#));
            assert_eq!(take(&mut pages, &last).expect("a page"), None, "{last}");
            assert_eq!(names(pages), expected);
        }
        for circle in ["1", "2"] {
            let mut pages = Pages::default();
            for cursor in ["1", "2"] {
                assert!(take(&mut pages, &page(&[cursor], json!(cursor))).expect("a page").is_some());
            }
            let error = take(&mut pages, &page(&["c"], json!(circle))).expect_err("a circle").to_string();
            assert!(error.contains(&format!("the cursor \"{circle}\" comes twice")), "{error}");
        }
        assert_eq!(shortened(&"é".repeat(100)), "é".repeat(40) + "…");
        let mut pages = Pages::default();
        assert_eq!(take(&mut pages, &page(&[], json!(2))).expect("a page").as_deref(), Some(r#"{"cursor":2}"#));
        assert!(take(&mut pages, &json!({"nextCursor": "3"})).is_err(), "no page");
    }

    #[test]
    fn a_page_of_malformed_tools_is_a_page() {
        let mut pages = Pages::default();
        let page = |tools: Value, cursor: &str| json!({"tools": tools, "nextCursor": cursor});
        let bad = json!([{"name": "no_schema"}, null]);
        assert!(take(&mut pages, &page(bad.clone(), "1")).expect("a page").is_some());
        assert!(take(&mut pages, &page(json!([tool("a")]), "2")).expect("a page").is_some());
        assert_eq!(take(&mut pages, &page(bad, "3")).expect("a page"), None, "the same page once more");
        assert_eq!(names(pages), ["a"]);
    }

    #[test]
    fn endless_pages_are_an_error() {
        let mut pages = Pages::default();
        let fresh = (0..MAX_PAGES).map(|n| json!({"tools": [tool(&n.to_string())], "nextCursor": n.to_string()}));
        let outcomes: Vec<_> = fresh.map(|page| take(&mut pages, &page)).collect();
        assert!(outcomes[..MAX_PAGES - 1].iter().all(Result::is_ok) && outcomes[MAX_PAGES - 1].is_err());
    }
}
