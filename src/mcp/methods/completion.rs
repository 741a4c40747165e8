//! `completion/complete`.

use std::borrow::Cow;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

use super::reading::{Asked, Reading};
use crate::catalog::{Catalog, Completing, Completion};
use crate::mcp::Engine;
use crate::mcp::answered::{Answered, bad_params};

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(rename = "ref", borrow)]
    of: Reference<'a>,
    #[serde(borrow)]
    argument: Argument<'a>,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference<'a> {
    #[serde(rename = "ref/prompt")]
    Prompt {
        #[serde(borrow)]
        name: Cow<'a, str>,
    },
    #[serde(rename = "ref/resource")]
    Template {
        #[serde(borrow)]
        uri: Cow<'a, str>,
    },
}

#[derive(Deserialize)]
struct Argument<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

#[derive(Serialize)]
struct Completed {
    completion: Completion,
}

/// Values for a blank of a prompt, or for a variable of a template.
pub(super) async fn complete(engine: &Engine, catalog: &Catalog, asked: Asked<'_>) -> Answered {
    let (_, request, _) = asked;
    let params = match request.read_params::<Params<'_>>() {
        Ok(params) => params,
        Err(error) => {
            let way_out = "send ref (ref/prompt or ref/resource) and argument (name and value)";
            return Answered::refused(request.id, &bad_params(error, way_out), "no ref or argument");
        }
    };
    let completing = Completing { argument: &params.argument.name, typed: &params.argument.value };
    let found = match &params.of {
        Reference::Prompt { name } => catalog.prompt(name).map(|prompt| prompt.complete(completing)),
        Reference::Template { uri } => catalog.template(uri).map(|template| template.complete(completing)),
    };
    let Some(completion) = found else {
        let error =
            bad_params("there is no such prompt or template", "prompts/list and resources/templates/list tell which");
        return Answered::refused(request.id, &error, "no such prompt or template");
    };
    let reading = Reading::begin(engine, asked, None);
    let told = reading.told(completion.map(Ok).boxed(), |completion| Completed { completion }).await;
    reading.end();
    told
}
