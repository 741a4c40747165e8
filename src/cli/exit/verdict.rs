//! What each error means to a script, and what to do about it.

use anyhow::Error;

use super::client::of_client;
use super::codes::{INTERRUPTED, NO_SESSION, TERMINATED, UNREACHABLE, USAGE};
use super::failures::{Failure, NoSession, Usage};
use crate::cli::database::NoDatabase;
use crate::cli::signal::Interrupted;
use crate::client::{ClientError, FileError, OptionsError};
use crate::selftest::target::TargetError;
use crate::server::TokenFileError;
use crate::store::{Broken, OpenError, StoreError};

/// What an error means to a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) exit: u8,
    /// A stable word.
    pub(super) code: &'static str,
    pub(super) hint: Option<String>,
}

pub(super) fn judge(error: &Error) -> Verdict {
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
        if cause.is::<Broken>() {
            let hint = "start it again; the log before this says what broke: please report it";
            return verdict(UNREACHABLE, "writer", Some(hint.to_owned()));
        }
        if cause.is::<TargetError>() {
            return verdict(UNREACHABLE, "server", Some("start it by hand to see what it says".to_owned()));
        }
        if let Some(e) = cause.downcast_ref::<TokenFileError>() {
            return verdict(USAGE, "token_file", Some(of_token_file(e)));
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

/// The way out of a token file that cannot be used.
fn of_token_file(error: &TokenFileError) -> String {
    match error {
        TokenFileError::Writable(path) => format!("chmod o-w {path}"),
        _ => "a line is: sha256-of-token name [email] [uuid]; printf %s TOKEN | sha256sum makes the first".to_owned(),
    }
}

/// The way out where there is no database.
const NO_DATABASE: &str = "archonctl serve makes it, or name another with --database-url";

/// The way out of a database that cannot be opened.
fn of_database(error: &OpenError) -> &'static str {
    match error {
        OpenError::UnknownUrl { .. } => {
            "--database-url or DATABASE_URL takes sqlite://PATH, sqlite::memory: or postgres://USER@HOST/DATABASE"
        }
        OpenError::Tilde { .. } => {
            "give the whole path: sqlite:///home/USER/archon.db, or in a shell \"sqlite://$HOME/archon.db\""
        }
        OpenError::Occupied { .. } => {
            "name a file of archonctl's own with --database-url: sqlite://archon.db is made anew"
        }
        OpenError::Unwritable { .. } => "make its folder writable for this user, or name another with --database-url",
        OpenError::CutShort { .. } => "archonctl db migrate repairs it, and so does a server that starts",
        OpenError::Missing { .. } => NO_DATABASE,
        OpenError::InUse { .. } => "stop the other server, or give both --database-url postgres://USER@HOST/DATABASE",
        OpenError::Foreign => "list, show and stats read it; serve needs another --database-url",
        OpenError::TooNew { .. } => "install that version, or name another database with --database-url",
        OpenError::Copy { .. } => "make room, or make its folder writable for this user",
        OpenError::Encoding { .. } => "make one for it: CREATE DATABASE archon ENCODING 'UTF8' TEMPLATE template0",
        OpenError::Migration(_) => "nothing was changed; the database's log may say more",
        OpenError::Unreachable { .. } => "check that PostgreSQL runs, and its address, user and password",
        OpenError::NotADatabase { .. } => "name another file with --database-url",
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::cli::exit::{AUTH, FAILED};
    use crate::client::{ProtocolError, Stage};

    fn connection() -> ClientError {
        let (place, cause) = ("http://127.0.0.1:1/mcp".into(), "connection refused".into());
        ClientError::Connection { place, stage: Stage::BeforeSending, cause }
    }

    fn session() -> ClientError {
        ClientError::Session { message: "ended".into(), hint: None, reopened: false }
    }

    #[test]
    fn every_error_has_its_exit_code() {
        let http = |status| ClientError::Http {
            status,
            message: "no".into(),
            hint: None,
            retry_after: None,
            may_have_run: false,
        };
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
}
