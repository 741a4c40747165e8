//! Exit codes, and how an error is told.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Error;
use serde_json::json;
use thiserror::Error;

use crate::client::{ClientError, FileError, OptionsError};
use crate::selftest::target::TargetError;
use crate::server::TokenFileError;
use crate::store::{OpenError, StoreError};

use super::database::NoDatabase;
use super::output::printable;
use super::signal::Interrupted;

/// It is done.
pub const DONE: u8 = 0;
/// It ran, and the answer is no: checks failed, unhealthy.
pub const NO: u8 = 1;
/// Usage or configuration, this machine's files included.
pub const USAGE: u8 = 2;
/// Authentication.
pub const AUTH: u8 = 3;
/// A server or database cannot be reached, or did not answer in time.
pub const UNREACHABLE: u8 = 4;
/// The tool or the server answered with an error.
pub const FAILED: u8 = 5;
/// No such session, or it has ended, or it is not yours.
pub const NO_SESSION: u8 = 6;
/// Ended by SIGINT (128 + 2).
pub const INTERRUPTED: u8 = 130;
/// Ended by SIGTERM (128 + 15).
pub const TERMINATED: u8 = 143;

/// The codes as `--help` prints them.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    it ran, and the answer is no (checks failed, unhealthy)
  2    usage or configuration
  3    authentication
  4    unreachable or timed out (server, database)
  5    the tool or server answered with an error
  6    no such session, ended, or not yours
  130  interrupted (SIGINT)
  143  terminated (SIGTERM)";

/// Wrong usage or configuration that the argument parser cannot see.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Usage {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Usage {
    /// Wrong usage, and what would be right.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// An id that leads to no session, or to one that has ended.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct NoSession {
    /// What is wrong.
    pub message: String,
    /// What may be done.
    pub hint: String,
}

/// What a command found out by itself, with all that a script wants to know of it.
#[derive(Debug, Error)]
#[error("{message}")]
pub(super) struct Failure {
    /// One of the codes above.
    pub(super) exit: u8,
    /// A stable word.
    pub(super) code: &'static str,
    /// What is wrong.
    pub(super) message: String,
    /// What to do next.
    pub(super) hint: Option<String>,
}

impl Failure {
    /// A client's error with a better hint than it has.
    pub(super) fn advised(error: &ClientError, hint: String) -> Self {
        let (exit, code) = of_client(error);
        // A server may say its own in its message as well.
        let former = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        Self { exit, code, message: error.to_string().replace(&former, ""), hint: Some(hint) }
    }
}

/// How errors are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `error: …` and `hint: …`.
    Text,
    /// One line: `{"error":{"code","message","hint"}}`.
    Json,
}

impl Style {
    /// JSON if the arguments ask for JSON. They are looked through unparsed, because wrong arguments are errors too.
    pub(super) fn asked_for(args: &[OsString]) -> Self {
        let mut flags = args.iter().take_while(|arg| *arg != "--").map(|arg| arg.to_str().unwrap_or_default());
        while let Some(flag) = flags.next() {
            let format = match flag.strip_prefix("--") {
                Some("json") => return Self::Json,
                Some("output") => flags.next(),
                Some(long) => long.strip_prefix("output="),
                None => short_output(flag).and_then(|value| if value.is_empty() { flags.next() } else { Some(value) }),
            };
            if matches!(format, Some("json" | "jsonl")) {
                return Self::Json;
            }
        }
        Self::Text
    }
}

/// What follows `-o` in one argument, which may have other short flags before it: `-ojson`, `-o=json`, `-fo`.
fn short_output(flag: &str) -> Option<&str> {
    let (before, value) = flag.strip_prefix('-')?.split_once('o')?;
    let are_flags = before.chars().all(|c| c.is_ascii_alphabetic());
    are_flags.then(|| value.strip_prefix('=').unwrap_or(value))
}

/// What an error means to a script.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    exit: u8,
    /// A stable word.
    code: &'static str,
    hint: Option<String>,
}

/// Tells an error on standard error and gives the exit code for it. A reader that went away, as `head` does, has what it
/// wanted: that is success.
pub(super) fn leave(error: &Error, style: Style) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::from(DONE);
    }
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        // Help and version are "errors" of the parser, too.
        if !usage.use_stderr() || style == Style::Text {
            return print_usage(usage);
        }
    }
    let verdict = judge(error);
    // When standard error is closed there is nobody to tell.
    let _ = io::stderr().write_all(told(error, &verdict, style).as_bytes());
    ExitCode::from(verdict.exit)
}

fn print_usage(usage: &clap::Error) -> ExitCode {
    let _ = usage.print();
    ExitCode::from(if usage.use_stderr() { USAGE } else { DONE })
}

