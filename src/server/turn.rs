//! A request's turn on its connection, from its head to the end of its answer.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::App;
use super::activity::Activity;
use super::limits::{Held, Share, Source, forwarded};
use super::refusal::Refusal;
use crate::mcp::InFlight;
use crate::model::principal::Principal;

/// A request, and what it takes of the server.
#[derive(Debug)]
pub(super) struct Turn {
    activity: Arc<Activity>,
    /// Counted until its answer has left, where nothing else counts it.
    in_flight: Option<InFlight>,
}

impl Turn {
    /// Its head has come.
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        activity.has_head();
        Self { activity, in_flight: None }
    }

    /// Counts it among those of its client.
    ///
    /// # Errors
    /// Where as many of that client run already as may.
    pub(super) fn enter(
        &self,
        app: &App,
        principal: &Principal,
        address: Option<IpAddr>,
    ) -> Result<(InFlight, Held), Refusal> {
        let share = self.share(app, principal, address);
        let in_flight = app.shares.begin(&share).ok_or_else(Refusal::too_many_at_once)?;
        Ok((in_flight, app.shares.hold(&share)))
    }

    /// Counts it until the answer has left.
    pub(super) fn keep(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }

    /// Where it comes from: what the proxy says, where that is trusted.
    pub(super) fn address(&self, app: &App, headers: &HeaderMap) -> Option<IpAddr> {
        let told = if app.hosts.trusts_proxy() { forwarded(headers) } else { None };
        told.or_else(|| self.activity.address())
    }

    /// Nearly every connection has one client, so that this is at hand.
    fn share(&self, app: &App, principal: &Principal, address: Option<IpAddr>) -> Arc<Share> {
        if principal.name.is_empty() {
            let is_own = address == self.activity.address();
            return if is_own { self.activity.own().clone() } else { app.shares.of(Source::of(address)) };
        }
        if let Some(known) = self.activity.principal()
            && matches!(known.source(), Source::Principal(name) if *name == principal.name)
        {
            return known.clone();
        }
        let share = app.shares.of(Source::Principal(principal.name.clone()));
        self.activity.belongs_to(&share);
        share
    }

    /// It has arrived whole.
    pub(super) fn begin(&self) {
        self.activity.begin();
    }

    /// Its body is still to come, and is only waited for: nobody gives a place to that.
    pub(super) fn is_unread(&self) {
        self.activity.has_head();
    }

    /// The answer is handed over to the connection. A stream goes on until its body is gone.
    pub(super) fn answered(self, answer: Response) -> Response {
        if answer.body().size_hint().exact().is_some() {
            return answer;
        }
        answer.map(|body| Body::new(Watched { body, _turn: self }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.activity.end();
    }
}

/// A body, and the turn that ends with it.
struct Watched {
    body: Body,
    _turn: Turn,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
