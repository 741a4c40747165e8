//! One indexed read: is this session valid, and if not, why.

use std::sync::{Arc, LazyLock};

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::model::client_type;
use crate::model::session::EndReason;
use crate::model::timestamp::Timestamp;
use crate::store::backend::{DbUuid, reread};
use crate::store::boots::LATEST;
use crate::store::rows::ClientFacts;
use crate::store::{Store, StoreError};

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Option<Timestamp>,
    /// Why: `client_disconnect`, `timeout`, … or what somebody typed.
    pub reason: String,
    /// Who: `client`, `server`, an operator, `sql`.
    pub by: String,
}

impl Ended {
    /// Who, as a client is told: `client`, `server` or `operator`, and nothing finer.
    pub fn who(&self) -> &'static str {
        match &*self.by {
            "client" => "client",
            "server" => "server",
            _ => "operator",
        }
    }

    /// Whether its time was over; anything else is somebody's doing.
    pub fn is_for_time(&self) -> bool {
        [EndReason::Timeout, EndReason::MaxAge].iter().any(|reason| reason.as_str() == self.reason)
    }
}

/// What a session's row says about its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// When it began.
    pub started: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// Until when it is valid; rows typed by hand may lack it.
    pub expires_at: Option<Timestamp>,
    /// The last outage that the end of its time includes; rows typed by hand lack it.
    pub credited: Option<i64>,
    /// Its end, if it has ended.
    pub ended: Option<Ended>,
}

/// A protocol session as stored.
#[derive(Debug, Clone)]
pub struct StoredProtocolSession {
    /// Its times and its end.
    pub life: Life,
    /// Who owns it.
    pub principal: String,
    /// The revision agreed on.
    pub protocol_version: String,
    /// What the client said of itself.
    pub client: StoredClient,
    /// The Archon session that it is bound to, or the id reserved for it.
    pub session_id: Uuid,
    /// That Archon session, if it exists.
    pub archon: Option<StoredSession>,
    /// The number of the last outage when this was read, whoever recorded it.
    pub latest_outage: i64,
}

/// The protocol session for which an Archon session's id is reserved.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Reserver {
    /// Its id.
    pub protocol_session_id: String,
    /// Who owns it.
    pub principal: String,
    /// What its client said of itself.
    #[sqlx(flatten)]
    pub client: StoredClient,
}

/// What a client said of itself, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredClient {
    /// The client's type.
    pub client_type: Option<String>,
    /// The client's name as given.
    pub client_name: Option<String>,
    /// The client's version as given.
    pub client_version: Option<String>,
    /// Its capabilities as JSON.
    pub client_capabilities: Option<String>,
}

impl StoredClient {
    /// The client's type; rows typed by hand may lack it.
    pub fn program(&self) -> Arc<str> {
        Arc::from(self.client_type.as_deref().unwrap_or(client_type::UNKNOWN))
    }

    /// For the row of the Archon session that this client's first call makes, without its capabilities: the database
    /// takes those from the connection's row.
    pub fn facts(&self) -> ClientFacts {
        ClientFacts {
            client_type: self.program(),
            client_name: self.client_name.clone(),
            client_version: self.client_version.clone(),
            client_capabilities: None,
        }
    }

    /// Its capabilities.
    pub fn capabilities(&self) -> Option<Box<RawValue>> {
        RawValue::from_string(self.client_capabilities.clone()?).ok()
    }
}

/// An Archon session as stored.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// Its id.
    pub session_id: Uuid,
    /// Its times and its end.
    pub life: Life,
    /// Who owns it.
    pub principal: String,
}

#[derive(sqlx::FromRow)]
struct ProtocolRow {
    principal: String,
    protocol_version: String,
    #[sqlx(flatten)]
    client: StoredClient,
    session_id: DbUuid,
    connected_at: Timestamp,
    last_activity: Timestamp,
    expires_at: Timestamp,
    credited: Option<i64>,
    status: String,
    disconnected_at: Option<Timestamp>,
    disconnect_reason: Option<String>,
    ended_by: Option<String>,
    latest_outage: i64,
    #[sqlx(flatten)]
    archon: ArchonColumns,
}

