//! What a rule found.

use crate::model::word::words;

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// By which rule.
    pub rule: Rule,
    /// In what.
    pub subject: Subject,
    /// What is wrong, in a few words that do not name the subject.
    pub text: String,
    /// What shows it.
    pub evidence: String,
    /// What to do next.
    pub next_step: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// No server is up, or one does not do its work.
    Server,
    /// The database.
    Database,
    /// The calls of all sessions.
    Calls,
    /// A session.
    Session {
        /// The id of its line in lists.
        id: String,
        /// Its client's type.
        client: String,
    },
    /// The sessions of a client's type.
    Client(String),
}

words! {
    /// How bad it is.
    pub enum Severity, "severity" {
        /// Somebody is kept from working.
        Error = "error",
        /// Somebody should look.
        Warning = "warning",
        /// Good to know.
        Note = "note",
    }
}

words! {
    /// The rules, the most urgent first.
    pub enum Rule, "rule" {
        /// No server is alive.
        NoServer = "no_server",
        /// The database takes long for a small question.
        SlowDatabase = "slow_database",
        /// A session's last calls of one tool failed one after the other.
        Stuck = "stuck",
        /// Many of the calls of the last minutes failed.
        Failures = "failures",
        /// Many of a session's calls failed.
        FailingSession = "failing_session",
        /// A server ends soon after it starts, again and again.
        CrashLoop = "crash_loop",
        /// Sessions whose time is over are not ended.
        NoCleanup = "no_cleanup",
        /// A client of one user has many sessions in use.
        Crowd = "crowd",
        /// A client never closes what it opens.
        NeverCloses = "never_closes",
        /// A session's last call was slow against its tool's usual.
        SlowCall = "slow_call",
        /// A session's time is nearly over.
        NearEnd = "near_end",
        /// A session has called no tool yet.
        Silent = "silent",
        /// The sessions of a client call no tool.
        CallsNothing = "calls_nothing",
        /// A session went on over a restart.
        WentOn = "went_on",
    }
}

impl Rule {
    /// How urgent it is: zero is the most urgent.
    pub const fn urgency(self) -> u8 {
        match self {
            Self::NoServer => 0,
            Self::SlowDatabase => 1,
            Self::Stuck | Self::Failures => 2,
            Self::FailingSession | Self::NoCleanup | Self::CrashLoop => 3,
            Self::Crowd | Self::NeverCloses => 4,
            Self::SlowCall => 5,
            Self::NearEnd => 6,
            Self::Silent => 7,
            Self::CallsNothing => 8,
            Self::WentOn => 9,
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self.urgency() {
            0..=3 => Severity::Error,
            4..=7 => Severity::Warning,
            _ => Severity::Note,
        }
    }
}

impl Finding {
    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// What is wrong in one line, of which session if it is of one.
    pub fn line(&self) -> String {
        match &self.subject {
            Subject::Session { id, client } => {
                format!("{} {client}: {}", id.get(..8).unwrap_or(id), self.text)
            }
            Subject::Server | Subject::Database | Subject::Calls | Subject::Client(_) => self.text.clone(),
        }
    }
}
