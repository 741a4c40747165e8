//! What is wrong, as it is listed.

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Rule, Severity, Subject};
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::queries::columns::{Cell, Column, Listed, Tone, members};

/// Something that is wrong now:
///
/// ```json
/// {"severity": "error", "rule": "stuck", "subject": "session", "session_id": "550e8400-…", "client": "Cursor",
///  "problem": "find_projects failed 3× in a row", "evidence": "its last 3 calls", "next_step": "see why: …"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Word<Severity>,
    /// By which rule it was found.
    pub rule: Word<Rule>,
    /// In what: `server`, `database`, `calls`, `session` or `client`.
    pub subject: String,
    /// The session, where it is one.
    pub session_id: Option<String>,
    /// The client, where it is one, or has that session.
    pub client: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What shows it.
    pub evidence: String,
    /// What to do next.
    pub next_step: String,
}

impl From<Finding> for Problem {
    fn from(finding: Finding) -> Self {
        let severity = finding.severity().into();
        let (subject, session_id, client) = match finding.subject {
            Subject::Server => ("server", None, None),
            Subject::Database => ("database", None, None),
            Subject::Calls => ("calls", None, None),
            Subject::Session { id, client } => ("session", Some(id), Some(client)),
            Subject::Client(client) => ("client", None, Some(client)),
        };
        Self {
            severity,
            rule: finding.rule.into(),
            subject: subject.to_owned(),
            session_id,
            client,
            problem: finding.text,
            evidence: finding.evidence,
            next_step: finding.next_step,
        }
    }
}

impl Listed for Problem {
    type Context = Timestamp;

    const LIST: &'static str = "problems";

    const TABLE: &'static [Column<Self>] = &[
        Column::text("severity", "SEVERITY", 7, 0, |p, _| Cell::text(&p.severity).toned(p.tone())),
        Column::text("subject", "SUBJECT", 6, 0, |p, _| Cell::text(&p.subject)),
        Column::text("session", "SESSION", 9, 1, |p, _| Cell::maybe_id(p.session_id.as_deref())),
        Column::text("client", "CLIENT", 6, 2, |p, _| Cell::maybe(p.client.as_deref())),
        Column::text("problem", "PROBLEM", 12, 0, |p, _| Cell::text(&p.problem)),
        Column::text("evidence", "EVIDENCE", 12, 3, |p, _| Cell::text(&p.evidence)),
        Column::text("next", "NEXT STEP", 12, 0, |p, _| Cell::text(&p.next_step)),
    ];

    fn members() -> &'static [&'static str] {
        members::<Self>()
    }
}

impl Problem {
    /// Whether it is more than good to know.
    pub fn is_wrong(&self) -> bool {
        !self.severity.is(Severity::Note)
    }

    fn tone(&self) -> Tone {
        match self.severity.ours() {
            Some(Severity::Error) => Tone::Bad,
            Some(Severity::Warning) => Tone::Warn,
            Some(Severity::Note) | None => Tone::Dim,
        }
    }
}
