//! `archonctl demo`: a server of its own, clients with habits, and the dashboard; nothing of it stays.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::dashboard::{colored, size, watch};
use super::exit::{DONE, Usage};
use super::identity;
use super::signal::interrupted;
use crate::client::{Client, ClientError, ClientOptions};
use crate::dashboard::{self, Options as View};
use crate::store::{Location, OpenOptions, Role};

/// What a server prints once it can be reached, before its address.
const LISTENING: &str = "listening on ";
/// How long it may take until then.
const START: Duration = Duration::from_secs(30);
/// How long the clients work before the one frame of `--once`.
const WARM_UP: Duration = Duration::from_secs(8);
/// The size of that frame.
const SIZE: (u16, u16) = (120, 30);

const EXAMPLES: &str = "\
Examples:
  archonctl demo
  archonctl demo --once --size 120x30

Server, clients and database are gone when it ends. Each client has a habit: steady, bursty, failing, slow, silent, leaking
(opens sessions and closes none) and tidy.";

/// See it all at once: a throw-away server, clients with habits, and the dashboard
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Print one frame after a few seconds and leave
    #[arg(long)]
    once: bool,
    /// With --once: columns and lines of the frame [default: 120x30]
    #[arg(long, value_name = "WxH", value_parser = size, requires = "once")]
    size: Option<(u16, u16)>,
}

impl Options {
    /// Runs the demonstration until its user leaves.
    ///
    /// # Errors
    /// When the server does not start, or the terminal does not do what we need.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
        if !self.once && !terminal {
            return Err(Usage::new("the dashboard needs a terminal", "add --once for one frame as text").into());
        }
        // Server, clients and folder end with this function, however it ends: each is dropped. After a SIGKILL the server
        // ends with its standard input, and removes the folder.
        let folder = tempfile::Builder::new().prefix("archonctl-demo-").tempdir();
        let folder = folder.context("cannot make a folder for the database")?;
        let database = folder.path().join("archon.db");
        let (mut server, url) = start(&database).await?;
        let mut clients = JoinSet::new();
        for habit in Habit::ALL {
            clients.spawn(habit.live(url.clone()));
        }
        let view = view(&database, self.once);
        let shown = if self.once {
            tokio::select! {
                signal = interrupted() => Err(signal.into()),
                frame = one_frame(&view, self.size.unwrap_or(SIZE)) => frame,
            }
        } else {
            watch(view).await
        };
        clients.shutdown().await;
        // It leaves no child behind; what it says at its end is of no interest.
        _ = server.kill().await;
        shown?;
        Ok(ExitCode::from(DONE))
    }
}

async fn one_frame(view: &View, size: (u16, u16)) -> anyhow::Result<()> {
    sleep(WARM_UP).await;
    let frame = dashboard::frame(view, size).await?;
    Ok(writeln!(io::stdout(), "{}", frame.trim_end())?)
}

fn view(database: &Path, once: bool) -> View {
    View {
        open: OpenOptions {
            location: Location::SqliteFile(database.to_owned()),
            role: if once { Role::Reader } else { Role::Operator },
            sync_full: false,
        },
        by: identity::actor(),
        preferences: None,
        colored: colored(),
        tab: None,
        interval: Some(Duration::from_secs(1)),
        serve_hint: "archonctl serve".to_owned(),
    }
}

/// Starts `archonctl serve` on a free port; returns it and its URL once it listens.
async fn start(database: &Path) -> anyhow::Result<(Child, String)> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut server = Command::new(program)
        .args(["serve", "--bind", "127.0.0.1:0", "--log-format", "text", "--capture", "all", "--database-url"])
        .arg(format!("sqlite://{}", database.display()))
        .args(database.parent().into_iter().flat_map(|folder| ["--throw-away".as_ref(), folder.as_os_str()]))
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a server")?;
    let mut lines = BufReader::new(server.stderr.take().context("a server without a log")?).lines();
    let listening = async {
        let mut log = Vec::new();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, url)) = line.split_once(LISTENING) {
                return Ok(url.split_whitespace().next().unwrap_or_default().to_owned());
            }
            log.push(line);
        }
        bail!("the server has ended: {}", log.join("; "))
    };
    let url = timeout(START, listening).await.context("the server does not listen")??;
    // Its log has to be read, or it would wait for us one day.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((server, url))
}

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
enum Habit {
    /// A call now and then, all day.
    Steady,
    /// Many calls, then none.
    Bursty,
    /// The same wrong call again and again.
    Failing,
    /// A call every few seconds.
    Slow,
    /// Connects and calls nothing.
    Silent,
    /// Opens sessions and closes none.
    Leaking,
    /// Opens a session, does its work, closes it.
    Tidy,
}

impl Habit {
    const ALL: [Self; 7] =
        [Self::Steady, Self::Bursty, Self::Failing, Self::Slow, Self::Silent, Self::Leaking, Self::Tidy];

    /// The program that it passes itself off as.
    const fn client(self) -> &'static str {
        match self {
            Self::Steady => "claude-code",
            Self::Bursty => "cursor",
            Self::Failing => "windsurf",
            Self::Slow => "kiro",
            Self::Silent => "gemini-cli",
            Self::Leaking => "cline",
            Self::Tidy => "codex",
        }
    }

    /// Lives like that until it is stopped. A client that loses its server tries again.
    async fn live(self, url: String) {
        loop {
            if self.session(&url).await.is_err() {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// One session.
    async fn session(self, url: &str) -> Result<(), ClientError> {
        let Ok(mut options) = ClientOptions::new(url) else { return Ok(()) };
        self.client().clone_into(&mut options.client.name);
        "1.0.0".clone_into(&mut options.client.version);
        let client = Client::connect(options).await?;
        let pause = |ms| sleep(Duration::from_millis(ms));
        match self {
            Self::Steady => loop {
                call(&client, "health_check", json!({})).await?;
                pause(300).await;
                call(&client, "find_projects", json!({"query": "garden"})).await?;
                pause(500).await;
            },
            Self::Bursty => loop {
                for n in 0..25 {
                    call(&client, "find_projects", json!({"query": format!("house {n}")})).await?;
                }
                pause(3000).await;
            },
            Self::Failing => loop {
                call(&client, "manage_project", json!({"action": "delete", "project_id": "missing"})).await?;
                pause(900).await;
            },
            Self::Slow => loop {
                call(&client, "session_info", json!({})).await?;
                pause(4000).await;
            },
            Self::Silent => loop {
                pause(60_000).await;
            },
            Self::Leaking => {
                call(&client, "heartbeat", json!({})).await?;
                pause(1500).await;
            }
            Self::Tidy => {
                call(&client, "manage_project", json!({"action": "create", "title": "Garden"})).await?;
                pause(700).await;
                client.close().await?;
            }
        }
        Ok(())
    }
}

/// A call; that the tool says no is part of the habit.
async fn call(client: &Client, tool: &str, arguments: serde_json::Value) -> Result<(), ClientError> {
    match client.call_tool(tool, arguments).await {
        Ok(_) | Err(ClientError::Tool(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
