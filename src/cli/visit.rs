//! How a command comes to its session, and how it leaves it: a remembered one, one whose id was given, or a new one for
//! this command alone.

use std::sync::Arc;

use clap::Args;

use crate::client::{Client, ClientOptions, Cookie, OnLoss, Remembered, Session, SessionFile};
use crate::model::clock::Clock;

use super::exit::{NoSession, Usage};
use super::output::print_note;
use super::paths;
use super::signal::or_interrupted;
use super::target::{ProgramOption, Target};

/// Which session.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Session")]
pub(super) struct Which {
    /// The connection (Mcp-Session-Id) to use instead of the remembered one
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// The Archon session to continue; without --session in a new connection, which stays open
    #[arg(long, value_name = "ID")]
    pub(super) archon_session: Option<String>,
    /// Fail when the server has lost the session, instead of opening a new one
    #[arg(long)]
    pub(super) no_reinit: bool,
}

/// Nothing is remembered of this server.
pub(super) fn not_remembered(url: &str) -> NoSession {
    NoSession {
        message: format!("no session with {url} is remembered"),
        hint: "archonctl init opens one and remembers it".to_owned(),
    }
}

/// A client, and where its session came from.
#[derive(Debug)]
pub(super) struct Visit {
    /// The client.
    pub(super) client: Client,
    before: Arc<Session>,
    cookies_before: Vec<Cookie>,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    /// From the file, under that key.
    Remembered { file: SessionFile, key: String },
    /// From the command line.
    Given,
    /// Opened for this command.
    New,
}

impl Visit {
    /// Resumes the given or remembered session, or opens one, which a signal ends.
    ///
    /// # Errors
    /// When options or files are of no use, or a new session cannot be had.
    pub(super) async fn begin(target: Target, program: ProgramOption, which: Which) -> anyhow::Result<Self> {
        or_interrupted(Box::pin(Self::found(target.into_options_of_any(&program)?, which))).await
    }

    async fn found(mut options: ClientOptions, which: Which) -> anyhow::Result<Self> {
        options.on_loss = if which.no_reinit { OnLoss::Fail } else { OnLoss::Reopen };
        if options.is_program() {
            if which.session.is_some() || which.archon_session.is_some() {
                return Err(Usage::new("a program keeps no session", "leave out --session and --archon-session").into());
            }
            return Ok(Self::new(Client::connect(options).await?, Origin::New));
        }
        if which.session.is_some() || which.archon_session.is_some() {
            return Self::given(options, which).await;
        }
        let key = options.key();
        // Without a home there is no file, and nothing that it could remember.
        if let Ok(file) = paths::session_file()
            && let Some(held) = file.find(&key)?
        {
            let client = Client::resume_with(options, held.session()?, held.cookies)?;
            return Ok(Self::new(client, Origin::Remembered { file, key }));
        }
        Ok(Self::new(Client::connect(options).await?, Origin::New))
    }

    async fn given(mut options: ClientOptions, which: Which) -> anyhow::Result<Self> {
        let client = match (which.session, which.archon_session) {
            (None, Some(archon_id)) => {
                options.go_on_with(archon_id)?;
                Client::connect(options).await?
            }
            (id, archon_id) => {
                let cookies = cookies_beside(&options.key(), id.as_deref());
                Client::resume_with(options, Session::given(id, archon_id)?, cookies)?
            }
        };
        Ok(Self::new(client, Origin::Given))
    }

    fn new(client: Client, origin: Origin) -> Self {
        Self { before: client.session(), cookies_before: client.cookies(), client, origin }
    }

    /// Says that a lost session was replaced, if it was: before the answer that the new one gave.
    pub(super) fn print_loss(&self) {
        let now = self.client.session();
        if now.id != self.before.id {
            let (old, new) = (shown(self.before.id.as_deref()), shown(now.id.as_deref()));
            print_note(&format!("note: the server had lost session {old}; opened {new}"));
        }
    }

    /// To be called when the last request is done, whatever came of its answer. Remembers a session that replaced a lost
    /// one; ends the session that was opened for this command. What goes wrong here is said and changes nothing: the
    /// answer is there.
    pub(super) async fn end(self) {
        self.client.cancel_abandoned().await;
        let (now, cookies) = (self.client.session(), self.client.cookies());
        let lost = now.id != self.before.id;
        let surplus = match &self.origin {
            Origin::New => true,
            Origin::Remembered { file, key } if now != self.before || cookies != self.cookies_before => {
                let new = Remembered::of(&now, cookies, Clock::uncorrected());
                let held = file.replace(key, self.before.id.as_deref(), new);
                let held = held.unwrap_or_else(|e| {
                    print_note(&format!("warning: the session is not remembered: {e}"));
                    false
                });
                // Another terminal has replaced the lost one first: theirs stays.
                lost && !held
            }
            Origin::Remembered { .. } | Origin::Given => false,
        };
        if surplus && let Err(error) = self.client.close().await {
            // A session that stays open costs nobody anything but a little patience.
            print_note(&format!("warning: the session is not closed: {error}"));
        }
    }
}

/// The cookies of a session whose id was given, if it is the remembered one.
pub(super) fn cookies_beside(key: &str, id: Option<&str>) -> Vec<Cookie> {
    let held = paths::session_file().ok().and_then(|file| file.find(key).ok()?);
    held.filter(|held| held.protocol_session_id.as_deref() == id).map(|held| held.cookies).unwrap_or_default()
}

/// An id for people.
pub(super) fn shown(id: Option<&str>) -> &str {
    id.unwrap_or("none")
}