fn told(error: &Error, verdict: &Verdict, style: Style) -> String {
    let message = message(error);
    match style {
        Style::Json => {
            let error = json!({"code": verdict.code, "message": message, "hint": verdict.hint});
            format!("{}\n", json!({ "error": error }))
        }
        Style::Text => {
            let Some(hint) = &verdict.hint else { return printable(&format!("error: {message}\n")) };
            // A server may say it in its message as well, for clients that show nothing else.
            let message = message.replace(&format!("; {hint}"), "");
            printable(&format!("error: {message}\nhint: {hint}\n"))
        }
    }
}

/// The chain of causes in one line; of a parser's error, which is a page, the first paragraph.
fn message(error: &Error) -> String {
    let Some(usage) = error.downcast_ref::<clap::Error>() else { return format!("{error:#}") };
    let page = usage.to_string();
    let first = page.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn judge(error: &Error) -> Verdict {
    let verdict = |exit, code, hint| Verdict { exit, code, hint };
    for cause in error.chain() {
        if let Some(e) = cause.downcast_ref::<ClientError>() {
            let (exit, code) = of_client(e);
            return verdict(exit, code, e.hint().map(String::from));
        }
        if let Some(e) = cause.downcast_ref::<OpenError>() {
            let exit = if matches!(e, OpenError::Unreachable { .. }) { UNREACHABLE } else { USAGE };
            return verdict(exit, "database", Some(of_database(e).to_owned()));
        }
        if let Some(e) = cause.downcast_ref::<Failure>() {
            return verdict(e.exit, e.code, e.hint.clone());
        }
        if cause.is::<FileError>() {
            let hint = "remove it to start anew; the sessions in it end by themselves";
            return verdict(USAGE, "session_file", Some(hint.to_owned()));
        }
        if cause.is::<NoDatabase>() {
            return verdict(USAGE, "database", Some(NO_DATABASE.to_owned()));
        }
        if cause.is::<StoreError>() {
            return verdict(UNREACHABLE, "database", Some("look at the database, then try again".to_owned()));
        }
        if cause.is::<TargetError>() {
            return verdict(UNREACHABLE, "server", Some("start it by hand to see what it says".to_owned()));
        }
        if cause.is::<TokenFileError>() {
            let hint = "a line is: sha256-of-token name [email] [uuid]; printf %s TOKEN | sha256sum makes the first";
            return verdict(USAGE, "token_file", Some(hint.to_owned()));
        }
        if let Some(e) = cause.downcast_ref::<NoSession>() {
            return verdict(NO_SESSION, "session", Some(e.hint.clone()));
        }
        if let Some(e) = cause.downcast_ref::<Usage>() {
            return verdict(USAGE, "usage", e.hint.clone());
        }
        if cause.is::<OptionsError>() || cause.is::<clap::Error>() {
            return verdict(USAGE, "usage", Some("archonctl --help shows what can be given".to_owned()));
        }
        match cause.downcast_ref::<Interrupted>() {
            Some(Interrupted::Interrupt) => return verdict(INTERRUPTED, "interrupted", None),
            Some(Interrupted::Terminate) => return verdict(TERMINATED, "terminated", None),
            None => {}
        }
    }
    // What is left is this machine's doing: a file, a thread, a full disk.
    verdict(USAGE, "system", None)
}

/// The way out where there is no database.
const NO_DATABASE: &str = "archonctl serve makes it, or name another with --database-url";

/// The way out of a database that cannot be opened.
fn of_database(error: &OpenError) -> &'static str {
    match error {
        OpenError::UnknownUrl { .. } => {
            "--database-url or DATABASE_URL takes sqlite://PATH, sqlite::memory: or postgres://USER@HOST/DATABASE"
        }
        OpenError::Unwritable { .. } => "make its folder writable for this user, or name another with --database-url",
        OpenError::Missing { .. } => NO_DATABASE,
        OpenError::InUse { .. } => "stop the other server, or give both --database-url postgres://USER@HOST/DATABASE",
        OpenError::Foreign => "until then, name another database with --database-url",
        OpenError::TooNew { .. } => "install that version, or name another database with --database-url",
        OpenError::Migration(_) => "nothing was changed; the database's log may say more",
        OpenError::Unreachable { .. } => "check that PostgreSQL runs, and its address, user and password",
        OpenError::NotADatabase { .. } => "name another file with --database-url",
    }
}

fn of_client(error: &ClientError) -> (u8, &'static str) {
    match error {
        ClientError::Session { .. } => (NO_SESSION, "session"),
        ClientError::Connection { .. } => (UNREACHABLE, "connection"),
        ClientError::Timeout { .. } => (UNREACHABLE, "timeout"),
        ClientError::Tool(_) => (FAILED, "tool"),
        ClientError::Protocol(_) => (FAILED, "protocol"),
        ClientError::Auth { .. } => (AUTH, "auth"),
        ClientError::Http { .. } => (FAILED, "http"),
    }
}

