//! `initialize`: the handshake that makes a session.

use std::time::Instant;

use crate::mcp::Engine;
use crate::mcp::answer::Answer;
use crate::mcp::dispatch::Errand;
use crate::mcp::record::Handled;
use crate::mcp::refusal::Refusal;
use crate::model::request::RequestStatus;
use crate::protocol::error::{ErrorBody, INVALID_PARAMS};
use crate::protocol::frame::Request;
use crate::protocol::initialize::{Implementation, InitializeParams, InitializeResult};
use crate::protocol::reply;
use crate::session::{Opening, SessionError, Visitor};
use crate::store::StoreError;

const INSTRUCTIONS: &str = "Sessions of this server survive its restarts. Keep using your session id; on HTTP 404 call \
     initialize again. Start with find_projects; health_check tells how the server is.";

impl Engine {
    /// Opens a session, whatever the version header says: this is where one is agreed on. When the session could not be
    /// committed, or its row would not be, no id is given out.
    pub(in crate::mcp) async fn initialize(&self, errand: &Errand, request: &Request<'_>) -> Result<Answer, Refusal> {
        if self.sessions.is_draining() {
            return Err(Refusal::busy("the server is stopping"));
        }
        let (principal, archon) = (&errand.principal, errand.head.archon.as_deref());
        let previous = errand.head.session.if_any()?;
        let (received, began) = (self.sessions.clock().now(), Instant::now());
        let params: InitializeParams = match request.read_params() {
            Ok(params) => params,
            Err(error) => return Ok(refused(request, error)),
        };
        // With or without tracking: the session's own row waits in the same queue.
        if !self.sessions.store().writer().admits(self.sessions.policy().store_grace) {
            let behind = StoreError::unavailable("the database does not keep up with its rows");
            return Err(SessionError::from(behind).into());
        }
        let opening = Opening { principal, params: &params, archon, previous, address: errand.head.address };
        let live = self.sessions.open(&opening).await?;
        let result = InitializeResult {
            protocol_version: live.revision.as_str().to_owned(),
            capabilities: self.catalog.now().capabilities(live.revision),
            server_info: Implementation { name: "archonctl".into(), version: env!("CARGO_PKG_VERSION").into() },
            instructions: Some(INSTRUCTIONS.to_owned()),
        };
        let status = RequestStatus::Success;
        self.meter.count("initialize", None, status, began.elapsed());
        let (existing, archon) = (live.archon().map(|archon| archon.id), live.archon_id());
        let commit = self
            .record(Handled {
                method: "initialize",
                session_id: existing,
                duration_us: i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX),
                ..Handled::of(&Visitor::Session(live.clone()), received, status)
            })
            .await;
        Ok(Answer {
            body: reply::result(request.id, &result),
            session: Some(live.id.clone()),
            archon: Some(existing.unwrap_or(archon)),
            recorded: commit.into(),
            ..Answer::default()
        })
    }
}

fn refused(request: &Request<'_>, message: String) -> Answer {
    let way_out = "send protocolVersion, capabilities and clientInfo";
    let error = ErrorBody::told(INVALID_PARAMS, message, way_out).because("invalid_params", way_out);
    Answer { body: reply::error(Some(request.id.get()), &error), ..Answer::default() }
}
