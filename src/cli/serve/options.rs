//! What `archonctl serve` can be told, by group.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use humantime::parse_duration as duration;

use super::renames::Rename;
use super::size::size;
use super::values::{Captures, OnOff, Retention, Sync, retention};
use crate::accounting::tokens::TokenMethod;
use crate::cli::exit::Usage;
use crate::cli::logging;
use crate::server::{HostPattern, OriginPattern};
use crate::store::boots::SeenEnd;

/// The longest time that is taken for meant: sums of times stay times.
const LONGEST: Duration = Duration::from_hours(24 * 36_525);

// How long sessions live, how many there may be, and how safely they are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sessions")]
pub(super) struct SessionOptions {
    /// Idle time after which an Archon session ends; its connection goes on, and opens the next one
    #[arg(long, default_value = "1h", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_SESSION_TIMEOUT")]
    pub(super) session_timeout: Duration,
    /// Idle time after which a connection (Mcp-Session-Id) ends; must not be shorter than the session timeout
    #[arg(long, default_value = "30d", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_PROTOCOL_SESSION_TIMEOUT")]
    pub(super) protocol_session_timeout: Duration,
    /// Age at which a connection ends, used or not, and its Archon session with it [default: none]
    #[arg(long, value_parser = duration, value_name = "TIME", env = "ARCHONCTL_MAX_SESSION_AGE")]
    pub(super) max_session_age: Option<Duration>,
    /// Maximum time without any server that does not count as idle
    #[arg(long, default_value = "24h", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_RECOVER_WINDOW")]
    pub(super) recover_window: Duration,
    /// How often sessions past their time are ended
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_CLEANUP_INTERVAL")]
    pub(super) cleanup_interval: Duration,
    /// Request rows, events and ended sessions older than this are removed, and sums by minute and hour after 90 days at the
    /// earliest; those by day stay. `off` keeps all
    #[arg(long, default_value = "30d", value_parser = retention, value_name = "TIME|off", env = "ARCHONCTL_RETENTION")]
    pub(super) retention: Retention,
    /// How long known sessions are trusted, and calls accepted, while the database does not answer
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_STORE_GRACE")]
    pub(super) store_grace: Duration,
    /// Maximum number of live connections. At the limit the longest idle ones, beyond the session timeout, are ended;
    /// if there are none, `initialize` is answered with 503
    #[arg(long, default_value = "100000", value_name = "N", env = "ARCHONCTL_MAX_SESSIONS")]
    pub(super) max_sessions: u64,
    /// Live sessions of one principal, and, from 1,000 on, those that it opens within an hour; then 429. 0 is no limit
    /// [default: a tenth of --max-sessions where tokens are asked for, else none]
    #[arg(long, value_name = "N", env = "ARCHONCTL_MAX_SESSIONS_PER_PRINCIPAL")]
    pub(super) max_sessions_per_principal: Option<u64>,
    /// Sessions that one principal, or without tokens one address, may open a second, with bursts of twenty times as many;
    /// beyond that 429. 0 is no limit
    #[arg(long, default_value = "50", value_name = "N", env = "ARCHONCTL_MAX_INITIALIZE_RATE")]
    pub(super) max_initialize_rate: u32,
    /// Size of the database from which on `initialize` is answered 503, such as 20GiB; the sessions that there are go on.
    /// The same holds where its disk has less than 128 MiB left. 0 is no limit [default: none]
    #[arg(long, value_name = "SIZE", value_parser = size, env = "ARCHONCTL_MAX_DATABASE_SIZE")]
    pub(super) max_database_size: Option<u64>,
    /// SQLite: `full` survives power loss too, `normal` the end of the process
    #[arg(long, value_name = "LEVEL", default_value = "normal", env = "ARCHONCTL_SYNC")]
    pub(super) sync: Sync,
}

impl SessionOptions {
    /// How many sessions a principal may have. Without tokens everybody is the same one, behind a proxy even at the same
    /// address, and none is kept from the others' share.
    pub(super) fn share_of_a_principal(&self, asks_for_tokens: bool) -> Option<u64> {
        let share = asks_for_tokens.then_some((self.max_sessions / 10).max(1));
        self.max_sessions_per_principal.or(share).filter(|most| *most > 0)
    }

    /// How many sessions somebody may open a second.
    pub(super) fn initialize_rate(&self) -> Option<u32> {
        Some(self.max_initialize_rate).filter(|rate| *rate > 0)
    }

