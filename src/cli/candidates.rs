//! What completes where: names of tools, ids of live sessions.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{ArgMatches, Command, FromArgMatches};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use crate::client::Client;
use crate::queries::sessions::{Session, SessionFilter, SessionState, Sessions};
use crate::tools::BUILTIN;

use super::database::Database;
use super::output::{ago, line};
use super::settings::Settings;
use super::target::Target;

/// Makes all commands.
type Commands = fn() -> Command;

/// Somebody sits there with a finger on the key.
const PATIENCE: Duration = Duration::from_millis(400);
/// The commands whose argument is the name of a tool, and that argument.
const OF_TOOLS: [(&str, &str); 2] = [("call", "tool"), ("tools", "tool")];

/// Those whose argument is the id of a session.
const OF_SESSIONS: [(&str, &str); 4] =
    [("show", "id"), ("expire", "ids"), ("requests", "session"), ("events", "session")];
/// More than that nobody reads through.
const MOST: usize = 200;

/// A command of all those with candidates for what only the running system knows.
pub(super) fn attach(command: Command, all: Commands) -> Command {
    let here = command.get_name().to_owned();
    let command = command.mut_args(|arg| {
        let place = (here.as_str(), arg.get_id().as_str());
        if OF_TOOLS.contains(&place) {
            arg.add(ArgValueCandidates::new(move || tools(all)))
        } else if OF_SESSIONS.contains(&place) {
            arg.add(ArgValueCandidates::new(move || sessions(all)))
        } else {
            arg
        }
    });
    command.mut_subcommands(|below| attach(below, all))
}

/// Name and title of a tool.
type Named = (String, Option<String>);

/// The server's tools; if it does not answer, those that each of ours has.
fn tools(all: Commands) -> Vec<CompletionCandidate> {
    let found = soon(tools_of_server(all))
        .unwrap_or_else(|| BUILTIN.map(|(name, title)| (name.into(), Some(title.into()))).into());
    let candidate = |(name, title): Named| CompletionCandidate::new(name).help(title.map(|title| line(&title).into()));
    found.into_iter().filter(|(name, _)| is_plain(name)).map(candidate).collect()
}

/// A word that no shell, and no parser of options, reads as anything else: it comes from a server or a database, and goes
/// onto somebody's command line.
fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}

async fn tools_of_server(all: Commands) -> Option<Vec<Named>> {
    let typed = typed(all)?;
    if ["stdio", "config", "server"].iter().any(|id| typed.try_contains_id(id).is_ok_and(|is_typed| is_typed)) {
        // For a key nothing is started, and nobody asked whom a file names. None of our tools is among theirs.
        return Some(Vec::new());
    }
    let target = Target::from_arg_matches(&typed).ok()?;
    let client = Client::connect(target.options_for_a_key()?).await.ok()?;
    let tools = client.list_tools().await.ok()?;
    // It ends by itself when nobody ends it.
    _ = client.close().await;
    Some(tools.into_iter().map(|tool| (tool.name.into_owned(), tool.title.map(Into::into))).collect())
}

/// The live sessions, the most recently used first.
fn sessions(all: Commands) -> Vec<CompletionCandidate> {
    let Some(found) = soon(live_sessions(all)) else { return Vec::new() };
    let candidate = |(rank, session): (usize, Session)| {
        let user = session.user_name.as_ref().map_or_else(String::new, |name| format!(" of {name}"));
        let help = format!("{}{user}, used {}", session.client_type, ago(session.last_activity, found.now));
        CompletionCandidate::new(session.id()).display_order(Some(rank)).help(Some(line(&help).into()))
    };
    found.rows.into_iter().filter(|session| is_plain(session.id())).enumerate().map(candidate).collect()
}

async fn live_sessions(all: Commands) -> Option<Sessions> {
    let queries = Database::from_arg_matches(&typed(all)?).ok()?.look().await.ok()?;
    let filter = SessionFilter { standings: vec![SessionState::Alive], limit: Some(MOST), ..SessionFilter::default() };
    queries.sessions(&filter).await.ok()
}

/// The words typed so far, as far as they can be understood, with environment and configuration file: a `--url` before
/// the cursor says whose tools they are.
fn typed(all: Commands) -> Option<ArgMatches> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != OsStr::new("--")).skip(1).collect();
    let command = Settings::load(all()).command.ignore_errors(true);
    let (_, matches) = command.try_get_matches_from(words).ok()?.remove_subcommand()?;
    Some(matches)
}

/// What comes of it in time.
fn soon<T>(work: impl Future<Output = Option<T>>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let done = runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.ok().flatten() });
    // Not `drop`: it would wait for a name lookup.
    runtime.shutdown_background();
    done
}
