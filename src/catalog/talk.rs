//! What a call says while it runs: how far it is, what it does, what it needs to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Declined, Exchange, Questions};
use crate::protocol::level::Level;
use crate::protocol::message;
use crate::protocol::revision::Revision;
use crate::session::Visitor;

/// The way from one call to the client that made it.
#[derive(Debug)]
pub struct Talk<'a> {
    visitor: &'a Visitor,
    exchange: &'a Arc<Exchange>,
    questions: &'a Questions,
    /// By which the client knows whose progress it is; none where it asked for none.
    token: Option<&'a RawValue>,
    /// How far it was when it last said so, as the bits of a float.
    progress: AtomicU64,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(rename = "progressToken", borrow, default)]
    progress_token: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step<'a> {
    progress_token: &'a RawValue,
    progress: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct Logged<'a, T: ?Sized> {
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    logger: Option<&'a str>,
    data: &'a T,
}

impl<'a> Talk<'a> {
    /// The way to this visitor. `meta` is `params._meta` of the request.
    pub fn new(
        visitor: &'a Visitor,
        exchange: &'a Arc<Exchange>,
        questions: &'a Questions,
        meta: Option<&'a RawValue>,
    ) -> Self {
        let token = meta.and_then(|meta| serde_json::from_str::<Meta<'a>>(meta.get()).ok()?.progress_token);
        let token = token.filter(|token| is_token(token.get()));
        Self { visitor, exchange, questions, token, progress: AtomicU64::new(f64::NEG_INFINITY.to_bits()) }
    }

    /// Says how far the call is (basic/utilities/progress), if its client wants to know. Progress only grows: what does not
    /// is not said.
    pub fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        let Some(progress_token) = self.token else { return };
        let grows = |before: u64| (progress > f64::from_bits(before)).then(|| progress.to_bits());
        if !progress.is_finite() || self.progress.fetch_update(Relaxed, Relaxed, grows).is_err() {
            return;
        }
        let message = message.filter(|_| self.visitor.revision() >= Revision::V2025_03_26);
        let params = Step { progress_token, progress, total: total.filter(|total| total.is_finite()), message };
        self.say("notifications/progress", &params);
    }

    /// Says what the call does (server/utilities/logging), if its client wants to hear of that level.
    pub fn log<T: Serialize + ?Sized>(&self, level: Level, logger: Option<&str>, data: &T) {
        if level >= self.visitor.log_level() {
            self.say("notifications/message", &Logged { level, logger, data });
        }
    }

    /// Asks the client: `sampling/createMessage`, `elicitation/create` or `roots/list`.
    ///
    /// # Errors
    /// [`Declined`], also when it has not declared that it answers such questions.
    pub async fn ask<T: Serialize + ?Sized>(&self, method: &str, params: &T) -> Result<Box<RawValue>, Declined> {
        if !self.visitor.capabilities().answers(method) {
            return Err(Declined::Unsupported(method.to_owned()));
        }
        self.questions.ask(self.visitor.id(), self.exchange, method, params).await
    }

    fn say<T: Serialize>(&self, method: &str, params: &T) {
        if self.exchange.is_heard()
            && let Some(message) = message::notification(method, Some(params))
        {
            self.exchange.say(message);
        }
    }
}

/// A text or a number; nothing else is echoed.
fn is_token(json: &str) -> bool {
    json.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}
