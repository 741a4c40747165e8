//! `archonctl init`: opens a session and remembers it.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::client::{Client, ClientOptions, Closed, Remembered};
use crate::model::clock::Clock;

use super::board::Board;
use super::elicit::Manner;
use super::exit;
use super::hear::Hear;
use super::item::{Item, named_lines};
use super::output::{Output, print_note};
use super::paths;
use super::signal::or_interrupted;
use super::target::Target;
use super::visit::shown;

const EXAMPLES: &str = "Examples:
  archonctl init
  archonctl init http://127.0.0.1:8051/mcp --client-name nightly
  archonctl init --archon-session 8d2f1b9e-15c7-4e6f-8a35-5b0e9c2d4f22

The session is remembered by its server's URL, with the cookies that the server has set, in sessions.json under \
$XDG_STATE_HOME/archonctl, for its owner alone (0600), without tokens. call and tools use it until close ends it. A second init for the same URL opens a new session and \
ends the former one.

With -o json: {version, url, protocol_session_id, archon_session_id, revision, server: {name, version}, opened_at}.";

/// Open a session and remember it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The server's MCP endpoint; overrides --url
    #[arg(value_name = "URL", conflicts_with_all = ["config", "server"])]
    endpoint: Option<String>,
    /// The Archon session to go on with
    #[arg(long, value_name = "ID")]
    archon_session: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Options {
    /// Opens the session.
    ///
    /// # Errors
    /// Each with its exit code: see [`exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let file = paths::session_file()?;
        // What call can do is said now, where it goes on with this session.
        let hear = Arc::new(Hear::new(Board::new(true), Manner::found()));
        let mut options = self.target.at(self.endpoint).heard_by(Some(hear)).into_options()?;
        if let Some(id) = self.archon_session {
            options.go_on_with(id)?;
        }
        let client = or_interrupted(async { Ok(Client::connect(options.clone()).await?) }).await?;
        let session = Remembered::of(&client.session(), client.cookies(), Clock::uncorrected());
        match file.remember(&options.key(), session.clone()) {
            // The new session is remembered: what is told to stop now is the goodbye to the former one.
            Ok(former) => {
                let goodbye = async {
                    end(former, &options).await;
                    Ok(())
                };
                or_interrupted(goodbye).await?;
            }
            Err(error) => {
                // Nobody could name it again. How that goes is of no interest beside why.
                let _ = client.close().await;
                return Err(error.into());
            }
        }
        self.output.print(&opened(&options.place(), &session))?;
        Ok(ExitCode::from(exit::DONE))
    }
}

/// Ends the session that a new one took the place of: nobody can name it any more.
async fn end(former: Option<Remembered>, options: &ClientOptions) {
    let Some(former) = former else { return };
    let Ok(session) = former.session() else { return };
    let id = shown(former.protocol_session_id.as_deref());
    let ended = match Client::resume_with(options.clone(), session, former.cookies.clone()) {
        Ok(client) => client.close().await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(Closed::Ended) => print_note(&format!("note: ended the former session {id}")),
        Ok(Closed::Gone | Closed::Left) => {}
        Err(error) => print_note(&format!("warning: the former session {id} is not ended: {error}")),
    }
}

fn opened(url: &str, session: &Remembered) -> Item {
    let (id, archon_id) = (session.protocol_session_id.as_deref(), session.archon_session_id.as_deref());
    let server = format!("{} {}", session.server.name, session.server.version);
    let revision = session.revision.as_deref();
    let text = named_lines(&[
        ("URL", url),
        ("Protocol session", shown(id)),
        ("Archon session", shown(archon_id)),
        ("Revision", shown(revision)),
        ("Server", server.trim()),
    ]);
    let members = vec![
        ("url", json!(url)),
        ("protocol_session_id", json!(id)),
        ("archon_session_id", json!(archon_id)),
        ("revision", json!(revision)),
        ("server", json!(session.server)),
        ("opened_at", json!(session.opened_at)),
    ];
    Item { text, members }
}
