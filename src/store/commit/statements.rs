//! What a commit writes besides request rows: statements over the rows of a batch.

use crate::store::backend::RowStatement;

/// `initialize`.
pub(super) static OPEN: RowStatement = RowStatement::insert(
    "archon_mcp_protocol_sessions",
    &[
        "protocol_session_id",
        "session_id",
        "principal",
        "protocol_version",
        "client_type",
        "client_name",
        "client_version",
        "client_info",
        "client_capabilities",
        "connected_at",
        "last_activity",
        "expires_at",
        "boot",
        "credited",
    ],
);

/// A session that `initialize` did not give out.
pub(super) static WITHDRAW: RowStatement = RowStatement::new(
    "archon_mcp_protocol_sessions",
    &["protocol_session_id", "status", "disconnected_at", "disconnect_reason", "ended_by"],
    "UPDATE archon_mcp_protocol_sessions AS t SET status = j.status, disconnected_at = j.disconnected_at, \
     disconnect_reason = j.disconnect_reason, ended_by = j.ended_by FROM {joined rows} \
     WHERE t.protocol_session_id = j.protocol_session_id AND {+}t.status = 'active'",
);

/// The Archon session of a first tool call, with what its client said that it can: that stands in the connection's row, and
/// not in memory …
pub(super) static CREATE: RowStatement = RowStatement::new(
    "archon_mcp_sessions",
    &[
        "session_id",
        "protocol_session_id",
        "client_type",
        "client_version",
        "connected_at",
        "last_activity",
        "user_id",
        "user_email",
        "user_name",
        "metadata",
        "principal",
        "client_name",
        "expires_at",
        "boot",
        "credited",
    ],
    "INSERT INTO {table} ({columns}, client_capabilities) SELECT {columns}, \
     (SELECT p.client_capabilities FROM archon_mcp_protocol_sessions p \
      WHERE p.protocol_session_id = j.protocol_session_id) FROM {rows} WHERE true ON CONFLICT DO NOTHING",
);

/// … is bound to its protocol session, unless that has ended while this waited …
pub(super) static BIND: RowStatement = RowStatement::new(
    "archon_mcp_protocol_sessions",
    &["protocol_session_id", "session_id"],
    "UPDATE archon_mcp_protocol_sessions AS p SET session_id = j.session_id, called = TRUE FROM {joined rows} \
     WHERE p.protocol_session_id = j.protocol_session_id AND {+}p.status = 'active' \
     AND (p.session_id <> j.session_id OR NOT p.called)",
);

/// … in which case its end is the Archon session's too, if nobody else alive is bound to that …
pub(super) static END_ORPHANS: RowStatement = RowStatement::new(
    "archon_mcp_sessions",
    &["protocol_session_id", "session_id"],
    "UPDATE archon_mcp_sessions AS s SET status = p.status, disconnected_at = p.disconnected_at, \
     disconnect_reason = p.disconnect_reason, ended_by = p.ended_by \
     FROM {joined rows} JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = j.protocol_session_id \
     WHERE s.session_id = j.session_id AND {+}s.status = 'active' AND {+}p.status <> 'active' \
     AND NOT EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions o \
                     WHERE o.session_id = j.session_id AND o.status = 'active')",
);

/// … and owns the requests from before it existed.
pub(super) static ADOPT: RowStatement = RowStatement::new(
    "archon_mcp_requests",
    &["protocol_session_id", "session_id"],
    "UPDATE archon_mcp_requests AS r SET session_id = p.session_id \
     FROM {joined rows} JOIN archon_mcp_protocol_sessions p ON p.session_id = j.session_id \
     WHERE r.protocol_session_id = p.protocol_session_id AND r.session_id IS NULL",
);

/// The words of handled requests.
pub(super) static CAPTURE: RowStatement =
    RowStatement::insert("archon_mcp_captures", &["boot", "seq", "at", "arguments", "answer"]);

/// Events that no trigger writes.
pub(in crate::store) static EVENT: RowStatement = RowStatement::insert(
    "archon_mcp_session_events",
    &["at", "kind", "session_id", "protocol_session_id", "reason", "actor", "boot", "seq"],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_begins_with_the_rows_that_are_given() {
        for statement in [&BIND, &END_ORPHANS, &ADOPT] {
            statement.assert_begins_with_its_rows();
        }
    }
}
