//! One call of a tool, or one reading of a resource or a prompt.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Declined, Talk};
use crate::model::timestamp::Timestamp;
use crate::protocol::level::Level;
use crate::session::Visitor;

/// What whoever is called is given.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Who asks.
    pub visitor: &'a Visitor,
    /// The Archon session that it counts for, once there is one.
    pub archon_session: Option<Uuid>,
    /// The arguments as sent; absent ones mean `{}`.
    pub arguments: Option<&'a RawValue>,
    /// `params._meta` as sent.
    pub meta: Option<&'a RawValue>,
    /// When the request arrived: the call's one `now`.
    pub received_at: Timestamp,
    /// When it is cancelled if it is not done.
    pub deadline: Instant,
    /// Fires when nobody wants the answer any more.
    pub cancelled: &'a CancellationToken,
    /// The way to the client before the answer.
    pub talk: &'a Talk<'a>,
}

impl Call<'_> {
    /// Says how far it is; `total` where that is known.
    pub fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        self.talk.progress(progress, total, message);
    }

    /// Says what it does.
    pub fn log<T: Serialize + ?Sized>(&self, level: Level, logger: &str, data: &T) {
        self.talk.log(level, Some(logger), data);
    }

    /// Asks the client's model (`sampling/createMessage`), its user (`elicitation/create`) or itself (`roots/list`).
    ///
    /// # Errors
    /// [`Declined`]: by the client, because it answers no such questions, or because nobody wants the call's answer any
    /// more.
    pub async fn ask<T: Serialize + ?Sized>(&self, method: &str, params: &T) -> Result<Box<RawValue>, Declined> {
        tokio::select! {
            biased;
            answered = self.talk.ask(method, params) => answered,
            () = self.cancelled.cancelled() => Err(Declined::Cancelled),
        }
    }
}
