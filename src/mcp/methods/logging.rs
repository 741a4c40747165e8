//! `logging/setLevel`: how much a client wants to hear of what its calls do.

use serde::Deserialize;

use crate::mcp::Caller;
use crate::mcp::answered::{Answered, Empty, bad_params};
use crate::protocol::frame::Request;
use crate::protocol::level::Level;

#[derive(Deserialize)]
struct Params {
    level: Level,
}

/// Holds as long as the session is in memory; after that the client hears from `info` on again.
pub(super) fn set_level(caller: &Caller, request: &Request<'_>) -> Answered {
    match request.read_params::<Params>() {
        Ok(Params { level }) => {
            caller.visitor.live().set_log_level(level);
            Answered::result(request.id, &Empty {})
        }
        Err(error) => {
            let way_out = "send a level: debug, info, notice, warning, error, critical, alert or emergency";
            Answered::refused(request.id, &bad_params(error, way_out), "no such level")
        }
    }
}
