//! One page of sessions in any order: what a live view shows of a hundred thousand.

use super::alive::Moment;
use super::sessions::{self, SessionRow, Standing};
use super::{all_of, once, report};
use crate::model::timestamp::Timestamp;
use crate::store::backend::read;
use crate::store::{Store, StoreError, Tables};

/// By what a page is ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// When they were last used.
    #[default]
    Activity,
    /// When they began.
    Began,
    /// The end of their time.
    Expiry,
    /// The client's type.
    Client,
    /// Whose they are.
    User,
    /// Tool calls.
    Calls,
    /// Failed tool calls.
    Errors,
    /// Tokens of arguments and results.
    Tokens,
    /// Their id.
    Id,
    /// Where they stand.
    Status,
}

/// Which sessions, in which order.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Of these standings; none is all.
    pub standings: Vec<Standing>,
    /// With these letters in the client's type, name or version, in lower case.
    pub client: Option<String>,
    /// With these letters in the user's name or address, in lower case.
    pub user: Option<String>,
    /// Whose id, of either kind, begins like that.
    pub id: Option<String>,
    /// That have called a tool with these letters in its name.
    pub tool: Option<String>,
    /// Not used since.
    pub idle_since: Option<Timestamp>,
    /// With at least so many errors.
    pub errors: Option<i64>,
    /// By what, and whether the greatest come first.
    pub order: (Order, bool),
}

impl Order {
    fn column(self, called: bool, tables: Tables) -> &'static str {
        match self {
            Self::Began => "connected_at",
            Self::Expiry if tables == Tables::Ours => "expires_at",
            Self::Activity | Self::Expiry => "last_activity",
            Self::Client => "client_type",
            Self::User if called => "user_name",
            Self::User => "principal",
            Self::Calls if called && tables == Tables::Ours => "calls",
            Self::Errors if called && tables == Tables::Ours => "errors",
            Self::Tokens if called && tables == Tables::Ours => "(prompt_tokens + completion_tokens)",
            Self::Status => "status",
            Self::Calls | Self::Errors | Self::Tokens | Self::Id => "session_id",
        }
    }
}

/// Letters anywhere in a text, for LIKE with the escape `!`.
fn like(letters: &str) -> String {
    let mut pattern = String::from("%");
    for letter in letters.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

impl Window {
    /// `$1` client, `$2` user, `$3` id, `$4` tool, `$5` idle since, `$6` errors; `$7` is the limit.
    fn conditions(&self, called: bool, moment: &Moment, tables: Tables) -> String {
        let standings: Vec<_> = self.standings.iter().map(|s| format!("({})", s.sql(moment, tables))).collect();
        let standing = if standings.is_empty() { "TRUE".to_owned() } else { format!("({})", standings.join(" OR ")) };
        let ours = tables == Tables::Ours;
        let client = if ours {
            "(LOWER(client_type) LIKE $1 ESCAPE '!' OR LOWER(client_name) LIKE $1 ESCAPE '!' \
             OR LOWER(client_version) LIKE $1 ESCAPE '!')"
        } else {
            "(LOWER(client_type) LIKE $1 ESCAPE '!' OR LOWER(client_version) LIKE $1 ESCAPE '!')"
        };
        let user = match (called, ours) {
            (true, true) => {
                "(LOWER(user_name) LIKE $2 ESCAPE '!' OR LOWER(user_email) LIKE $2 ESCAPE '!' \
                 OR LOWER(principal) LIKE $2 ESCAPE '!')"
            }
            (true, false) => "(LOWER(user_name) LIKE $2 ESCAPE '!' OR LOWER(user_email) LIKE $2 ESCAPE '!')",
            (false, _) => "LOWER(principal) LIKE $2 ESCAPE '!'",
        };
        let id = match (called, ours) {
            (true, true) => {
                "(CAST(session_id AS TEXT) LIKE $3 OR session_id IN (SELECT p.session_id \
                 FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id LIKE $3))"
            }
            (true, false) => "CAST(session_id AS TEXT) LIKE $3",
            (false, _) => "(CAST(session_id AS TEXT) LIKE $3 OR protocol_session_id LIKE $3)",
        };
        let tool = if called {
            "session_id IN (SELECT r.session_id FROM archon_mcp_requests r WHERE LOWER(r.tool_name) LIKE $4 ESCAPE '!')"
        } else {
            "FALSE"
        };
        let errors = if called && ours { "errors >= $6" } else { "FALSE" };
        all_of(&[
            (true, &standing),
            (self.client.is_some(), client),
            (self.user.is_some(), user),
            (self.id.is_some(), id),
            (self.tool.is_some(), tool),
            (self.idle_since.is_some(), "last_activity <= $5"),
            (self.errors.is_some_and(|errors| errors > 0) && (ours || !called), errors),
        ])
    }

    /// When a page is full and ordered by use: the use of its last row, and what has a place before that.
    fn within(&self, rows: &[SessionRow], limit: i64) -> (Option<Timestamp>, &'static str) {
        let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
        let used = rows.iter().map(|row| row.last_activity);
        match self.order {
            (Order::Activity, true) if full => (used.min(), "last_activity >= $8"),
            (Order::Activity, false) if full => (used.max(), "last_activity <= $8"),
            _ => (None, "TRUE"),
        }
    }
}

impl Store {
    /// The first so many sessions of each kind (Archon sessions, and clients that have called no tool).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn window(&self, moment: &Moment, window: &Window, limit: i64) -> Result<Vec<SessionRow>, StoreError> {
        let tables = self.tables();
        let direction = if window.order.1 { "DESC" } else { "ASC" };
        let order = |called| format!("{} {direction}", window.order.0.column(called, tables));
        let archon = sessions::archon_page(&window.conditions(true, moment, tables), &order(true), "$7", tables);
        let mut rows = self.window_rows(archon, window, (limit, None)).await?;
        if tables == Tables::Ours && window.tool.is_none() && window.errors.is_none_or(|errors| errors <= 0) {
            let (bound, within) = window.within(&rows, limit);
            let conditions = all_of(&[(true, &window.conditions(false, moment, tables)), (bound.is_some(), within)]);
            let waiting = sessions::waiting_page(&conditions, &order(false), "$7");
            rows.extend(self.window_rows(waiting, window, (limit, bound)).await?);
        }
        Ok(rows)
    }

    async fn window_rows(
        &self,
        sql: String,
        window: &Window,
        (limit, bound): (i64, Option<Timestamp>),
    ) -> Result<Vec<SessionRow>, StoreError> {
        report(async {
            read!(self, db => once(sql)
                .bind(window.client.as_deref().map(like)).bind(window.user.as_deref().map(like))
                .bind(window.id.as_ref().map(|id| format!("{id}%"))).bind(window.tool.as_deref().map(like))
                .bind(window.idle_since).bind(window.errors).bind(limit).bind(bound).fetch_all(db).await)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn what_like_would_read_as_a_sign_is_a_letter() {
        assert_eq!(like("a_b%c!"), "%a!_b!%c!!%");
    }
}
