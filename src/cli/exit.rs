//! Exit codes, and how an error is told.

mod client;
mod codes;
mod failures;
mod style;
mod verdict;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Error;
use rustix::io::Errno;
use rustix::termios::tcgetattr;
use serde_json::json;

use super::output::{colour_is_welcome, paragraph, printable};
use super::secrets;
use crate::model::harmless;
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
/// wanted: that is success. So is a terminal that was closed.
pub(super) fn leave(error: &Error, style: Style) -> ExitCode {
    if is_closed_pipe(error) || has_no_terminal(error) {
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

/// Help and version on standard output; what is wrong with the arguments, which are repeated in it, on standard error.
fn print_usage(usage: &clap::Error) -> ExitCode {
    let page = usage.render();
    if usage.use_stderr() {
        // When standard error is closed there is nobody to tell.
        _ = io::stderr().write_all(page_shown(&page, io::stderr().is_terminal()).as_bytes());
        return ExitCode::from(USAGE);
    }
    let mut out = io::stdout().lock();
    let page = page_shown(&page, out.is_terminal());
    match out.write_all(page.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(DONE),
        Err(error) => leave(&Error::from(error).context("cannot write the help"), Style::Text),
    }
}

/// A page of the parser's, with its colours where they are welcome.
fn page_shown(page: &clap::builder::StyledStr, is_terminal: bool) -> String {
    let plain = page.to_string();
    // Its escapes cannot be told from those that somebody has put into an argument.
    if is_terminal && colour_is_welcome() && plain == printable(&plain) {
        return secrets::hidden(&page.ansi().to_string()).into_owned();
    }
    printable(&secrets::hidden(&plain))
}

fn told(error: &Error, verdict: &Verdict, style: Style) -> String {
    let message = secrets::hidden(&message(error)).into_owned();
    let hint = verdict.hint.as_deref().map(secrets::hidden);
    match style {
        Style::Json => {
            let error = json!({"code": verdict.code, "message": message, "hint": hint});
            format!("{}\n", harmless::json(&json!({ "error": error }).to_string()))
        }
        Style::Text => {
            let Some(hint) = hint else { return format!("error: {}\n", paragraph(&message)) };
            // A server may say it in its message as well, for clients that show nothing else.
            let message = message.replace(&format!("; {hint}"), "");
            if says(&message, &hint) {
                return format!("error: {}\n", paragraph(&message));
            }
            format!("error: {}\nhint: {}\n", paragraph(&message), paragraph(&hint))
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

/// Whether the terminal that we read or write has been closed: each try ends in EIO then. While it is there, that is a file
/// on a broken disk.
fn has_no_terminal(error: &Error) -> bool {
    let is_eio = |e: &io::Error| e.raw_os_error() == Some(Errno::IO.raw_os_error());
    let ours = error.chain().take_while(|cause| !cause.is::<StoreError>() && !cause.is::<OpenError>());
    let is_gone = || tcgetattr(io::stdout()).is_err_and(|errno| errno == Errno::IO);
    ours.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_eio) && is_gone()
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
    fn a_servers_words_drive_no_terminal_and_begin_no_line() {
        let words = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}b\nerror: c\r\nhint: d\u{2028}hint: e";
        let error = ClientError::Session { message: words.into(), hint: Some(words.into()), reopened: false };
        let error = Error::from(error);
        let text = told(&error, &judge(&error), Style::Text);
        assert!(!text.contains(|c| harmless::is_harmful(c) && c != '\n'), "{text:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("error:")).count(), 1, "{text}");
        assert!(text.lines().filter(|line| line.starts_with("hint:")).count() <= 1, "{text}");
        let line = told(&error, &judge(&error), Style::Json);
        assert!(!line.trim_end().contains(harmless::is_harmful), "{line:?}");
        let document: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert!(document["error"]["message"].as_str().is_some_and(|message| message.contains(words)), "{line}");
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
