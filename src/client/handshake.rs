//! How a session is opened (legacy era, basic/lifecycle).

use serde_json::json;
use tracing::debug;

use crate::protocol::initialize::{Implementation, InitializeResult};
use crate::protocol::revision::Revision;

use super::error::{ClientError, ProtocolError};
use super::http::MAX_ANSWER;
use super::link::{Ask, Link};
use super::patience::Deadline;
use super::session::{self, Session};
use super::tool::Repeat;

/// Opens a session: `initialize`, then `notifications/initialized`. An Archon session of before is named again, so that a
/// client which lost its protocol session stays one visitor in the statistics.
///
/// A handshake whose answer was lost is repeated: it leaves at worst an idle session behind.
pub(super) async fn open(
    link: &Link,
    client: &Implementation,
    archon_id: Option<&str>,
    deadline: Deadline,
) -> Result<Session, ClientError> {
    let (revision, capabilities) = (Revision::LATEST.as_str(), link.capabilities());
    let params = json!({"protocolVersion": revision, "capabilities": capabilities, "clientInfo": client}).to_string();
    let ask = Ask { method: "initialize", params: &params, repeat: Repeat::Allowed, deadline, limit: MAX_ANSWER };
    let answer = link.ask(ask, &session::archon_header(archon_id)).await?;
    let result: InitializeResult = serde_json::from_str(answer.result.get())
        .map_err(|e| ProtocolError::Result { method: ask.method, reason: e.to_string() })?;
    let session = Session {
        id: session::protocol_id(&answer.headers)?,
        archon_id: session::archon_id(&answer.headers),
        revision: Some(
            Revision::parse(&result.protocol_version)
                .ok_or(ProtocolError::Revision { asked: result.protocol_version })?,
        ),
        server: result.server_info,
    };
    link.notify("notifications/initialized", &session.headers(), deadline).await?;
    let (id, revision) = (session.id.as_deref().unwrap_or("none"), session.revision.map(Revision::as_str));
    debug!(id, revision, "opened a session with {} {}", session.server.name, session.server.version);
    Ok(session)
}
