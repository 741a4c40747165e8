//! `/health`, `/healthz` (also `/livez`), `/readyz`: one shape always, and true.
//!
//! The latter are for probes: any Host, no token. `/health` and `/metrics` follow the Host and Origin rules, and need a
//! token where tokens are on.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::App;
use super::reply::json_response;
use crate::session::status::{Health, Status};

/// The process lives.
pub(super) fn alive() -> Response {
    text(StatusCode::OK, "ok\n")
}

/// The server can serve: the database answers and takes writes, and it is not stopping.
pub(super) async fn ready(app: &App) -> Response {
    if app.is_draining() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    let status = app.engine.sessions().readiness().await;
    match status.health() {
        Health::Healthy => text(StatusCode::OK, "ready\n"),
        Health::Degraded if status.draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Health::Degraded => text(StatusCode::SERVICE_UNAVAILABLE, "the database takes no writes\n"),
        Health::Unhealthy => text(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// Everything about this server, for people and scripts.
pub(super) async fn health(app: &App) -> Response {
    let status = app.engine.sessions().status().await;
    let is_healthy = status.health() == Health::Healthy;
    let code = if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_response(code, report(app, &status).to_string())
}

/// The shape of the original's `/health` (`success`, `health`, `uptime_seconds`, `timestamp`), with what is true of us.
fn report(app: &App, status: &Status) -> serde_json::Value {
    let (sessions, writer) = (app.engine.sessions(), app.engine.sessions().store().writer().stats());
    let boot = sessions.boot();
    let previous = boot.begun.previous.as_ref();
    let state = match status.health() {
        Health::Healthy => "healthy",
        // It is meant to be so; a database that takes no writes is not.
        Health::Degraded if status.draining && status.database_writable => "draining",
        // Known sessions are served for a while; none can be opened.
        Health::Degraded => "degraded",
        Health::Unhealthy => "unhealthy",
    };
    json!({
        "success": state == "healthy",
        "health": {
            "status": state,
            "database": status.database_answers,
            "last_health_check": status.now,
        },
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": (status.uptime + status.age).as_secs_f64(),
        "timestamp": sessions.clock().now(),
        "database": {
            "kind": sessions.store().location().kind(),
            "answers": status.database_answers,
            "takes_writes": status.database_writable,
            "answer_ms": status.database_time.as_secs_f64() * 1000.0,
            "queued_rows": writer.waiting,
            "deferred_rows": writer.deferred,
            "dropped_rows": writer.dropped,
        },
        "sessions": {
            "active": status.active_sessions,
            "protocol_active": status.protocol_sessions,
            "counted_seconds_ago": status.age.as_secs_f64(),
            "timeout_seconds": sessions.policy().timeout.as_secs(),
        },
        "cleanup": {
            "interval_seconds": sessions.policy().cleanup_interval.as_secs(),
            "last_run": status.last_cleanup,
            "ended": status.cleaned_up,
        },
        "recovery": {
            "recovered_sessions": status.recovered,
            "resumed_sessions": sessions.resumed(),
            "outage_seconds": boot.begun.outage.as_secs_f64(),
            "previous_end": previous.map(|end| end.cause),
            "previous_end_confidence": previous.map(|end| end.confidence),
            "previous_end_evidence": previous.map(|end| &end.evidence),
        },
        "boot": {
            "id": boot.id,
            "number": boot.begun.number,
            "start_number": boot.begun.start_number,
            "started_at": boot.started_at,
        },
        "memory": sessions.memory(),
        "memory_is_short": sessions.memory().is_short(),
    })
}

pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Response {
    (status, body.into()).into_response()
}
