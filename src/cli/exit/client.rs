//! What a client's error means to a script.

use super::codes::{AUTH, FAILED, NO_SESSION, UNREACHABLE};
use crate::client::ClientError;

/// Its exit code, and a stable word.
pub(super) fn of_client(error: &ClientError) -> (u8, &'static str) {
    match error {
        ClientError::Session { .. } => (NO_SESSION, "session"),
        ClientError::Connection { .. } => (UNREACHABLE, "connection"),
        ClientError::Program { .. } => (UNREACHABLE, "program"),
        ClientError::Timeout { .. } => (UNREACHABLE, "timeout"),
        ClientError::Tool(_) => (FAILED, "tool"),
        ClientError::Protocol(_) => (FAILED, "protocol"),
        ClientError::Auth { .. } => (AUTH, "auth"),
        ClientError::Http { .. } => (FAILED, "http"),
    }
}
