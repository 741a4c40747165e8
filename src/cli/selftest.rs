//! `archonctl selftest`: scripted checks of a server.

mod choice;
mod output;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use humantime::parse_duration as duration;
use tokio_util::sync::CancellationToken;

use self::choice::Choice;
use self::output::{Output, Style};
use super::exit::{DONE, NO, Usage};
use super::secrets;
use super::signal::{Interrupted, hung_up, interrupted};
use super::target;
use crate::client::{ClientOptions, Token};
use crate::selftest::report::Summary;
use crate::selftest::report::baseline::Baseline;
use crate::selftest::run::{self, Plan};
use crate::selftest::target::{Target, TargetError};
use crate::store::Location;

const EXAMPLES: &str = "\
Examples:
  archonctl selftest
  archonctl selftest 'recovery-*' --repeat 20 --shuffle
  archonctl selftest --database-url postgres://archon@localhost/archon --junit report.xml
  archonctl selftest --url https://mcp.example.org/mcp --token-file token
  archonctl selftest --server-cmd 'python my_server.py --port {port}' --tag recovery
  archonctl selftest --check my-scenario.toml

Without --url and --server-cmd it starts servers of its own, on free ports and temporary databases, and ends them.
NAME is the id of a scenario, a part of one, or a pattern with * and ?; --list shows them. FILE ends in .toml.";

/// Check a server by scripted scenarios: does it keep its promises?
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    target: TargetOptions,
    #[command(flatten)]
    run: RunOptions,
    #[command(flatten)]
    report: ReportOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
struct TargetOptions {
    /// A running server's MCP endpoint. Nothing is done to it but what clients do: sessions are opened, used and closed
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Start the server with this command, and stop and restart it as scenarios ask. In the command, {port} and
    /// the variable PORT are a free port; --url says where the server is then [default: `http://127.0.0.1:{port}/mcp`]
    #[arg(long, value_name = "COMMAND")]
    server_cmd: Option<String>,
    /// A PostgreSQL database for the servers that selftest starts: each gets its own schema, removed at the end.
    /// With --url: that server's database, to look into
    #[arg(long, value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Another program in the place of this one, with arguments before its `serve`: to see that selftest can fail
    #[arg(long, hide = true, value_name = "COMMAND", conflicts_with_all = ["url", "server_cmd"])]
    program: Option<String>,
    /// File with the server's bearer token; without it `ARCHONCTL_TOKEN` is the token, if set
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
struct RunOptions {
    /// How many scenarios run at the same time [default: twice the processors, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,
    /// Number of times to run each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeat: u16,
    /// Run them in random order
    #[arg(long)]
    shuffle: bool,
    /// The seed of the random order, as an earlier run printed it
    #[arg(long, value_name = "NUMBER", requires = "shuffle")]
    seed: Option<u64>,
    /// End at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Maximum time for one scenario, instead of the limit in its file
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
struct ReportOptions {
    /// One JSON event a line
    #[arg(long, conflicts_with = "tap")]
    json: bool,
    /// TAP 14
    #[arg(long)]
    tap: bool,
    /// Also write JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// File of scenarios expected to fail, one id per line; any other failure, or a pass of one of these, exits 1
    #[arg(long, value_name = "FILE")]
    expected_failures: Option<PathBuf>,
}

impl Options {
    /// Checks, and says in the exit code whether all is well.
    ///
    /// # Errors
    /// When a script, an option or the target is of no use; each has its exit code.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(done) = self.choice.only_look(self.report.json)? {
            return Ok(done);
        }
        let chosen = self.choice.chosen()?;
        let baseline = Choice::baseline(self.report.expected_failures.as_deref(), &chosen)?;
        let target = self.target.target()?;
        let seed = self.run.shuffle.then(|| self.run.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)));
        let plan = self.run.plan(chosen, seed, baseline.clone());
        let again = self.target.again(&self.choice);
        let style = if self.report.json { Style::Json } else { Style::human_or_tap(self.report.tap) };
        let mut output = Output::new(style, again, io::stderr().is_terminal());

        let stop = CancellationToken::new();
        let began = Instant::now();
        let work = async {
            let facts = tokio::select! {
                facts = target.facts() => facts.map_err(told)?,
                () = stop.cancelled() => return Ok((Vec::new(), output)),
            };
            output.begun(&self.target.shown(&facts), plan.chosen.len() * plan.repeat, seed)?;
            let report = |event: run::Event<'_>| {
                output.event(&event);
                // Nobody is left to be told, unless there is a file for it.
                if output.is_broken() && self.report.junit.is_none() {
                    stop.cancel();
                }
            };
            let outcomes = run::run(&plan, Arc::new(target), &facts, &stop, report).await;
            anyhow::Ok((outcomes, output))
        };
        tokio::pin!(work);
        // A terminal that is closed ends it like SIGTERM: its servers and their folders go with it.
        let told_to_stop = async {
            tokio::select! {
                signal = interrupted() => signal,
                () = hung_up() => Interrupted::Terminate,
            }
        };
        let (outcomes, mut output) = tokio::select! {
            // In this order: the signals are caught before anything is started.
            biased;
            signal = told_to_stop => {
                // What runs is ended by those who began it.
                stop.cancel();
                _ = work.await;
                return Err(signal.into());
            }
            done = &mut work => done?,
        };
        let (summary, took) = (Summary::of(&outcomes, &baseline), began.elapsed());
        if let Some(file) = &self.report.junit {
            output.write_junit(file, &outcomes, took)?;
        }
        output.ended(&outcomes, &baseline, &summary, took)?;
        Ok(ExitCode::from(if summary.is_good() { DONE } else { NO }))
    }
}