/// The Archon session's columns in a left join: all NULL when there is none.
#[derive(sqlx::FromRow)]
#[expect(clippy::struct_field_names, reason = "the names of columns beside those of the other table")]
struct ArchonColumns {
    s_session_id: Option<DbUuid>,
    s_principal: Option<String>,
    s_connected_at: Option<Timestamp>,
    s_last_activity: Option<Timestamp>,
    s_expires_at: Option<Timestamp>,
    s_credited: Option<i64>,
    s_status: Option<String>,
    s_disconnected_at: Option<Timestamp>,
    s_disconnect_reason: Option<String>,
    s_ended_by: Option<String>,
}

impl ArchonColumns {
    fn stored(self) -> Option<StoredSession> {
        let ended = (self.s_status? != "active").then(|| Ended {
            at: self.s_disconnected_at,
            reason: self.s_disconnect_reason.unwrap_or_default(),
            by: self.s_ended_by.unwrap_or_default(),
        });
        Some(StoredSession {
            session_id: self.s_session_id?.0,
            principal: self.s_principal?,
            life: Life {
                started: self.s_connected_at?,
                last_activity: self.s_last_activity?,
                expires_at: self.s_expires_at,
                credited: self.s_credited,
                ended,
            },
        })
    }
}

const ARCHON_COLUMNS: &str = "s.session_id AS s_session_id, s.principal AS s_principal, \
     s.connected_at AS s_connected_at, s.last_activity AS s_last_activity, s.expires_at AS s_expires_at, \
     s.credited AS s_credited, s.status AS s_status, s.disconnected_at AS s_disconnected_at, \
     s.disconnect_reason AS s_disconnect_reason, s.ended_by AS s_ended_by";

static PROTOCOL: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT p.principal, p.protocol_version, p.client_type, p.client_name, p.client_version, \
         CAST(p.client_capabilities AS TEXT) AS client_capabilities, p.session_id, p.connected_at, p.last_activity, \
         p.expires_at, p.credited, p.status, p.disconnected_at, p.disconnect_reason, p.ended_by, \
         {LATEST} AS latest_outage, {ARCHON_COLUMNS} \
         FROM archon_mcp_protocol_sessions p LEFT JOIN archon_mcp_sessions s ON s.session_id = p.session_id \
         WHERE p.protocol_session_id = $1"
    )
});

static ARCHON: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {ARCHON_COLUMNS} FROM archon_mcp_sessions s WHERE s.session_id = $1"));

const META: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM archonctl_meta";

impl Store {
    /// The protocol session of that id, with its Archon session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn protocol_session(&self, id: &str) -> Result<Option<StoredProtocolSession>, StoreError> {
        let row: Option<ProtocolRow> =
            reread!(self, db => sqlx::query_as(PROTOCOL.as_str()).bind(id).fetch_optional(db).await)?;
        Ok(row.map(|row| StoredProtocolSession {
            life: Life {
                started: row.connected_at,
                last_activity: row.last_activity,
                expires_at: Some(row.expires_at),
                credited: row.credited,
                ended: (row.status != "active").then(|| Ended {
                    at: row.disconnected_at,
                    reason: row.disconnect_reason.unwrap_or_default(),
                    by: row.ended_by.unwrap_or_default(),
                }),
            },
            principal: row.principal,
            protocol_version: row.protocol_version,
            client: row.client,
            session_id: row.session_id.0,
            latest_outage: row.latest_outage,
            archon: row.archon.stored(),
        }))
    }

    /// The Archon session of that id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn archon_session(&self, id: Uuid) -> Result<Option<StoredSession>, StoreError> {
        let row: Option<ArchonColumns> =
            reread!(self, db => sqlx::query_as(ARCHON.as_str()).bind(DbUuid(id)).fetch_optional(db).await)?;
        Ok(row.and_then(ArchonColumns::stored))
    }

    /// Who has reserved that id: a live protocol session bound to it, the eldest if they are several.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store cannot tell.
    pub async fn reserved_by(&self, id: Uuid) -> Result<Option<Reserver>, StoreError> {
        reread!(self, db => sqlx::query_as(
                "SELECT protocol_session_id, principal, client_type, client_name, client_version, \
                 CAST(client_capabilities AS TEXT) AS client_capabilities \
                 FROM archon_mcp_protocol_sessions WHERE session_id = $1 AND status = 'active' \
                 ORDER BY connected_at LIMIT 1",
            ).bind(DbUuid(id)).fetch_optional(db).await)
    }

    /// Whether the database answers at all.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let one: i64 = reread!(self, db => sqlx::query_scalar(META).fetch_one(db).await)?;
        if one > 0 { Ok(()) } else { Err(StoreError::unavailable("its schema is gone")) }
    }
}