    /// Refuses times that would end every session, or none in time.
    pub(super) fn check(&self) -> Result<(), Usage> {
        let times = [
            ("--session-timeout", Some(self.session_timeout)),
            ("--protocol-session-timeout", Some(self.protocol_session_timeout)),
            ("--max-session-age", self.max_session_age),
            ("--cleanup-interval", Some(self.cleanup_interval)),
        ];
        for (name, time) in times {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(Usage::new(format!("{name} 0 leaves no time at all"), "give it a time such as 1h"));
            }
            if time.is_some_and(|time| time > LONGEST) {
                return Err(Usage::new(format!("{name} is longer than a hundred years"), "give it a shorter time"));
            }
        }
        if self.protocol_session_timeout < self.session_timeout {
            return Err(Usage::new(
                "--protocol-session-timeout is shorter than --session-timeout: a connection would end before its Archon session",
                "make it as long, or longer",
            ));
        }
        if self.max_sessions == 0 {
            return Err(Usage::new("--max-sessions 0 lets nobody in", "give it at least 1"));
        }
        Ok(())
    }
}

// What is done and kept of calls.
#[derive(Debug, Args)]
#[command(next_help_heading = "Calls")]
pub(super) struct CallOptions {
    /// Whether each handled request leaves a row
    #[arg(long, value_name = "ON|OFF", hide_possible_values = true, default_value = "on", env = "ARCHONCTL_TRACKING")]
    pub(super) tracking: OnOff,
    /// How tokens are counted: `approx` is bytes / 4; `o200k` and `cl100k` are in a program built with `--features tokenizers`
    #[arg(long, value_name = "METHOD", default_value = "approx", value_parser = token_method(), env = "ARCHONCTL_TOKENS")]
    pub(super) tokens: TokenMethod,
    /// Whose arguments and error answers are kept, cut to 4 KiB and with secrets masked as far as they are recognised. With
    /// `off` no value of an argument is kept anywhere
    #[arg(long, value_name = "WHICH", default_value = "off", env = "ARCHONCTL_CAPTURE")]
    pub(super) capture: Captures,
    /// How long captures are kept; `off` keeps them for ever
    #[arg(long, default_value = "24h", value_parser = retention, value_name = "TIME|off", env = "ARCHONCTL_CAPTURE_RETENTION")]
    pub(super) capture_retention: Retention,
    /// TOML file with prices in USD per 1,000 tokens, for `estimated_cost`
    #[arg(long, value_name = "FILE", env = "ARCHONCTL_PRICES")]
    pub(super) prices: Option<PathBuf>,
    /// Time after which a tool call is cancelled
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_TOOL_TIMEOUT")]
    pub(super) tool_timeout: Duration,
    /// Maximum time that an answer waits for its row to be on disk
    #[arg(long, default_value = "250ms", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_ACK_DEADLINE")]
    pub(super) ack_deadline: Duration,
    /// Tools for tests: `test_echo`, `test_sleep`, `test_fail`, `test_panic`, `test_break`
    #[arg(long, hide = true)]
    pub(super) test_tools: bool,
}

impl CallOptions {
    /// Refuses a count that this program cannot make.
    pub(super) fn check(&self) -> Result<(), Usage> {
        if self.tokens.is_available() {
            return Ok(());
        }
        Err(Usage::new(
            format!("--tokens {}: this program was built without tokenizers", self.tokens.as_str()),
            "build it with `cargo build --release --features tokenizers`, or take `--tokens approx`",
        ))
    }
}

fn token_method() -> impl TypedValueParser<Value = TokenMethod> {
    let names = PossibleValuesParser::new(TokenMethod::ALL.map(TokenMethod::as_str));
    names.try_map(|name| TokenMethod::parse(&name).ok_or("it is none of these"))
}

// Who is let in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessOptions {
    /// A Host header to let in besides the loopback ones: `mcp.example.org`, an address, or `*.example.org` for all below
    /// it; ports do not matter. Repeatable, or several with commas
    #[arg(long, value_name = "HOST", value_delimiter = ',', value_parser = HostPattern::parse)]
    pub(super) allow_host: Vec<HostPattern>,
    /// Pages whose scripts may use this server (CORS), besides those of loopback addresses: `https://app.example.org`,
    /// `https://*.example.org`, `http://app.example.org:*` for any port. Repeatable, or several with commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = OriginPattern::parse)]
    pub(super) allow_origin: Vec<OriginPattern>,
    /// Take the client's Host and address from the last value of X-Forwarded-Host and X-Forwarded-For, as written by the proxy
    /// in front
    #[arg(long)]
    pub(super) trust_proxy: bool,
    /// Ask for bearer tokens: one line a principal, `sha256-of-token name [email] [uuid]`. /mcp, /health and /metrics
    /// then need a token, and follow the Host and Origin rules; /healthz and /readyz are open. Each principal has its own
    /// sessions; all of them share the projects. SIGHUP reads the file again
    #[arg(long, value_name = "FILE", env = "ARCHONCTL_TOKEN_FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// At the start, give the live sessions of a principal to its new name: NEW is in the token file, OLD is no more.
    /// Repeatable. Of servers that share a database, the others must be stopped then
    #[arg(long, value_name = "OLD=NEW", value_parser = Rename::parse)]
    pub(super) rename_principal: Vec<Rename>,
    /// Bind beyond loopback without tokens
    #[arg(long)]
    pub(super) insecure: bool,
}

