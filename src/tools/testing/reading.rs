//! A resource, a template of resources and a prompt.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::Deserialize;
use serde_json::json;

use crate::catalog::{
    Call, Completing, Completion, Content, Contents, Entry, Prompt, PromptMessage, PromptOutput, Resource,
    ResourceTemplate, Role, ToolError,
};

const PAGE: &str = "test://page";
const PREFIX: &str = "test://page/";
const NUMBERS: [&str; 3] = ["1", "2", "10"];
const NAMES: [&str; 3] = ["Ada", "Alan", "Grace"];

pub(super) struct Page;

impl Resource for Page {
    fn entry(&self) -> Entry {
        let page = json!({ "uri": PAGE, "name": "page", "title": "A page", "mimeType": "text/plain" });
        Entry::named(PAGE, &page)
    }

    fn read<'a>(&'a self, _: Call<'a>) -> BoxFuture<'a, Result<Vec<Contents>, ToolError>> {
        ready(Ok(vec![Contents::text(PAGE, Some("text/plain"), "a page")])).boxed()
    }
}

pub(super) struct Pages;

impl ResourceTemplate for Pages {
    fn entry(&self) -> Entry {
        let template = "test://page/{number}";
        Entry::named(template, &json!({ "uriTemplate": template, "name": "pages", "mimeType": "text/plain" }))
    }

    fn matches(&self, uri: &str) -> bool {
        uri.strip_prefix(PREFIX).is_some_and(|number| number.parse::<u32>().is_ok())
    }

    fn read<'a>(&'a self, uri: &'a str, _: Call<'a>) -> BoxFuture<'a, Result<Vec<Contents>, ToolError>> {
        let number = uri.strip_prefix(PREFIX).unwrap_or_default();
        ready(Ok(vec![Contents::text(uri, Some("text/plain"), format!("page {number}"))])).boxed()
    }

    fn complete<'a>(&'a self, completing: Completing<'a>) -> BoxFuture<'a, Completion> {
        let values = if completing.argument == "number" { &NUMBERS[..] } else { &[] };
        ready(Completion::of(completing.typed, values.iter().copied())).boxed()
    }
}

pub(super) struct Greeting;

#[derive(Deserialize)]
struct Blanks {
    name: String,
}

impl Prompt for Greeting {
    fn entry(&self) -> Entry {
        let blanks = json!([{ "name": "name", "description": "Who is greeted.", "required": true }]);
        let name = "test_greeting";
        let prompt =
            json!({ "name": name, "title": "A greeting", "description": "Greet somebody.", "arguments": blanks });
        Entry::named(name, &prompt)
    }

    fn get<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<PromptOutput, ToolError>> {
        let read = call.arguments.and_then(|arguments| serde_json::from_str::<Blanks>(arguments.get()).ok());
        let filled = read.ok_or_else(|| ToolError::validation("\"name\" is required, as a text")).map(|blanks| {
            let content = Content::text(&format!("Please greet {}.", blanks.name));
            let messages = vec![PromptMessage { role: Role::User, content }];
            PromptOutput { description: Some("A greeting.".to_owned()), messages }
        });
        ready(filled).boxed()
    }

    fn complete<'a>(&'a self, completing: Completing<'a>) -> BoxFuture<'a, Completion> {
        let values = if completing.argument == "name" { &NAMES[..] } else { &[] };
        ready(Completion::of(completing.typed, values.iter().copied())).boxed()
    }
}
