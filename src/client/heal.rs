//! A lost session is replaced, once a request, and the request sent again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::value::RawValue;
use tracing::debug;

use super::Client;
use super::error::ClientError;
use super::handshake;
use super::link::Ask;
use super::options::OnLoss;
use super::patience::Deadline;
use super::session::{self, Session};

impl Client {
    /// One request. When the server has lost the session a new one is opened, once, and the request sent again: refused
    /// for its session, it never ran.
    pub(super) async fn heal_and_ask(&self, ask: Ask<'_>) -> Result<Box<RawValue>, ClientError> {
        let session = self.session();
        match self.ask(ask, &session).await {
            Err(ClientError::Session { message, .. }) if self.options.on_loss == OnLoss::Reopen => {
                debug!("the session is lost; opening a new one: {message}");
                let session =
                    Box::pin(self.heal(&session, ask.deadline)).await.map_err(ClientError::after_reopening)?;
                self.ask(ask, &session).await.map_err(ClientError::after_reopening)
            }
            outcome => outcome,
        }
    }

    async fn ask(&self, ask: Ask<'_>, session: &Session) -> Result<Box<RawValue>, ClientError> {
        let answer = self.link.ask(ask, &session.headers()).await?;
        if let Some(id) = session::archon_id(&answer.headers) {
            self.adopt(session, id);
        }
        Ok(answer.result)
    }

    /// The server may replace an Archon session id that it finds invalid; what it answers with is what holds.
    fn adopt(&self, session: &Session, archon_id: String) {
        self.session.send_if_modified(|current| {
            let new = current.id == session.id && current.archon_id.as_ref() != Some(&archon_id);
            if new {
                Arc::make_mut(current).archon_id = Some(archon_id);
            }
            new
        });
    }

    /// A session in place of the lost one: whoever comes first opens it, the others take it over.
    async fn heal(&self, lost: &Session, deadline: Deadline) -> Result<Arc<Session>, ClientError> {
        let turn = async { Ok(self.healing.lock().await) };
        let _turn = deadline.bound(self.link.place(), turn).await?;
        let current = self.session();
        if current.id != lost.id {
            return Ok(current);
        }
        let archon_id = current.archon_id.as_deref();
        let session = Arc::new(handshake::open(&self.link, &self.options.client, archon_id, deadline).await?);
        self.session.send_replace(session.clone());
        if self.is_listening.load(Ordering::Relaxed) {
            self.link.listen(session.headers()).await;
        }
        Ok(session)
    }
}
