//! `heartbeat`: keeps a session alive. The touch is what every call does to its session; this one does nothing else.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::{NoArguments, READ_ONLY, TypedTool};
use crate::catalog::{Call, ToolError};
use crate::model::timestamp::Timestamp;
use crate::protocol::tools::ToolAnnotations;
use crate::session::Sessions;

/// Says that the session was touched, and for how long that holds.
pub(super) struct Heartbeat(pub(super) Arc<Sessions>);

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    success: bool,
    message: &'static str,
    /// When the session was last active: now.
    timestamp: Timestamp,
    /// The number of seconds without another call after which the session ends.
    timeout_seconds: u64,
}

impl TypedTool for Heartbeat {
    const NAME: &'static str = "heartbeat";
    const TITLE: &'static str = "Heartbeat";
    const DESCRIPTION: &'static str = "Keep this session alive, and learn how long it lasts without another call.";
    // It changes nothing that every other call would not change likewise.
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = NoArguments;
    type Output = Answer;

    async fn run(&self, _: NoArguments, call: Call<'_>) -> Result<Answer, ToolError> {
        Ok(Answer {
            success: true,
            message: "Session activity updated",
            timestamp: call.received_at,
            timeout_seconds: self.0.policy().timeout.as_secs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::fixture::{Fixture, NOON};

    #[tokio::test]
    async fn has_the_shape_of_the_original() {
        let answer = Fixture::new().await.call("heartbeat", "{}").await.expect("answers");
        let expected = json!({
            "success": true,
            "message": "Session activity updated",
            "timestamp": NOON,
            "timeout_seconds": 3600,
        });
        assert_eq!(answer, expected);
    }
}
