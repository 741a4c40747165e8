//! `archonctl close`: ends the remembered session.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::client::{Client, Closed, Session};

use super::exit;
use super::item::Item;
use super::output::Output;
use super::paths;
use super::signal::or_interrupted;
use super::target::Target;
use super::visit::{cookies_beside, not_remembered, shown};

const EXAMPLES: &str = "Examples:
  archonctl close
  archonctl close --url http://127.0.0.1:8051/mcp
  archonctl close --session 3f0c6a52-6a34-4c1c-9b0e-0d8f3a4f7a11

Exit code 6 means that no session of this server is remembered. One that the server has ended already is forgotten, which \
is success. When the server cannot be reached the session stays remembered.

With -o json: {version, url, protocol_session_id, archon_session_id, outcome}, where outcome is ended, gone (it had ended already) or \
left (the server lets no client end one).";

/// End the remembered session
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The connection (Mcp-Session-Id) to end instead of the remembered one
    #[arg(long, value_name = "ID", help_heading = "Session")]
    session: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Options {
    /// Ends the session.
    ///
    /// # Errors
    /// Each with its exit code: see [`exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let options = self.target.into_options()?;
        let (key, url) = (options.key(), options.place());
        let file = paths::session_file();
        let (session, cookies) = match (self.session, &file) {
            (Some(id), _) => {
                let cookies = cookies_beside(&key, Some(&id));
                (Session::given(Some(id), None)?, cookies)
            }
            (None, Ok(file)) => {
                let held = file.find(&key)?.ok_or_else(|| not_remembered(&url))?;
                (held.session()?, held.cookies)
            }
            (None, Err(_)) => return Err(not_remembered(&url).into()),
        };
        let client = Client::resume_with(options, session.clone(), cookies)?;
        let closed = or_interrupted(async { Ok(client.close().await?) }).await?;
        if let Ok(file) = file {
            file.forget(&key, session.id.as_deref())?;
        }
        self.output.print(&ended(&url, &session, closed))?;
        Ok(ExitCode::from(exit::DONE))
    }
}

fn ended(url: &str, session: &Session, closed: Closed) -> Item {
    let id = shown(session.id.as_deref());
    let (outcome, text) = match closed {
        Closed::Ended => ("ended", format!("ended session {id} with {url}")),
        Closed::Gone => ("gone", format!("session {id} with {url} had ended already")),
        Closed::Left => ("left", format!("left session {id} with {url}, which lets no client end one")),
    };
    let members = vec![
        ("url", json!(url)),
        ("protocol_session_id", json!(session.id)),
        ("archon_session_id", json!(session.archon_id)),
        ("outcome", json!(outcome)),
    ];
    Item { text, members }
}
