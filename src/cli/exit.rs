//! Exit codes, and how an error is told.

mod client;
mod codes;
mod failures;
mod style;
mod verdict;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Error;
use serde_json::json;

use super::output::printable;
use crate::store::{OpenError, StoreError};
pub use codes::{AUTH, DONE, FAILED, INTERRUPTED, NO, NO_SESSION, TERMINATED, UNREACHABLE, USAGE};
pub(super) use failures::Failure;
pub use failures::{NoSession, Usage};
pub(super) use style::Style;
use verdict::{Verdict, judge};

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
            if says(&message, hint) {
                return printable(&format!("error: {message}\n"));
            }
            printable(&format!("error: {message}\nhint: {hint}\n"))
        }
    }
}

/// Whether a message has the hint in it, in upper or lower case.
fn says(message: &str, hint: &str) -> bool {
    message.to_lowercase().contains(hint.trim().trim_end_matches('.').to_lowercase().as_str())
}

/// The chain of causes in one line; of a parser's error, which is a page, the first paragraph.
fn message(error: &Error) -> String {
    let Some(usage) = error.downcast_ref::<clap::Error>() else { return chain(error) };
    let page = usage.to_string();
    let first = page.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Each cause once: some say what theirs say.
fn chain(error: &Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match &*told {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

/// Whether the reader of our output has gone. A connection to a database is no output.
fn is_closed_pipe(error: &Error) -> bool {
    let ours = error.chain().take_while(|cause| !cause.is::<StoreError>() && !cause.is::<OpenError>());
    ours.filter_map(|c| c.downcast_ref::<io::Error>()).any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ClientError, Stage};
    use anyhow::Context;
    use clap::Parser;

    fn connection() -> ClientError {
        let (place, cause) = ("http://127.0.0.1:1/mcp".into(), "connection refused".into());
        ClientError::Connection { place, stage: Stage::BeforeSending, cause }
    }

    #[test]
    fn a_cause_is_told_once_and_a_databases_pipe_is_not_ours() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let error = Error::from(StoreError::unavailable(broken())).context("cannot read it");
        assert_eq!(message(&error), "cannot read it: the database does not answer: broken pipe");
        assert!(!is_closed_pipe(&error));
        assert!(is_closed_pipe(&Error::from(broken()).context("cannot write it")));
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
    fn the_way_out_is_said_once() {
        let error = |message: &str, hint: &str| {
            let error = Error::from(Usage::new(message, hint));
            told(&error, &judge(&error), Style::Text)
        };
        assert_eq!(error("it is busy; Try again (-32000)", "try again."), "error: it is busy; Try again (-32000)\n");
        assert_eq!(error("it is busy; try again", "try again"), "error: it is busy\nhint: try again\n");
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let closed = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot write");
        assert!(is_closed_pipe(&closed.expect_err("an error")));
        assert!(!is_closed_pipe(&connection().into()));
    }
}
