//! What kind of server this is, asked once before anything is run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{Facts, Target, TargetError};
use crate::client::{Backoff, Client, ClientOptions, RawClient, RawRequest};
use crate::protocol::header::{PROTOCOL_VERSION, SESSION};
use crate::protocol::revision::Revision;
use crate::store::{Location, Scratch};

/// How long each question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer to a handshake is no longer than this.
const LIMIT: usize = 1 << 20;

impl Target {
    /// Finds out what kind of server it is. A server that a command starts is started once for it.
    ///
    /// # Errors
    /// [`TargetError`] when it cannot be started or reached, or is none of MCP.
    pub async fn facts(&self) -> Result<Facts, TargetError> {
        match self {
            Self::Own { database, .. } => {
                if let Some(Location::Postgres(url)) = database {
                    // Said once, and not by each scenario.
                    Scratch::check(url).await?;
                }
                Ok(Facts::ours())
            }
            Self::Url { options, .. } => ask(options).await,
            Self::Command { .. } => {
                let (server, options) = super::stage::start_command(self).await?;
                let facts = ask(&options).await;
                drop(server);
                facts
            }
        }
    }
}

async fn ask(options: &ClientOptions) -> Result<Facts, TargetError> {
    let mut options = options.clone();
    options.timeout = options.timeout.min(PATIENCE);
    options.backoff = Backoff { attempts: 3, ..Backoff::default() };
    let client = Client::connect(options.clone()).await?;
    let session = client.session();
    let mut facts = Facts {
        is_archonctl: session.archon_id.is_some(),
        has_sessions: session.id.is_some(),
        server: format!("{} {}", session.server.name, session.server.version),
        agreed: BTreeMap::new(),
    };
    // A goodbye that is not heard harms nobody: the session ends by itself.
    _ = client.close().await;
    let http = RawClient::new(&options, LIMIT)?;
    for revision in Revision::ALL {
        if let Some(agreed) = agreed(&http, &options, revision).await {
            facts.agreed.insert(revision.as_str().to_owned(), agreed);
        }
    }
    Ok(facts)
}

/// The revision that the server answers with; the session that it opens for it is closed. A server that refuses agrees on
/// nothing.
async fn agreed(http: &RawClient, options: &ClientOptions, revision: Revision) -> Option<String> {
    let info = json!({"name": options.client.name, "version": options.client.version});
    let params = json!({"protocolVersion": revision.as_str(), "capabilities": {}, "clientInfo": info});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
    ];
    headers.extend(options.authorization().map(|value| ("authorization".to_owned(), value)));
    let request = RawRequest {
        method: "POST".to_owned(),
        url: options.secret_url().to_owned(),
        headers: headers.clone(),
        body: body.to_string(),
        answer_to: Some(0.into()),
    };
    let answer = http.exchange(&request, PATIENCE).await.ok()?;
    let agreed = answer.json.as_ref()?.pointer("/result/protocolVersion")?.as_str()?.to_owned();
    if let Some(id) = answer.header(SESSION) {
        headers.push((SESSION.to_owned(), id.to_owned()));
        headers.push((PROTOCOL_VERSION.to_owned(), agreed.clone()));
        let goodbye = RawRequest { method: "DELETE".to_owned(), headers, body: String::new(), ..request };
        _ = http.exchange(&goodbye, PATIENCE).await;
    }
    Some(agreed)
}
