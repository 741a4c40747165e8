//! One body in; an answer, or a stream, out. Which era it is of, whether it is one message or a batch, whose session it
//! names: all of that is settled here, whatever the transport.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::Answer;
use super::detached::Detached;
use super::incoming::{Head, Incoming, Reads, Version};
use super::legacy;
use super::outgoing::Outgoing;
use super::refusal::Refusal;
use super::waiting;
use super::{Caller, Engine};
use crate::catalog::Exchange;
use crate::model::principal::Principal;
use crate::protocol::frame::{self, Body, Message, Request};
use crate::protocol::revision;
use crate::session::Visitor;

/// A message on its way: what stands around it, and what it says before its answer.
pub(super) struct Errand {
    pub(super) principal: Principal,
    pub(super) head: Head,
    pub(super) exchange: Arc<Exchange>,
}

impl Engine {
    /// Handles what a transport has received. Dropped before it is done, as when a client hangs up, the call goes on and is
    /// recorded: in the legacy era a disconnect is no cancellation (basic/transports).
    pub async fn dispatch(self: &Arc<Self>, incoming: Incoming) -> Outgoing {
        let Incoming { principal, head, body, reads, in_flight } = incoming;
        let exchange = Arc::new(Exchange::default());
        // From the first moment on, or what is said at once would find nobody.
        let listener = match reads {
            Reads::Stream(silence) => Some((exchange.listen(), silence)),
            Reads::AnswerAlone => None,
        };
        let (engine, errand) = (self.clone(), Errand { principal, head, exchange });
        let call = async move {
            // So is a call that outlives its client.
            let _in_flight = in_flight;
            engine.handle(&errand, &body).await
        };
        let call = Detached::new(call, &self.orphans);
        match listener {
            Some((listener, silence)) => waiting::answered(call, listener, silence, &self.orphans).await,
            None => call.await.unwrap_or_else(|| Refusal::panicked().into()).into(),
        }
    }

    async fn handle(&self, errand: &Errand, body: &[u8]) -> Answer {
        self.read(errand, body).await.unwrap_or_else(|refusal| self.refused(&errand.head, &errand.principal, refusal))
    }

    async fn read(&self, errand: &Errand, body: &[u8]) -> Result<Answer, Refusal> {
        match frame::parse(body)? {
            Body::Single(Message::Request(request)) => {
                let answered = if request.method == "initialize" {
                    Box::pin(self.initialize(errand, &request)).await
                } else {
                    self.request(errand, &request).await
                };
                answered.map_err(|refusal| refusal.for_request(Some(request.id.get())))
            }
            Body::Single(Message::Notification(note)) => {
                check_era(errand.head.version, note.params)?;
                let caller = self.caller(errand).await?;
                self.notice(&caller, &note);
                Ok(Answer::accepted(caller.visitor.live().archon_id()))
            }
            Body::Single(Message::Response(response)) => {
                check_era(errand.head.version, None)?;
                let caller = self.caller(errand).await?;
                self.outbox.questions().answer(caller.visitor.id(), &response);
                Ok(Answer::accepted(caller.visitor.live().archon_id()))
            }
            Body::Batch(members) => {
                check_era(errand.head.version, None)?;
                let caller = self.caller(errand).await?;
                if !caller.visitor.revision().has_batches() {
                    return Err(Refusal::batch().in_session(&caller));
                }
                caller.exchange.admit();
                Ok(Box::pin(legacy::batch(self, &caller, &errand.head, members)).await)
            }
        }
    }

    async fn request(&self, errand: &Errand, request: &Request<'_>) -> Result<Answer, Refusal> {
        check_era(errand.head.version, request.params)?;
        let caller = self.caller(errand).await?;
        // Not before: until here it may be refused, with a status and headers of its own.
        caller.exchange.admit();
        self.answer(&caller, request).await.map_err(|_| Refusal::behind().in_session(&caller))
    }

    /// The session that a message names, valid and touched.
    async fn caller(&self, errand: &Errand) -> Result<Caller, Refusal> {
        let live = self.sessions.validate(errand.head.session.needed()?, &errand.principal).await?;
        self.sessions.touch(&live, live.archon().as_ref());
        let (principal, archon) = (errand.principal.clone(), errand.head.archon.clone());
        Ok(Caller { visitor: Visitor::Session(live), principal, archon, exchange: errand.exchange.clone() })
    }
}

/// A modern request gets an error that dual-era clients do not take for a modern server's, so that they fall back to
/// `initialize`; an unknown version is refused (2025-06-18, basic/transports, protocol version header).
fn check_era(version: Version, params: Option<&RawValue>) -> Result<(), Refusal> {
    // A look for the words costs less than reading what nearly never has them.
    let claimed = params
        .map(RawValue::get)
        .filter(|text| text.contains("io.modelcontextprotocol/protocolVersion"))
        .and_then(claimed_version);
    match version {
        Version::Modern => Err(Refusal::modern()),
        _ if claimed.is_some_and(|version| revision::is_modern(&version)) => Err(Refusal::modern()),
        Version::Unknown => Err(Refusal::version()),
        Version::Spoken => Ok(()),
    }
}

/// The version that `params._meta` claims.
fn claimed_version(params: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Option<Meta>,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
        version: Option<String>,
    }
    serde_json::from_str::<Params>(params).ok()?.meta?.version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_that_meta_claims() {
        let modern = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        assert_eq!(claimed_version(modern).as_deref(), Some("2026-07-28"));
        assert_eq!(claimed_version("[1]"), None);
    }
}
