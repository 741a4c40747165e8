//! What rules look at.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::timestamp::Timestamp;
use crate::queries::boots::Boot;
use crate::queries::latest::Latest;
use crate::queries::minutes::Minute;
use crate::queries::sessions::Session;
use crate::queries::standings::Crowd;
use crate::queries::usage::Usage;

/// What rules look at, all of one moment. In what was not read they find nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Snapshot<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The last boots, the newest first; none where no record of them is kept.
    pub boots: Option<&'a [Boot]>,
    /// The last minutes with calls.
    pub minutes: &'a [Minute],
    /// Who has many sessions in use.
    pub crowds: &'a [Crowd],
    /// Sessions.
    pub sessions: &'a [Session],
    /// What they did last, by the ids of their Archon sessions.
    pub latest: Option<&'a HashMap<String, Latest>>,
    /// The calls of each tool.
    pub tools: &'a [Usage],
    /// How long the database took for its last answer to a small question.
    pub answer: Option<Duration>,
    /// The command that starts a server on this database.
    pub start: &'a str,
}
