//! `archonctl selftest`: the format ([`script`]), what each step sees ([`steps`]), what a run comes to ([`verdicts`]), what
//! hostile scripts and servers do to it ([`hostile`]), the scenarios that come with it ([`builtin`]), and what the README says
//! of it ([`readme`]), what is told of a hostile server ([`reports`]), and that each of them can fail ([`faults`]).

mod builtin;
mod faults;
mod hostile;
mod readme;
mod reports;
mod script;
mod steps;
mod targets;
mod verdicts;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::archonctl;

/// For whatever should happen soon: generous, since a passing test never waits for it.
const SOON: Duration = Duration::from_secs(30);

/// A folder for scenarios, in which also lies whatever selftest makes for a while.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// `archonctl selftest ARGS` in the folder.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = archonctl(self.path());
        command.arg("selftest").args(args).env("TMPDIR", self.path());
        command
    }

    async fn run(&self, args: &[&str]) -> Run {
        let mut command = self.command(args);
        // Servers of the test's own runtime must go on meanwhile.
        let output = tokio::task::spawn_blocking(move || command.output().expect("it ran")).await.expect("joined");
        Run(output)
    }

    /// Runs a scenario given as text, and returns its one `finished` event.
    async fn play(&self, scenario: &str, args: &[&str]) -> Value {
        self.file("it.toml", scenario);
        let run = self.run(&[&["it.toml", "--json"], args].concat()).await;
        let finished: Vec<_> = run.events().into_iter().filter(|event| event["event"] == "finished").collect();
        assert_eq!(finished.len(), 1, "{run}");
        finished[0].clone()
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    /// Processes that run in this folder or below.
    fn processes(&self) -> Vec<u32> {
        let folder = self.path().canonicalize().expect("a folder");
        let all = std::fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder)))
            .collect()
    }

    /// Waits until nothing of selftest is left: no process, and no folder but our own files.
    async fn until_nothing_is_left(&self) {
        let begun = Instant::now();
        loop {
            let folders: Vec<_> = std::fs::read_dir(self.path())
                .expect("a folder")
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| name.starts_with("archonctl-selftest-"))
                .collect();
            let processes = self.processes();
            if processes.is_empty() && folders.is_empty() {
                return;
            }
            assert!(begun.elapsed() < SOON, "left behind: {processes:?} {folders:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A run that has ended.
struct Run(Output);

impl Run {
    fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// The lines of `--json`.
    fn events(&self) -> Vec<Value> {
        let out = self.out();
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}\n{self}"))).collect()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n{}\n{}", self.code(), self.out(), self.err())
    }
}

/// A scenario on a server of its own with its database, with these steps.
fn own(steps: &str) -> String {
    format!("name = \"A promise\"\n[needs]\nown_server = true\nstore = true\n{steps}")
}

/// What a failure says: its message.
#[track_caller]
fn message(finished: &Value) -> String {
    finished["failure"]["message"].as_str().unwrap_or_else(|| panic!("no failure: {finished:#}")).to_owned()
}
