//! The methods of MCP, one file each; which there are stands here.

mod completion;
mod lists;
mod logging;
mod prompts;
mod reading;
mod resources;
mod tools;

use std::time::Duration;

use serde_json::value::RawValue;

use super::answer::Answer;
use super::answered::{Answered, Empty};
use super::{Busy, Caller, Engine, shortened};
use crate::catalog::Kind;
use crate::model::label::OTHER;
use crate::model::request::RequestStatus;
use crate::protocol::error::{ErrorBody, METHOD_NOT_FOUND};
use crate::protocol::frame::Request;
use crate::protocol::reply;

impl Engine {
    /// Answers a request other than `initialize`.
    ///
    /// # Errors
    /// [`Busy`] before anything was run.
    pub(super) async fn answer(&self, caller: &Caller, request: &Request<'_>) -> Result<Answer, Busy> {
        match &*request.method {
            "tools/call" => self.call(caller, request).await,
            "ping" => Ok(self.pong(caller, request.id)),
            // Rarer, and boxed: every call's future would carry their size along.
            method => Box::pin(self.other(caller, request, method)).await,
        }
    }

    async fn other(&self, caller: &Caller, request: &Request<'_>, method: &str) -> Result<Answer, Busy> {
        let begin = self.begin(caller)?;
        let catalog = self.catalog.now();
        let (method, told) = match method {
            "tools/list" => ("tools/list", lists::list(&catalog, Kind::Tool, caller, request)),
            "resources/list" if catalog.has(Kind::Resource) => {
                ("resources/list", lists::list(&catalog, Kind::Resource, caller, request))
            }
            "resources/templates/list" if catalog.has(Kind::Template) => {
                ("resources/templates/list", lists::list(&catalog, Kind::Template, caller, request))
            }
            "resources/read" if catalog.has(Kind::Resource) => {
                ("resources/read", resources::read(self, &catalog, (caller, request, &begin)).await)
            }
            "prompts/list" if catalog.has(Kind::Prompt) => {
                ("prompts/list", lists::list(&catalog, Kind::Prompt, caller, request))
            }
            "prompts/get" if catalog.has(Kind::Prompt) => {
                ("prompts/get", prompts::get(self, &catalog, (caller, request, &begin)).await)
            }
            "completion/complete" if catalog.has(Kind::Prompt) || catalog.has(Kind::Template) => {
                ("completion/complete", completion::complete(self, &catalog, (caller, request, &begin)).await)
            }
            "logging/setLevel" => ("logging/setLevel", logging::set_level(caller, request)),
            // Any text can be a method: one label for all that are none, or the metrics would grow without bound.
            unknown => (OTHER, Answered::refused(request.id, &no_such_method(unknown), "no such method")),
        };
        let name = if method == OTHER { shortened(&request.method) } else { method.to_owned() };
        Ok(self.finish_request(caller, begin, (method, &name), told).await)
    }

    fn pong(&self, caller: &Caller, id: &RawValue) -> Answer {
        self.meter.count("ping", None, RequestStatus::Success, Duration::ZERO);
        let body = reply::result(id, &Empty {});
        Answer { body, archon: Some(caller.visitor.live().archon_id()), ..Answer::default() }
    }
}

fn no_such_method(name: &str) -> ErrorBody {
    let way_out = "initialize tells what this server has";
    let fact = format!("no such method: {}", shortened(name));
    ErrorBody::told(METHOD_NOT_FOUND, fact, way_out).because("unknown_method", way_out)
}
