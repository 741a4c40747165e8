//! What a line of a list is, and where it stands. A line is a connection (a protocol session): it goes on while one Archon
//! session after the other opens and ends under it. An Archon session that has no connection (typed by hand, or of an
//! original Archon) is a line of its own.

use super::alive::Moment;

/// A kind of line, by the table that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A connection.
    Connection,
    /// An Archon session without one.
    Alone,
}

/// Where a session stands: what is active and over is told from what is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// Active, and a server would accept it: used or idle.
    Alive,
    /// Alive, and used within the session timeout.
    Used,
    /// Alive, not used within it, but a stream of it was open.
    Streaming,
    /// Alive, and neither.
    Idle,
    /// Active, but past its time: no server has met it yet.
    Over,
    /// Ended by somebody.
    Disconnected,
    /// Ended because its time was over.
    Expired,
}

impl SessionState {
    /// Those that are alive and in use.
    pub const ACTIVE: &'static [Self] = &[Self::Used, Self::Streaming];
    /// Those whose time is over.
    pub const TIMED_OUT: &'static [Self] = &[Self::Over, Self::Expired];
    /// Those that have ended.
    pub const ENDED: &'static [Self] = &[Self::Disconnected, Self::Over, Self::Expired];
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Alive, Self::Disconnected, Self::Over, Self::Expired];
}

/// No connection has opened it, and none is bound to it.
const WITHOUT_CONNECTION: &str = "protocol_session_id IS NULL AND NOT EXISTS (SELECT 1 FROM archon_mcp_protocol_sessions b \
     WHERE b.session_id = archon_mcp_sessions.session_id)";

impl Line {
    /// All kinds.
    pub(super) const ALL: [Self; 2] = [Self::Connection, Self::Alone];

    /// What a row has in its `status` until it has ended.
    pub(super) const ACTIVE: &'static str = "status = 'active'";

    /// The table of its rows.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Connection => "archon_mcp_protocol_sessions",
            Self::Alone => "archon_mcp_sessions",
        }
    }

    /// Which rows of the table are lines.
    pub(super) const fn own(self) -> &'static str {
        match self {
            Self::Connection => "TRUE",
            Self::Alone => WITHOUT_CONNECTION,
        }
    }

    /// What is alive of what is active.
    pub(super) fn alive(self, moment: &Moment) -> String {
        match self {
            Self::Connection => moment.connection_alive_sql(),
            Self::Alone => moment.archon_alive_sql(),
        }
    }

    /// What is in use of what is alive.
    pub(super) fn used(self, moment: &Moment) -> String {
        let since = moment.in_use_since().sql_text();
        match self {
            Self::Connection => {
                format!("(last_activity >= '{since}' OR COALESCE(stream_at, last_activity) >= '{since}')")
            }
            Self::Alone => format!("last_activity >= '{since}'"),
        }
    }

    /// Which rows stand there.
    pub(super) fn standing(self, standing: SessionState, moment: &Moment) -> String {
        let (active, alive, since) = (Self::ACTIVE, self.alive(moment), moment.in_use_since().sql_text());
        match (standing, self) {
            (SessionState::Disconnected, _) => "status = 'disconnected'".to_owned(),
            (SessionState::Expired, _) => "status = 'expired'".to_owned(),
            (SessionState::Alive, _) => format!("{active} AND {alive}"),
            (SessionState::Streaming, Self::Alone) => "FALSE".to_owned(),
            // The range of the index comes first.
            (SessionState::Used, _) => format!("{active} AND last_activity >= '{since}' AND {alive}"),
            (SessionState::Streaming, _) => {
                format!("{active} AND last_activity < '{since}' AND stream_at >= '{since}' AND {alive}")
            }
            (SessionState::Idle, Self::Connection) => {
                format!("{active} AND last_activity < '{since}' AND COALESCE(stream_at < '{since}', TRUE) AND {alive}")
            }
            (SessionState::Idle, Self::Alone) => format!("{active} AND last_activity < '{since}' AND {alive}"),
            // What the index of expiry can tell comes first: hardly any row is past its time.
            (SessionState::Over, _) => {
                let before = moment.over_before();
                let before = before.map_or_else(String::new, |at| format!("expires_at < '{}' AND ", at.sql_text()));
                format!("{active} AND {before}NOT {alive}")
            }
        }
    }

    /// The same of several.
    pub(super) fn standings(self, standings: &[SessionState], moment: &Moment) -> String {
        if standings.is_empty() || standings == SessionState::ALL {
            return "TRUE".to_owned();
        }
        let each: Vec<_> = standings.iter().map(|standing| self.standing(*standing, moment)).collect();
        if let [one] = each.as_slice() { one.clone() } else { format!("(({}))", each.join(") OR (")) }
    }
}

/// What holds of an Archon session `u` holds of the one that a connection is bound to, or of one that it opened.
pub(super) fn of_its_archon(condition: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM archon_mcp_sessions u WHERE u.session_id = archon_mcp_protocol_sessions.session_id \
         AND {condition}) OR EXISTS (SELECT 1 FROM archon_mcp_sessions u \
         WHERE u.protocol_session_id = archon_mcp_protocol_sessions.protocol_session_id AND {condition}))"
    )
}
