//! What an answer can say about its row.

use crate::store::commit::Commit;

/// Where the row of a request was when its answer left; of several rows, the worst is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recorded {
    /// On disk, or there is none.
    #[default]
    Stored,
    /// Still queued: a crash may lose it.
    Deferred,
    /// Given up: there will be no row.
    Dropped,
}

impl Recorded {
    /// The value of the `X-Archon-Record` header; none where all is as it should be.
    pub const fn as_header(self) -> Option<&'static str> {
        match self {
            Self::Stored => None,
            Self::Deferred => Some("deferred"),
            Self::Dropped => Some("dropped"),
        }
    }
}

impl From<Commit> for Recorded {
    fn from(commit: Commit) -> Self {
        match commit {
            Commit::Done => Self::Stored,
            Commit::Deferred => Self::Deferred,
            Commit::Refused(_) => Self::Dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_is_told() {
        let rows = [Commit::Done, Commit::Refused("no".into()), Commit::Deferred];
        assert_eq!(rows.map(Recorded::from).into_iter().max(), Some(Recorded::Dropped));
        assert_eq!(Recorded::default().as_header(), None);
    }
}
