//! Whoever wants to hear a server beyond the answers to what it was asked.

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::protocol::error::ErrorBody;
use crate::protocol::frame::{Notification, Request};

/// Hears a server's notifications and answers its requests; see [`super::ClientOptions::listener`].
///
/// Without one, notifications are passed over and requests are answered with "no such method". A `ping` is always answered,
/// and never comes here.
pub trait Listener: Debug + Send + Sync {
    /// What the server is told at `initialize` that it may ask for: what [`Self::asked`] answers, and no more.
    fn capabilities(&self) -> Map<String, Value> {
        Map::new()
    }

    /// A notification; they come in the server's order. What this does has to be done soon: the answer waits behind it.
    fn notified(&self, notification: &Notification<'_>);

    /// The answer to a request of the server, or `None` where this method is not offered. The future is dropped when the
    /// server withdraws its request, and when the client ends.
    fn asked(&self, question: &Request<'_>) -> Option<Answering>;
}

/// An answer to come: a result, or why there is none.
pub type Answering = BoxFuture<'static, Result<Value, ErrorBody>>;
