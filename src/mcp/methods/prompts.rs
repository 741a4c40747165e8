//! `prompts/get`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::reading::{Asked, Reading};
use crate::catalog::Catalog;
use crate::mcp::answered::{Answered, bad_params};
use crate::mcp::{Engine, shortened};

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(rename = "_meta", borrow, default)]
    meta: Option<&'a RawValue>,
}

/// Fills in the blanks of a prompt.
pub(super) async fn get(engine: &Engine, catalog: &Catalog, asked: Asked<'_>) -> Answered {
    let (_, request, _) = asked;
    let params = match request.read_params::<Params<'_>>() {
        Ok(params) => params,
        Err(error) => return Answered::refused(request.id, &bad_params(error, "send the prompt's name"), "no name"),
    };
    let Some(prompt) = catalog.prompt(&params.name) else {
        let fact = format!("no such prompt: {}", shortened(&params.name));
        return Answered::refused(request.id, &bad_params(fact, "prompts/list lists all prompts"), "no such prompt");
    };
    let reading = Reading::begin(engine, asked, params.meta);
    let told = reading.told(prompt.get(reading.call(params.arguments)), |output| output).await;
    reading.end();
    told
}
