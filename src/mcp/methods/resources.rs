//! `resources/read`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::reading::{Asked, Reading};
use crate::catalog::{Catalog, Contents};
use crate::mcp::answered::{Answered, bad_params};
use crate::mcp::{Engine, shortened};
use crate::protocol::error::{ErrorBody, RESOURCE_NOT_FOUND};

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
    #[serde(rename = "_meta", borrow, default)]
    meta: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Read {
    contents: Vec<Contents>,
}

/// Reads the resource of that URI, or the one of a template that the URI follows.
pub(super) async fn read(engine: &Engine, catalog: &Catalog, asked: Asked<'_>) -> Answered {
    let (_, request, _) = asked;
    let params = match request.read_params::<Params<'_>>() {
        Ok(params) => params,
        Err(error) => return Answered::refused(request.id, &bad_params(error, "send the resource's uri"), "no uri"),
    };
    let reading = Reading::begin(engine, asked, params.meta);
    let call = reading.call(None);
    let work = match (catalog.resource(&params.uri), catalog.template_for(&params.uri)) {
        (Some(resource), _) => resource.read(call),
        (None, Some(template)) => template.read(&params.uri, call),
        (None, None) => {
            let fact = format!("no such resource: {}", shortened(&params.uri));
            let way_out = "resources/list and resources/templates/list list them all";
            let error = ErrorBody::told(RESOURCE_NOT_FOUND, fact, way_out).because("unknown_resource", way_out);
            return Answered::refused(request.id, &error, "no such resource");
        }
    };
    let told = reading.told(work, |contents| Read { contents }).await;
    reading.end();
    told
}
