//! `archonctl dashboard`: the live view.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use humantime::parse_duration as duration;

use super::database::{Database, NoDatabase};
use super::exit::{DONE, Usage};
use super::output::json;
use super::signal::{hung_up, interrupted};
use super::{identity, paths};
use crate::dashboard::{self, DashboardError, Options as View, Tab};
use crate::store::{OpenError, OpenOptions, Role};

const EXAMPLES: &str = "\
Examples:
  archonctl dashboard
  archonctl dashboard --read-only --interval 5s --screen requests
  archonctl dashboard --once --size 120x40
  archonctl dashboard --once -o json | jq .counts

? shows all keys. Filters, sorting, screen and interval are kept for the next time.
JSON: {\"version\": 1, \"at\", \"database\", \"server\", \"counts\", \"minutes\", \"warnings\", \"sessions\", \"latest\",
\"requests\", \"tools\", \"tool_hours\", \"slowest\", \"clients\", \"events\", \"history\"}: its parts have the shapes that list,
requests, events and stats print; a tool's hour is {\"tool\", \"hour\", \"calls\"}.";

/// The size of a frame where there is no terminal.
const SIZE: (u16, u16) = (120, 40);
/// The least and the greatest size of a frame.
const SIZES: (u16, u16) = (20, 1000);

/// Watch sessions, requests, tools and clients live
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Change nothing: no session can be ended
    #[arg(long)]
    read_only: bool,
    /// Time between refreshes: 500ms to 1m
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    interval: Option<Duration>,
    /// The first screen: sessions, requests, tools, clients, events, history, boots
    #[arg(long, value_name = "NAME", value_parser = screen)]
    screen: Option<Tab>,
    /// Print one frame and leave
    #[arg(long)]
    once: bool,
    /// With --once: `text` [default], or `json`, all data
    #[arg(short = 'o', long = "output", value_name = "FORMAT", requires = "once", hide_possible_values = true)]
    output: Option<Format>,
    /// The same as -o json
    #[arg(long, requires = "once", conflicts_with = "output")]
    json: bool,
    /// With --once: columns and lines of the frame [default: the terminal's, or 120x40]
    #[arg(long, value_name = "WxH", value_parser = size, requires = "once")]
    size: Option<(u16, u16)>,
    /// Number of refreshes to measure, without a terminal; prints what they cost
    #[arg(long, value_name = "N", hide = true, conflicts_with = "once")]
    measure: Option<usize>,
    /// Number of refreshes of all screens to make without a pause or a terminal; prints the memory that they take
    #[arg(long, value_name = "N", hide = true, conflicts_with_all = ["once", "measure"])]
    endure: Option<usize>,
    #[command(flatten)]
    database: Database,
}

/// What one frame is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    // No doc comments: one would turn the whole --help into its long form.
    Text,
    Json,
}

fn screen(name: &str) -> Result<Tab, String> {
    let names = || Tab::ALL.map(|tab| tab.title().to_lowercase()).join(", ");
    Tab::named(name).ok_or_else(|| format!("there are {}", names()))
}

/// `120x40`: columns and lines.
pub(super) fn size(text: &str) -> Result<(u16, u16), String> {
    let numbers = text.split_once('x').and_then(|(wide, high)| Some((wide.parse().ok()?, high.parse().ok()?)));
    let fits = |n: u16| (SIZES.0..=SIZES.1).contains(&n);
    numbers
        .filter(|(wide, high)| fits(*wide) && (5..=SIZES.1).contains(high))
        .ok_or_else(|| format!("such as 120x40, {} to {} columns", SIZES.0, SIZES.1))
}

impl Options {
    /// Shows it.
    ///
    /// # Errors
    /// Each with its exit code: see [`super::exit`].
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(refreshes) = self.measure {
            let view = self.view(None)?;
            print(&dashboard::measure(&view, self.size.unwrap_or(SIZE), refreshes).await.map_err(told)?)?;
        } else if let Some(refreshes) = self.endure {
            let view = self.view(None)?;
            print(&dashboard::endure(&view, self.size.unwrap_or(SIZE), refreshes).await.map_err(told)?)?;
        } else if self.once {
            self.print_once().await?;
        } else {
            if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
                let hint = "add --once for one frame as text, or --once -o json for the data";
                return Err(Usage::new("the dashboard needs a terminal", hint).into());
            }
            watch(self.view(paths::state_folder().ok().map(|folder| folder.join("dashboard.json")))?).await?;
        }
        Ok(ExitCode::from(DONE))
    }

    async fn print_once(&self) -> anyhow::Result<()> {
        let view = self.view(None)?;
        if self.json || self.output == Some(Format::Json) {
            return print(&json(&dashboard::document(&view).await.map_err(told)?));
        }
        let terminal = || crossterm::terminal::size().ok().filter(|_| io::stdout().is_terminal());
        let size = self.size.or_else(terminal).unwrap_or(SIZE);
        print(dashboard::frame(&view, size).await.map_err(told)?.trim_end())
    }

    fn view(&self, preferences: Option<std::path::PathBuf>) -> anyhow::Result<View> {
        let location = self.database.location()?;
        let role = if self.read_only || self.once { Role::Reader } else { Role::Operator };
        Ok(View {
            serve_hint: self.database.serve_hint()?,
            open: OpenOptions { location, role, sync_full: false },
            by: identity::actor(),
            preferences,
            colored: colored(),
            tab: self.screen,
            interval: self.interval,
        })
    }
}

/// Runs a dashboard on this terminal until its user leaves or we are told to stop.
///
/// # Errors
/// When the terminal does not do what we need; [`super::signal::Interrupted`] when we were told to stop.
pub(super) async fn watch(view: View) -> anyhow::Result<()> {
    let stopped = std::sync::OnceLock::new();
    let stop = async {
        tokio::select! {
            // Set once, here.
            signal = interrupted() => {
                _ = stopped.set(signal);
            }
            // The terminal is gone: nobody is left to be told.
            () = hung_up() => {}
        }
    };
    dashboard::run(view, stop).await.map_err(told)?;
    match stopped.into_inner() {
        Some(signal) => Err(signal.into()),
        None => Ok(()),
    }
}

/// Whether there are colours: not with `NO_COLOR`, and not on a dumb terminal.
pub(super) fn colored() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Errors as the exit codes know them.
fn told(error: DashboardError) -> anyhow::Error {
    match error {
        DashboardError::Open(OpenError::Missing { database }) => NoDatabase { database, user: identity::user() }.into(),
        DashboardError::Open(error) => error.into(),
        DashboardError::Store(error) => error.into(),
        DashboardError::Terminal(_) => error.into(),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}
