//! The request row: one for each handled request, on disk before its answer leaves, or the answer says that it is not.

use std::sync::Arc;

use uuid::Uuid;

use super::Engine;
use crate::model::mask;
use crate::model::request::{RequestStatus, Tokens};
use crate::model::session::SessionRule;
use crate::model::text::clean;
use crate::model::timestamp::Timestamp;
use crate::session::Visitor;
use crate::store::commit::Commit;
use crate::store::rows::{Captured, NewRequest, Write};

/// The longest error message that is kept, in characters.
const MESSAGE_CHARS: usize = 1000;

/// A handled request, to be recorded.
#[derive(Debug)]
pub(super) struct Handled<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) session_id: Option<Uuid>,
    pub(super) method: &'a str,
    pub(super) tool: Option<Arc<str>>,
    pub(super) received: Timestamp,
    pub(super) duration_us: i64,
    pub(super) status: RequestStatus,
    pub(super) error: Option<String>,
    pub(super) tokens: Option<Tokens>,
    pub(super) rule: Option<SessionRule>,
    pub(super) late: bool,
    pub(super) captured: Option<Box<Captured>>,
}

impl<'a> Handled<'a> {
    /// A request without tool, duration and tokens.
    pub(super) fn of(visitor: &'a Visitor, received: Timestamp, status: RequestStatus) -> Self {
        Self {
            visitor,
            session_id: None,
            method: "",
            tool: None,
            received,
            duration_us: 0,
            status,
            error: None,
            tokens: None,
            rule: None,
            late: false,
            captured: None,
        }
    }
}

impl Engine {
    /// Writes the row and waits for its commit, within patience.
    pub(super) async fn record(&self, handled: Handled<'_>) -> Commit {
        tracing::debug!(
            session = %handled.visitor.id(), client = %handled.visitor.client_type(), principal = %handled.visitor.principal(),
            method = handled.method, tool = handled.tool.as_deref(), status = %handled.status, us = handled.duration_us,
            "handled"
        );
        if !self.tracking.on {
            return Commit::Done;
        }
        let estimated_cost = handled
            .tokens
            .and_then(|tokens| self.tracking.prices.as_ref()?.cost(handled.visitor.client_type(), tokens));
        let row = NewRequest {
            session_id: handled.session_id,
            protocol_session_id: Some(handled.visitor.id().clone()),
            client_type: handled.visitor.client_type().clone(),
            method: method_text(handled.method),
            tool_name: handled.tool,
            timestamp: handled.received,
            duration_us: handled.duration_us,
            status: handled.status,
            error_message: handled.error.map(|message| clean(&mask::text(&message), MESSAGE_CHARS)),
            tokens: handled.tokens,
            estimated_cost,
            rule: handled.rule,
            late: handled.late,
            captured: handled.captured,
        };
        let ticket = self.sessions.store().writer().submit(Write::Request(Box::new(row)));
        let commit = ticket.within(self.timeouts.commit).await;
        match &commit {
            Commit::Done => {}
            Commit::Deferred => {
                tracing::debug!(session = %handled.visitor.id(), "deferred: the answer left before its row was committed");
            }
            Commit::Refused(reason) => {
                tracing::debug!(session = %handled.visitor.id(), reason, "dropped: the answer has no row");
            }
        }
        commit
    }
}

/// The method's name, shared where it is the one that nearly all have.
fn method_text(method: &str) -> Arc<str> {
    static CALL: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| Arc::from("tools/call"));
    if method == &**CALL { CALL.clone() } else { Arc::from(method) }
}