// How the process runs and stops.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct RunOptions {
    /// On SIGTERM, time to go on accepting after /readyz says no
    #[arg(long, default_value = "0s", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_DRAIN_DELAY")]
    pub(super) drain_delay: Duration,
    /// After that, time for running calls to finish
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME", env = "ARCHONCTL_GRACE")]
    pub(super) grace: Duration,
    /// Speak on standard input and output instead of a port: one client, one session, which ends with the pipe. Where
    /// another server holds the SQLite file, pass everything on to that one, and take the file over when it ends
    #[arg(long, conflicts_with_all = ["kept_by", "test_clock", "check"])]
    pub(super) stdio: bool,
    /// A small parent process holds the port and restarts the server whenever it exits. On SIGUSR2 it checks the program now
    /// at its path and, if that is sound, replaces the running server
    #[arg(long)]
    pub(super) keep_port: bool,
    /// Name of this server among those of its database, over its restarts [default: its host and address; of a SQLite file,
    /// which has one server, the file]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), env = "ARCHONCTL_INSTANCE_NAME")]
    pub(super) instance_name: Option<String>,
    /// Check options, files and the database without starting or changing anything, and exit with 0 if they are sound
    #[arg(long)]
    pub(super) check: bool,
    /// The process that keeps the port, which is standard input
    #[arg(long, hide = true, value_name = "PID")]
    pub(super) kept_by: Option<u32>,
    /// The process that kept port's server was before this one, and how it ended
    #[arg(long, hide = true, value_name = "PID:HOW", value_parser = former_end, env = "ARCHONCTL_FORMER_END")]
    pub(super) former_end: Option<(u32, SeenEnd)>,
    /// Where the kernel's files are: `proc` and `sys` in that folder
    #[arg(long, hide = true, value_name = "FOLDER")]
    pub(super) test_machine: Option<PathBuf>,
    /// How log lines look, on standard error [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT", env = "ARCHONCTL_LOG_FORMAT")]
    pub(super) log_format: Option<logging::Format>,
    /// How long a request's head may be on its way
    #[arg(long, hide = true, default_value = "10s", value_parser = duration)]
    pub(super) head_time: Duration,
    /// How long an idle connection is kept
    #[arg(long, hide = true, default_value = "75s", value_parser = duration)]
    pub(super) idle_time: Duration,
    /// How long a body may be on its way
    #[arg(long, hide = true, default_value = "30s", value_parser = duration)]
    pub(super) body_time: Duration,
    /// How long an answer may wait for its client to read on
    #[arg(long, hide = true, default_value = "60s", value_parser = duration)]
    pub(super) write_time: Duration,
    /// Move the clock by lines `advance 65m` on standard input; end at its end
    #[arg(long, hide = true)]
    pub(super) test_clock: bool,
    /// End at the end of standard input, and remove this folder then: whoever has made it is gone
    #[arg(long, hide = true, value_name = "FOLDER", value_parser = throw_away)]
    pub(super) throw_away: Option<PathBuf>,
}

/// How a folder's name begins that is gone with the command which makes it.
const THROWN_AWAY: &str = "archonctl-";

/// A folder of that name alone is removed.
fn throw_away(folder: &str) -> Result<PathBuf, String> {
    let folder = PathBuf::from(folder);
    let is_ours = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(THROWN_AWAY));
    if is_ours { Ok(folder) } else { Err(format!("its name begins with {THROWN_AWAY}")) }
}

/// `4242:signal-9` or `4242:exit-101`, as the process that keeps a port writes it.
fn former_end(text: &str) -> Result<(u32, SeenEnd), &'static str> {
    let read = || {
        let (pid, how) = text.split_once(':')?;
        let (kind, number) = how.split_once('-')?;
        let number = number.parse().ok()?;
        let end = match kind {
            "signal" => SeenEnd::Signal(number),
            "exit" => SeenEnd::Exit(number),
            _ => return None,
        };
        Some((pid.parse().ok()?, end))
    };
    read().ok_or("it is PID:signal-N or PID:exit-N")
}

impl RunOptions {
    /// How long a stop may take before something is wrong: the delay, the calls, the rows, and what a busy machine adds.
    pub(super) fn stop_time(&self) -> Duration {
        self.drain_delay + self.grace * 2 + Duration::from_secs(10)
    }

    /// Whether the end of standard input is the end of the server.
    pub(super) fn follows_input(&self) -> bool {
        self.test_clock || self.throw_away.is_some()
    }

    /// Refuses two uses of standard input.
    pub(super) fn check(&self) -> Result<(), Usage> {
        if self.follows_input() && (self.keep_port || self.kept_by.is_some()) {
            return Err(Usage::new(
                "--test-clock and --throw-away read standard input, which is the port of a server whose port is kept",
                "leave one out",
            ));
        }
        Ok(())
    }
}
