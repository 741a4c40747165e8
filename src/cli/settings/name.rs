//! What the configuration file and the environment call an argument.

use clap::{Arg, ArgAction};

/// Flags that say what this one invocation does, or what a script reads from it: neither a variable nor a file may say
/// that for all of them: least of all which sessions are ended, which program is started, and what is agreed to. A header
/// may hold a token.
pub(super) const THIS_TIME_ONLY: &[&str] = &[
    "accept-defaults",
    "all",
    "archon-session",
    "args",
    "check",
    "cli",
    "client",
    "config",
    "dir",
    "dry-run",
    "follow",
    "header",
    "idle",
    "json",
    "kind",
    "once",
    "origin",
    "output",
    "reason",
    "server",
    "session",
    "since",
    "status",
    "stdio",
    "tool",
    "user",
    "watch",
    "yes",
];

/// What the file and the environment call an argument; `None` where neither may speak of it.
pub(in crate::cli) fn name_of<'a>(command: &str, arg: &'a Arg) -> Option<&'a str> {
    let kind = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue);
    let long = arg.get_long().filter(|long| kind && !arg.is_hide_set() && !THIS_TIME_ONLY.contains(long))?;
    Some(match (command, long) {
        // A server's file holds hashes of everybody's tokens, a client's its own token.
        ("serve", _) => long,
        (_, "token-file") => "client-token-file",
        // What is checked, and how, is said each time: least of all may a variable name a database or server for it.
        ("selftest", other) if other != "jobs" => return None,
        _ => long,
    })
}
