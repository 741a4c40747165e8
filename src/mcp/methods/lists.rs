//! `tools/list`, `resources/list`, `resources/templates/list`, `prompts/list`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::catalog::{Catalog, Kind};
use crate::mcp::Caller;
use crate::mcp::answered::{Answered, bad_params};
use crate::protocol::frame::Request;

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    cursor: Option<Cow<'a, str>>,
}

/// One page of a list.
pub(super) fn list(catalog: &Catalog, kind: Kind, caller: &Caller, request: &Request<'_>) -> Answered {
    let params = match request.params {
        None => Params::default(),
        // What else stands there, or is no object, was never looked at; only a cursor matters.
        Some(params) => serde_json::from_str(params.get()).unwrap_or_default(),
    };
    if let Ok(page) = catalog.list(kind, caller.visitor.revision(), params.cursor.as_deref()) {
        return Answered::result(request.id, page);
    }
    let error = bad_params("the cursor does not belong to this list", "start the list over, without a cursor");
    Answered::refused(request.id, &error, "unknown cursor")
}
