//! From an id on the command line, or its beginning, to a session.

use clap::Args;

use super::exit::{NoSession, Usage};
use crate::queries::Queries;
use crate::queries::find::{Found, Search};

/// How to look at the last rows only: the option that lists share.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Limit {
    /// Maximum number of rows (0 = no limit)
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
}

impl Limit {
    /// `None` is all.
    pub(super) fn count(self) -> Option<usize> {
        (self.limit > 0).then_some(self.limit)
    }
}

/// The session that was meant.
///
/// # Errors
/// [`NoSession`] if there is none; [`Usage`] with the candidates if there are several; else the store's.
pub(super) async fn session(queries: &Queries, typed: &str) -> anyhow::Result<Found> {
    match queries.find(typed).await? {
        Search::One(found) => Ok(found),
        Search::Nothing => Err(NoSession {
            message: format!("no session has an id that begins with {typed:?}"),
            hint: "archonctl list --all shows every session".to_owned(),
        }
        .into()),
        Search::Several(ids, more) => Err(Usage::new(
            format!(
                "{typed:?} is the beginning of more than one id: {}{}",
                ids.join(", "),
                if more { ", …" } else { "" }
            ),
            "type more of the id",
        )
        .into()),
    }
}
