//! A window on the sessions, in any order: the first few hundred of what may be a hundred thousand.

use std::time::Duration;

use super::Queries;
use super::sessions::{Session, SessionState};
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::page::{Order, Window};

/// Which sessions, in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct WindowQuery {
    /// Of these standings; none is all.
    pub standings: Vec<SessionState>,
    /// With these letters in the client's type, name or version.
    pub client: Option<String>,
    /// With these letters in the user's name or address.
    pub user: Option<String>,
    /// Whose id, of either kind, begins like that.
    pub id: Option<String>,
    /// That have called a tool with these letters in its name.
    pub tool: Option<String>,
    /// Not used for this number of seconds.
    pub idle_s: Option<u64>,
    /// The least number of errors.
    pub errors: Option<i64>,
    /// By what, and whether the greatest come first.
    pub order: (Order, bool),
}

/// The first sessions of a list.
#[derive(Debug, Clone, Default)]
pub struct SessionWindow {
    /// The sessions.
    pub rows: Vec<Session>,
    /// Whether there are more.
    pub more: bool,
    /// When.
    pub now: Timestamp,
}

impl Queries {
    /// The maximum number of sessions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn window(&self, query: &WindowQuery, limit: usize) -> Result<SessionWindow, StoreError> {
        let moment = self.moment().await?;
        let window = Window {
            standings: query.standings.clone(),
            client: query.client.as_deref().map(str::to_lowercase),
            user: query.user.as_deref().map(str::to_lowercase),
            id: query.id.as_deref().map(str::to_lowercase),
            tool: query.tool.as_deref().map(str::to_lowercase),
            idle_since: query.idle_s.map(|s| moment.now.minus(Duration::from_secs(s))),
            errors: query.errors,
            order: query.order,
        };
        let asked = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let rows = self.store.window(&moment, &window, asked).await?;
        let mut rows: Vec<_> = rows.into_iter().map(|row| Session::of(row, &moment)).collect();
        rows.sort_by(|a, b| {
            let order = compared(a, b, query.order.0);
            let order = if query.order.1 { order.reverse() } else { order };
            order.then_with(|| a.id().cmp(b.id()))
        });
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(SessionWindow { rows, more, now: moment.now })
    }
}

fn compared(a: &Session, b: &Session, order: Order) -> std::cmp::Ordering {
    match order {
        Order::Activity => a.last_activity.cmp(&b.last_activity),
        Order::Began => a.connected_at.cmp(&b.connected_at),
        Order::Expiry => a.expires_at.cmp(&b.expires_at),
        Order::Client => a.client_type.cmp(&b.client_type),
        Order::User => a.user_name.cmp(&b.user_name),
        Order::Calls => a.calls.cmp(&b.calls),
        Order::Errors => a.errors.cmp(&b.errors),
        Order::Tokens => (a.prompt_tokens + a.completion_tokens).cmp(&(b.prompt_tokens + b.completion_tokens)),
        Order::Id => a.id().cmp(b.id()),
        Order::Status => a.status.as_str().cmp(b.status.as_str()),
    }
}
