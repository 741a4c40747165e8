//! What came of a request that was handled: for its client, and for its row.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::accounting::capture::Capture;
use crate::catalog::ToolError;
use crate::model::request::RequestStatus;
use crate::protocol::error::{ErrorBody, INVALID_PARAMS};
use crate::protocol::reply;

/// What the client is told, and what the row says.
pub(super) struct Answered {
    pub(super) body: Vec<u8>,
    pub(super) status: RequestStatus,
    pub(super) error: Option<String>,
}

impl Answered {
    pub(super) fn result<T: Serialize + ?Sized>(id: &RawValue, result: &T) -> Self {
        Self { body: reply::result(id, result), status: RequestStatus::Success, error: None }
    }

    /// `short` is what the row says.
    pub(super) fn refused(id: &RawValue, error: &ErrorBody, short: &str) -> Self {
        let body = reply::error(Some(id.get()), error);
        Self { body, status: RequestStatus::Error, error: Some(short.to_owned()) }
    }
}

/// `{}`.
#[derive(Serialize)]
pub(super) struct Empty {}

/// The parameters of a request do not fit.
pub(super) fn bad_params(message: impl std::fmt::Display, way_out: &'static str) -> ErrorBody {
    ErrorBody::told(INVALID_PARAMS, message, way_out).because("invalid_params", way_out)
}

/// What a row says of an error: all of it only where the words of calls are kept.
pub(super) fn row_words(error: &ToolError, capture: Capture) -> String {
    if capture == Capture::Off { error.plain_summary() } else { error.summary() }
}
