//! `--help` of every command: it fits, and its examples are commands that the parser takes.

use archonctl::cli::{Cli, exit};
use clap::{Command, CommandFactory};

use crate::process::{archonctl, closed_pipe};

/// Every command that can be seen, by path, the program itself included.
pub(crate) fn commands() -> Vec<(Vec<String>, Command)> {
    let mut found = Vec::new();
    collect(Cli::command(), &[], &mut found);
    assert!(found.len() > 5, "only {}", found.len());
    found
}

fn collect(command: Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let path = [path, &[below.get_name().to_owned()]].concat();
        collect(below.clone(), &path, found);
    }
    found.push((path.to_vec(), command));
}

#[test]
fn examples_are_commands() {
    for (path, command) in commands().into_iter().filter(|(path, _)| !path.is_empty()) {
        let help = command.get_after_help().unwrap_or_else(|| panic!("{path:?} shows no examples")).to_string();
        let block = help.strip_prefix("Examples:\n").unwrap_or_else(|| panic!("{path:?} begins otherwise:\n{help}"));
        let block: Vec<_> = block.lines().take_while(|line| line.starts_with("  ")).collect();
        let block = block.join("\n").replace("\\\n", " ");
        let mut own = 0;
        for line in block.lines() {
            let typed = line.split(['|', '>', ';']).next().unwrap_or_default();
            let words = shlex::split(typed).unwrap_or_else(|| panic!("{path:?}: {line}"));
            assert_eq!(words.first().map(String::as_str), Some("archonctl"), "{path:?}: {line}");
            own += usize::from(words[1..].starts_with(&path));
            if let Err(error) = Cli::command().try_get_matches_from(&words) {
                panic!("{path:?}: {line}\n{error}");
            }
        }
        assert!(own > 0, "{path:?}: no example shows the command itself");
    }
}

#[test]
fn help_of_every_command_fits() {
    let home = tempfile::tempdir().expect("a temporary folder");
    for (path, _) in commands() {
        let output = archonctl(home.path()).args(&path).arg("--help").output().expect("it ran");
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{path:?}");
        assert!(output.stderr.is_empty(), "{path:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
        assert!(widest.chars().count() <= 120, "{path:?}: {widest}");
        assert!(!text.contains('\u{1b}'), "{path:?}: colour off a terminal");
        assert!(text.contains(if path.is_empty() { "Exit codes:" } else { "Examples:" }), "{path:?}");
    }
}

/// A page that could not be written is not done; a reader who has seen enough is.
#[test]
fn what_cannot_be_printed_is_an_error() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let pages = commands().into_iter().map(|(path, _)| [path, vec!["--help".to_owned()]].concat());
    let others =
        [&["--version"][..], &["help"], &["man"], &["completions", "bash"], &["config", "show"], &["config", "paths"]];
    let others = others.iter().map(|args| args.iter().map(|&word| word.to_owned()).collect());
    for args in pages.chain(others) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
        let output = archonctl(home.path()).args(&args).stdout(full).output().expect("it ran");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{args:?}: {told}");
        assert!(told.starts_with("error: ") && told.contains("No space left"), "{args:?}: {told}");
        assert_eq!(
            closed_pipe(home.path(), &args.iter().map(String::as_str).collect::<Vec<_>>()).0,
            Some(0),
            "{args:?}"
        );
    }
}