fn is_closed_pipe(error: &Error) -> bool {
    error.chain().filter_map(|c| c.downcast_ref::<io::Error>()).any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ProtocolError, Stage};
    use anyhow::Context;
    use clap::Parser;

    fn connection() -> ClientError {
        let (place, cause) = ("http://127.0.0.1:1/mcp".into(), "connection refused".into());
        ClientError::Connection { place, stage: Stage::BeforeSending, cause }
    }

    fn session() -> ClientError {
        ClientError::Session { message: "ended".into(), hint: None, reopened: false }
    }

    #[test]
    fn every_error_has_its_exit_code() {
        let http = |status| ClientError::Http { status, message: "no".into(), hint: None, retry_after: None };
        let garbage = ClientError::from(ProtocolError::Garbage { reason: "html".into() });
        let timeout = ClientError::Timeout { place: "x".into(), after: std::time::Duration::from_secs(1) };
        let auth = ClientError::Auth { status: 401, message: "no".into(), hint: None };
        for (error, exit, code) in [
            (Error::from(session()), NO_SESSION, "session"),
            (connection().into(), UNREACHABLE, "connection"),
            (timeout.into(), UNREACHABLE, "timeout"),
            (garbage.into(), FAILED, "protocol"),
            (auth.into(), AUTH, "auth"),
            (http(500).into(), FAILED, "http"),
            (Usage::new("a", "b").into(), USAGE, "usage"),
            (OptionsError::Token.into(), USAGE, "usage"),
            (Interrupted::Interrupt.into(), INTERRUPTED, "interrupted"),
            (Interrupted::Terminate.into(), TERMINATED, "terminated"),
            (io::Error::other("disk").into(), USAGE, "system"),
        ] {
            let verdict = judge(&error);
            assert_eq!((verdict.exit, verdict.code), (exit, code), "{error:#}");
        }
    }

    #[test]
    fn context_does_not_hide_what_an_error_is() {
        let error = Err::<(), _>(connection()).context("cannot call health_check").expect_err("an error");
        assert_eq!(judge(&error).exit, UNREACHABLE);
        let text = told(&error, &judge(&error), Style::Text);
        assert!(text.starts_with("error: cannot call health_check: no server answers at"), "{text}");
        assert!(text.contains("\nhint: start one with: archonctl serve"), "{text}");
    }

    #[test]
    fn json_is_one_line() {
        let error = Error::from(Usage::new("two\nlines", "b"));
        let line = told(&error, &judge(&error), Style::Json);
        assert_eq!(line, "{\"error\":{\"code\":\"usage\",\"hint\":\"b\",\"message\":\"two\\nlines\"}}\n");
        let usage = super::super::Cli::try_parse_from(["archonctl", "no-such-command"]).expect_err("usage");
        let usage = Error::from(usage);
        let line = told(&usage, &judge(&usage), Style::Json);
        assert!(line.starts_with("{\"error\":{\"code\":\"usage\""), "{line}");
        assert!(line.contains("unrecognized subcommand 'no-such-command'"), "{line}");
    }

    #[test]
    fn a_servers_words_cannot_drive_the_terminal() {
        let error = Error::from(ClientError::Session { message: "a\u{1b}[2Jb".into(), hint: None, reopened: false });
        assert!(!told(&error, &judge(&error), Style::Text).contains('\u{1b}'));
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let closed = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot write");
        assert!(is_closed_pipe(&closed.expect_err("an error")));
        assert!(!is_closed_pipe(&connection().into()));
    }

    #[test]
    fn finds_the_asked_style_unparsed() {
        let style = |args: &[&str]| Style::asked_for(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(style(&["archonctl", "call", "x", "--json"]), Style::Json);
        assert_eq!(style(&["archonctl", "call", "x", "a=--json"]), Style::Text);
        assert_eq!(style(&["archonctl", "call", "x", "--", "--json"]), Style::Text);
        for format in ["json", "jsonl"] {
            for given in ["-o {}", "-o{}", "-o={}", "--output {}", "--output={}", "-fo {}", "-fo{}"] {
                let given = given.replace("{}", format);
                let args: Vec<_> = ["archonctl", "list"].into_iter().chain(given.split(' ')).collect();
                assert_eq!(style(&args), Style::Json, "{given}");
            }
        }
        for other in ["-o table", "-ocsv", "--output=csv", "--output", "-o", "-w=2s -otable", "--other json", "o json"]
        {
            let args: Vec<_> = ["archonctl", "list"].into_iter().chain(other.split(' ')).collect();
            assert_eq!(style(&args), Style::Text, "{other}");
        }
    }
}
