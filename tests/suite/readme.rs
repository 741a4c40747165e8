//! What the README shows is run, and what it says comes out is compared with what does. In [`guide`] the same for the
//! commands of the guide that this program answers.
//!
//! A block after `<!-- story: NAME -->` is run: `sh` as it stands; `console` command by command (`$ `), each with its
//! output below it. There `…` alone on a line stands for any lines, and within a line for any text.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use shell::Shell;

mod guide;
mod shell;

const README: &str = include_str!("../../README.md");
/// The story builds a release and puts it on the PATH; here the program under test is there already.
const BUILD: [&str; 2] = ["cargo build --release", r#"export PATH="$PWD/target/release:$PATH""#];
/// The README's port may be taken on the machine that runs the tests.
const ADDRESS: &str = "localhost:8051";

#[test]
fn the_story_is_true() {
    let folder = TempDir::new().expect("a temporary folder");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let mut shell = Shell::start(folder.path(), free);
    let blocks = story(README);
    assert!(blocks.len() > 3, "the README tells no story");
    for block in blocks {
        for Step { command, shown } in block.steps() {
            let command = command.replace(ADDRESS, &format!("localhost:{}", free.port()));
            let printed = shell.run(&command);
            let lines: Vec<_> = printed.trim_end().lines().map(str::trim_end).collect();
            let shown: Vec<_> = shown.iter().map(String::as_str).collect();
            assert!(
                lines_match(&shown, &lines),
                "{}: $ {command}\nthe README shows:\n{}\nit printed:\n{printed}\nlog:\n{}",
                block.name,
                shown.join("\n"),
                fs::read_to_string(folder.path().join(shell::ERRORS)).unwrap_or_default()
            );
            if command.trim_end().ends_with('&') {
                await_port(free, true);
            } else if command.starts_with("kill ") {
                await_port(free, false);
            }
        }
    }
}

/// Whoever types the story gives the server that moment; nobody would notice it.
fn await_port(address: std::net::SocketAddr, open: bool) {
    let begun = Instant::now();
    while TcpStream::connect(address).is_ok() != open {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "{address} does not {}",
            if open { "listen" } else { "close" }
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// A block of the story.
struct Block {
    name: String,
    console: bool,
    lines: Vec<String>,
}

/// A command, and what the README shows as its output.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    shown: Vec<String>,
}

/// The blocks of the story in their order.
///
/// # Panics
///
/// On a marker that nobody knows or that has no block, and on a block of the story without a marker: it would not be run.
fn story(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut marker, mut section) = (None, "");
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->")) {
            assert!(marker.is_none(), "{marker:?} stands before no block");
            marker = comment.strip_prefix("story: ");
            assert!(
                marker.is_some() || ["bench", "end of bench", "compare"].contains(&comment),
                "unknown marker: {comment}"
            );
        } else if let Some(language) = line.strip_prefix("```") {
            let body = lines.by_ref().take_while(|l| *l != "```").map(str::to_owned).collect();
            assert!(marker.is_some() || section != "## The story", "a block of the story that is not run: {body:?}");
            let Some(name) = marker.take() else { continue };
            assert!(matches!(language, "sh" | "console"), "{name}: cannot run {language:?}");
            blocks.push(Block { name: name.to_owned(), console: language == "console", lines: body });
        } else {
            assert!(marker.is_none() || line.is_empty(), "{marker:?} stands before no block");
            section = if line.starts_with("## ") { line } else { section };
        }
    }
    assert!(marker.is_none(), "{marker:?} stands before no block");
    blocks
}

impl Block {
    fn steps(&self) -> Vec<Step> {
        if !self.console {
            let command: Vec<_> = self.lines.iter().map(String::as_str).filter(|l| !BUILD.contains(l)).collect();
            return vec![Step { command: command.join("\n"), shown: Vec::new() }];
        }
        let mut steps: Vec<Step> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (_, Some(step)) if is_open(&step.command) => {
                    write!(step.command, "\n{line}").expect("a string takes it");
                }
                (Some(command), _) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
                (None, Some(step)) => step.shown.push(line.clone()),
                (None, None) => panic!("{}: output before any command: {line}", self.name),
            }
        }
        steps
    }
}

/// Whether a shell would ask for another line: after a backslash, or within quotes.
fn is_open(command: &str) -> bool {
    let (mut quote, mut escaped) = (None, false);
    for c in command.chars() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    escaped || quote.is_some()
}

fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], _) => printed.is_empty(),
        (["…", rest @ ..], _) => (0..=printed.len()).any(|n| lines_match(rest, &printed[n..])),
        ([first, rest @ ..], [line, more @ ..]) => line_matches(first, line) && lines_match(rest, more),
        _ => false,
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let Some((start, rest)) = shown.split_once('…') else { return shown == printed };
    let Some(printed) = printed.strip_prefix(start) else { return false };
    (0..=printed.len()).any(|n| printed.get(n..).is_some_and(|p| line_matches(rest, p)))
}

mod tests {
    use super::*;

    #[test]
    fn a_console_block_is_read_as_typed() {
        let readme = "<!-- story: a -->\n```console\n$ echo \\\n  'b\nc' \"d\\\"\"\nb\n…\n$ true\n```\n";
        let [block] = &story(readme)[..] else { panic!("one block") };
        let step = |command: &str, shown: &[&str]| Step {
            command: command.to_owned(),
            shown: shown.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(block.steps(), [step("echo \\\n  'b\nc' \"d\\\"\"", &["b", "…"]), step("true", &[])]);
    }

    #[test]
    fn nothing_is_passed_over() {
        for bad in [
            "<!-- stroy: a -->\n```sh\ntrue\n```",
            "<!-- story: a -->\ntext",
            "<!-- story: a -->",
            "<!-- story: a -->\n```python\n```",
            "## The story\n```sh\ntrue\n```",
        ] {
            assert!(std::panic::catch_unwind(|| story(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_ellipsis_stands_for_what_is_left_out_and_nothing_else() {
        assert!(lines_match(&["a", "…", "d…f"], &["a", "b", "c", "def"]));
        assert!(lines_match(&["…", "a…"], &["a"]));
        for printed in [&["b"][..], &["a", "b"], &["a", "d"], &[]] {
            assert!(!lines_match(&["a", "…", "c…"], printed), "{printed:?}");
        }
    }
}
