//! A client opens a stream to hear what is not an answer (basic/transports, "Listening for Messages from the Server").

use std::sync::Arc;

use bytes::Bytes;

use super::answer::Answer;
use super::incoming::Head;
use super::outbox::Outlet;
use super::refusal::Refusal;
use super::{Engine, Version};
use crate::catalog::Catalog;
use crate::model::principal::Principal;
use crate::protocol::message;
use crate::session::{SessionError, Stopping};

impl Engine {
    /// Opens the stream of a session.
    ///
    /// # Errors
    /// The answer that says why there is none.
    pub async fn listen(&self, head: &Head, principal: &Principal) -> Result<Outlet, Answer> {
        let opened = async {
            match head.version {
                Version::Spoken => {}
                Version::Modern => return Err(Refusal::modern()),
                Version::Unknown => return Err(Refusal::version()),
            }
            if self.sessions.is_draining() {
                return Err(Refusal::busy("the server is stopping"));
            }
            let live = self.sessions.validate(head.session.needed()?, principal).await?;
            self.sessions.touch_stream(&live);
            Ok(self.outbox.open(&live))
        };
        opened.await.map_err(|refusal| self.refused(head, principal, refusal))
    }

    /// The client still holds its stream: its session is in use. `false` when the session has ended, which may have been
    /// seen nowhere else here.
    pub async fn keep_listening(&self, outlet: &Outlet, principal: &Principal) -> bool {
        let live = outlet.session();
        let valid = self.sessions.validate(&live.id, principal).await;
        // A store that does not answer ends no stream.
        let goes_on = matches!(valid, Ok(_) | Err(SessionError::Unavailable(_)));
        if goes_on {
            self.sessions.touch_stream(live);
        }
        goes_on
    }

    /// Tells clients when lists change. Runs until the server stops.
    pub async fn announce_changes(self: Arc<Self>, stopping: Stopping) {
        let mut changes = self.catalog.follow();
        let mut before: Arc<Catalog> = changes.borrow_and_update().clone();
        while let Some(Ok(())) = stopping.or(changes.changed()).await {
            let now = changes.borrow_and_update().clone();
            for method in now.changes_from(&before) {
                if let Some(told) = message::notification::<()>(method, None) {
                    self.outbox.send_to_all(&Bytes::from(told));
                }
            }
            before = now;
        }
    }

    /// Ends the session that a client names.
    ///
    /// # Errors
    /// The answer that says why not.
    pub async fn close(&self, head: &Head, principal: &Principal) -> Result<Answer, Answer> {
        let closed = async {
            let archon = self.sessions.close(head.session.needed()?, principal).await?;
            Ok::<_, Refusal>(Answer { archon, ..Answer::default() })
        };
        closed.await.map_err(|refusal| self.refused(head, principal, refusal))
    }
}
