//! `session_info`: which sessions a call belongs to, and how sessions are kept.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::health_check::uptime_seconds;
use super::{NoArguments, READ_ONLY, TypedTool};
use crate::catalog::{Call, ErrorKind, ToolError};
use crate::model::timestamp::Timestamp;
use crate::protocol::tools::ToolAnnotations;
use crate::session::Sessions;

/// Tells the caller its sessions.
pub(super) struct SessionInfo(pub(super) Arc<Sessions>);

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    success: bool,
    /// How sessions are kept here.
    session_management: Management,
    /// The sessions that this call belongs to.
    session: Ids,
    /// When this was asked.
    timestamp: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Management {
    /// Live Archon sessions of all clients.
    active_sessions: i64,
    /// Seconds without a call after which a session ends.
    session_timeout: u64,
    /// Seconds since the server process started.
    server_uptime_seconds: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Ids {
    /// The `Mcp-Session-Id` of this call.
    protocol_session_id: String,
    /// The `X-Archon-Session-Id` that it counts for.
    #[schemars(with = "Option<String>")]
    archon_session_id: Option<Uuid>,
}

impl TypedTool for SessionInfo {
    const NAME: &'static str = "session_info";
    const TITLE: &'static str = "Session info";
    const DESCRIPTION: &'static str =
        "Get the ids of this session, the session timeout and the number of live sessions.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = NoArguments;
    type Output = Answer;

    async fn run(&self, _: NoArguments, call: Call<'_>) -> Result<Answer, ToolError> {
        let status = self.0.status().await;
        let active_sessions = status.active_sessions.ok_or_else(|| {
            ToolError::new(ErrorKind::ConnectionError, "the sessions cannot be counted now")
                .suggest("Try again in a moment; health_check tells more.")
        })?;
        Ok(Answer {
            success: true,
            session_management: Management {
                active_sessions,
                session_timeout: self.0.policy().timeout.as_secs(),
                server_uptime_seconds: uptime_seconds(&status, call.received_at),
            },
            session: Ids { protocol_session_id: call.visitor.id().to_string(), archon_session_id: call.archon_session },
            timestamp: call.received_at,
        })
    }
}
