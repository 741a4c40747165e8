//! `health_check`: whether this server can do its work.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::{NoArguments, READ_ONLY, TypedTool};
use crate::catalog::{Call, ToolError};
use crate::model::timestamp::Timestamp;
use crate::protocol::tools::ToolAnnotations;
use crate::session::Sessions;
use crate::session::status::{Health, Status};

/// Tells how the server is, from a status about a second old at most, because health checks come by the thousand.
pub(super) struct HealthCheck(pub(super) Arc<Sessions>);

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// Whether the check could be made; its outcome is `health.status`.
    success: bool,
    /// The outcome.
    health: Report,
    /// Seconds since the server process started.
    uptime_seconds: f64,
    /// When this was asked.
    timestamp: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Report {
    /// `unhealthy`: the database does not answer. `degraded`: the server is stopping, or cannot tell everything.
    // The enum lives on a floor that knows no schemas.
    #[schemars(with = "String", extend("enum" = ["healthy", "degraded", "unhealthy"]))]
    status: Health,
    /// Whether the database answers.
    database: bool,
    /// How long its answer took, in milliseconds.
    database_ms: f64,
    /// When this was found.
    last_health_check: Timestamp,
}

impl Answer {
    fn of(status: &Status, now: Timestamp) -> Self {
        Self {
            success: true,
            health: Report {
                status: status.health(),
                database: status.database_answers,
                database_ms: thousandths(status.database_time.as_secs_f64() * 1000.0),
                last_health_check: status.now,
            },
            uptime_seconds: uptime_seconds(status, now),
            timestamp: now,
        }
    }
}

/// Seconds since the server process started.
pub(super) fn uptime_seconds(status: &Status, now: Timestamp) -> f64 {
    thousandths(status.uptime_at(now).as_secs_f64())
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl TypedTool for HealthCheck {
    const NAME: &'static str = "health_check";
    const TITLE: &'static str = "Health check";
    const DESCRIPTION: &'static str = "Check whether this server and its database work.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = NoArguments;
    type Output = Answer;

    async fn run(&self, _: NoArguments, call: Call<'_>) -> Result<Answer, ToolError> {
        Ok(Answer::of(&self.0.status().await, call.received_at))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::tools::fixture::Fixture;

    #[test]
    fn keeps_the_shape_and_tells_the_truth() {
        let now = Timestamp::from_millis(1_768_046_400_000);
        let status = Status {
            now,
            uptime: Duration::from_millis(1500),
            database_answers: true,
            database_writable: true,
            database_time: Duration::from_micros(1234),
            active_sessions: Some(1),
            protocol_sessions: Some(1),
            ..Status::default()
        };
        let answer = Answer::of(&status, now.plus(Duration::from_millis(250)));
        assert_eq!(
            serde_json::to_value(answer).expect("json"),
            json!({
                "success": true,
                "health": {
                    "status": "healthy",
                    "database": true,
                    "database_ms": 1.234,
                    "last_health_check": "2026-01-10T12:00:00.000Z",
                },
                "uptime_seconds": 1.75,
                "timestamp": "2026-01-10T12:00:00.250Z",
            })
        );
    }

    #[test]
    fn the_schema_lists_the_very_words() {
        let schema = crate::tools::schema::output::<Answer>();
        let words = [Health::Healthy, Health::Degraded, Health::Unhealthy];
        assert_eq!(schema["properties"]["health"]["properties"]["status"]["enum"], json!(words));
    }

    #[tokio::test]
    async fn takes_no_arguments() {
        let fixture = Fixture::new().await;
        assert_eq!(fixture.call("health_check", "{}").await.expect("answers")["success"], true);
        let refused = fixture.call("health_check", r#"{"deep": true}"#).await.expect_err("refused");
        assert_eq!(refused["message"], r#"unknown argument "deep""#);
    }
}