impl TargetOptions {
    fn target(&self) -> anyhow::Result<Target> {
        self.database_url.iter().for_each(|url| secrets::hold_url(url));
        let database = self.database_url.as_deref().map(Location::parse).transpose()?;
        match (&self.url, &self.server_cmd) {
            (_, Some(_)) if database.is_some() => {
                Err(Usage::new("--database-url is of no use with --server-cmd", "leave it out").into())
            }
            (url, Some(command)) => Ok(Target::command(command, url.as_deref(), self.token()?).map_err(told)?),
            (Some(url), None) => {
                let mut options = ClientOptions::new(url)?;
                options.token = self.token()?;
                secrets::hold(&options.secrets());
                "archonctl-selftest".clone_into(&mut options.client.name);
                Ok(Target::Url { options: Box::new(options), database })
            }
            (None, None) => {
                if matches!(database, Some(Location::SqliteFile(_) | Location::SqliteMemory)) {
                    let hint = "leave --database-url out for SQLite, or name a PostgreSQL database";
                    return Err(Usage::new("selftest makes its SQLite databases itself", hint).into());
                }
                Ok(Target::Own { program: self.program()?, database })
            }
        }
    }

    fn program(&self) -> anyhow::Result<Vec<OsString>> {
        match &self.program {
            Some(line) => {
                let words = shlex::split(line).filter(|words| !words.is_empty());
                let words =
                    words.ok_or_else(|| Usage::new(format!("{line:?} is not a command"), "quote it as for a shell"))?;
                Ok(words.into_iter().map(OsString::from).collect())
            }
            None => Ok(vec![std::env::current_exe().context("this program cannot be found")?.into()]),
        }
    }

    fn token(&self) -> anyhow::Result<Option<Token>> {
        target::token_of(self.token_file.as_deref())
    }

    /// What the target is, for people.
    fn shown(&self, facts: &crate::selftest::target::Facts) -> String {
        match (&self.url, &self.server_cmd) {
            (_, Some(command)) => format!("{} ({command})", facts.server),
            (Some(url), None) => {
                let place = ClientOptions::new(url).map(|options| options.place()).unwrap_or_default();
                format!("{} at {place}", facts.server)
            }
            (None, None) => {
                let kind = if self.database_url.is_some() { "PostgreSQL" } else { "SQLite" };
                format!("servers of its own on {kind}")
            }
        }
    }

    /// The command that runs just one scenario, but for its name. Secrets are left out.
    fn again(&self, choice: &Choice) -> output::Again {
        let mut flags = String::new();
        let quoted = |text: &str| shlex::try_quote(text).map(Cow::into_owned).unwrap_or_default();
        if let Some(url) = &self.url {
            let place = ClientOptions::new(url).map_or_else(|_| url.clone(), |options| options.place());
            flags.extend([" --url ", &quoted(&place)]);
        }
        if let Some(command) = &self.server_cmd {
            flags.extend([" --server-cmd ", &quoted(command)]);
        }
        if let Some(Ok(location)) = self.database_url.as_deref().map(Location::parse) {
            flags.extend([" --database-url ", &quoted(&location.shown())]);
        }
        if let Some(file) = &self.token_file {
            flags.extend([" --token-file ", &quoted(&file.display().to_string())]);
        }
        output::Again::new(choice.files(), flags)
    }
}

impl RunOptions {
    fn plan(&self, chosen: Vec<run::Chosen>, seed: Option<u64>, baseline: Baseline) -> Plan {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Plan {
            chosen,
            jobs: self.jobs.map_or((2 * processors).min(8), usize::from),
            repeat: usize::from(self.repeat),
            seed,
            baseline,
            fail_fast: self.fail_fast,
            timeout: self.timeout,
        }
    }
}

/// Each with the exit code that it has elsewhere, too.
fn told(error: TargetError) -> anyhow::Error {
    match error {
        TargetError::NoProgram(_) => Usage::new(error.to_string(), "check the command of --server-cmd").into(),
        TargetError::Command(_) => Usage::new(error.to_string(), "quote it as for a shell").into(),
        TargetError::Database(error) => error.into(),
        TargetError::Client(error) => error.into(),
        TargetError::Options(error) => error.into(),
        TargetError::Server(_) => error.into(),
    }
}
