//! Which server a command talks to, and as whom: the options that all client commands share.

mod address;
mod discover;
mod expand;
mod servers;
mod token;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{ArgAction, Args};

use crate::client::{Backoff, ClientOptions, Listener, OptionsError, Program, Token};
use crate::protocol::header::ARCHON_SESSION;

use super::exit::Usage;
use super::logging;
use super::output::print_note;
use super::secrets;
use address::{Address, Found, Owner, ServerAddress};
pub(super) use servers::LIKE_EDITORS;
use token::AUTHORIZATION;
pub(super) use token::token_of;

/// The server to talk to, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Target {
    #[command(flatten)]
    address: Address,
    /// File with the server's bearer token; without it `ARCHONCTL_TOKEN` is the token, if set. A server that a project's file
    /// names gets neither, unless its entry asks for it or you agree on the terminal
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// One more header to send; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,
    /// Give up after this long in all: handshake, retries and waits included [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// How often to retry a request that has not run: no connection, or a busy server [default: 3; a single call goes on
    /// for longer than a restart takes]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// Client name to report to the server
    #[arg(long, value_name = "NAME", default_value = "archonctl")]
    client_name: String,
    /// Client version to report to the server
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    client_version: String,
    /// Report attempts, waits and recoveries on standard error; -vv adds headers and events
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    #[arg(skip)]
    manner: Manner,
    #[arg(skip)]
    listener: Option<Arc<dyn Listener>>,
}

/// What a command needs that was not said.
#[derive(Debug, Clone, Copy, Default)]
enum Manner {
    /// An answer soon.
    #[default]
    Brisk,
    /// An answer, even if the server is being restarted.
    Patient,
    /// Many answers: the default time is each request's, not that of all of them.
    Many,
}

impl Target {
    /// The same, at this address if there is one.
    pub(super) fn at(mut self, url: Option<String>) -> Self {
        if url.is_some() {
            self.address.url = url;
        }
        self
    }

    /// For a single call, which waits for a server that is being restarted.
    pub(super) fn patient(self) -> Self {
        Self { manner: Manner::Patient, ..self }
    }

    /// For many requests, which take as long as they take, unless it was said how long.
    pub(super) fn for_many(self) -> Self {
        Self { manner: Manner::Many, ..self }
    }

    /// The same, heard by whoever that is.
    pub(super) fn heard_by<L: Listener + 'static>(self, listener: Option<Arc<L>>) -> Self {
        Self { listener: listener.map(|listener| listener as Arc<dyn Listener>), ..self }
    }

    /// The client options that these arguments, the environment and the configuration files of clients make, for a server
    /// at an address. What the user should know about them is said on standard error, and from now on what the client
    /// notes, and what else `-v` asks for.
    ///
    /// # Errors
    /// When the URL, a header or the token is of no use, a file cannot be read, or the server is a program.
    pub(super) fn into_options(self) -> anyhow::Result<ClientOptions> {
        logging::narrate(self.verbose);
        let found = self.found()?;
        if let ServerAddress::Program(name, _) = &found.address {
            let message = format!("the server {name} is a program on standard input and output (stdio)");
            return Err(Usage::new(message, "call and tools start it; here, name a server over HTTP").into());
        }
        self.options(found)
    }

    /// The options for a key that completes a word: the command was not sent yet, so whoever is asked is told neither token
    /// nor header. `None` where it is not clear who would be meant.
    pub(super) fn options_for_a_key(&self) -> Option<ClientOptions> {
        ClientOptions::new(&self.address.for_a_key()?).ok()
    }

    /// The same as [`Self::into_options`] for a server that may be a program: that of this command line, or one that a
    /// configuration file names.
    ///
    /// # Errors
    /// As there; and when the command line is none.
    pub(super) fn into_options_of_any(self, program: &ProgramOption) -> anyhow::Result<ClientOptions> {
        logging::narrate(self.verbose);
        let found = match &program.stdio {
            Some(line) => Found::program(line)?,
            None => self.found()?,
        };
        self.options(found)
    }

    fn found(&self) -> Result<Found, Usage> {
        let found = self.address.find()?;
        found.notes.iter().for_each(|note| print_note(&format!("note: {note}")));
        Ok(found)
    }

    fn options(self, found: Found) -> anyhow::Result<ClientOptions> {
        let mut options = match found.address {
            ServerAddress::Url(url) => {
                let mut options = ClientOptions::new(&url)?;
                add_headers(&mut options, &found.headers, &self.headers)?;
                options.token = self.token(&options, found.owner)?;
                options
            }
            ServerAddress::Program(_, program) => {
                if self.token_file.is_some() || !self.headers.is_empty() {
                    print_note("note: tokens and headers are not passed to a program");
                }
                ClientOptions::program(program)
            }
        };
        secrets::hold(&options.secrets());
        options.listener = self.listener;
        options.counts_answers = self.timeout.is_some();
        options.timeout = self.timeout.unwrap_or(options.timeout);
        if self.timeout.is_some() || !matches!(self.manner, Manner::Many) {
            options.until = Instant::now().checked_add(options.timeout);
        }
        match (self.retries, self.manner) {
            (Some(retries), _) => options.backoff.attempts = retries.saturating_add(1),
            (None, Manner::Patient) => options.backoff = Backoff::PATIENT,
            (None, _) => {}
        }
        options.client.name = self.client_name;
        options.client.version = self.client_version;
        Ok(options)
    }

    fn token(&self, options: &ClientOptions, owner: Owner) -> anyhow::Result<Option<Token>> {
        let token = token::for_server(self.token_file.as_deref(), options, owner)?;
        if token.is_some() && self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION)) {
            return Err(Usage::new("a token file and an Authorization header are given", "give one of them").into());
        }
        Ok(token)
    }
}

/// A server that is a program.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ProgramOption {
    /// Start this program as the server, use it over its standard input and output, and end it
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["config", "server"])]
    stdio: Option<String>,
}

impl Found {
    /// The program of a command line, split as a shell does it.
    fn program(line: &str) -> Result<Self, Usage> {
        let words = shlex::split(line).filter(|words| !words.is_empty());
        let mut words =
            words.ok_or_else(|| Usage::new(format!("{line:?} is not a command"), "quote it as for a shell"))?;
        let program = Program { command: words.remove(0), arguments: words, ..Program::default() };
        let address = ServerAddress::Program(program.command.clone(), program);
        Ok(Self { address, headers: Vec::new(), notes: Vec::new(), owner: Owner::User })
    }
}

/// Those of a configuration file, as far as they are not ours to set, then those of the command line.
fn add_headers(
    options: &mut ClientOptions,
    of_file: &[(String, String)],
    given: &[(String, String)],
) -> Result<(), OptionsError> {
    for (name, value) in of_file {
        match options.add_header(name, value) {
            // Files are written for clients that leave it to the file: Accept, Content-Type.
            Err(OptionsError::Reserved { .. }) => {}
            added => added?,
        }
    }
    given.iter().try_for_each(|(name, value)| options.add_header(name, value))
}

/// `Name: value`.
fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    let name = name.trim();
    if name.eq_ignore_ascii_case(ARCHON_SESSION) {
        return Err("--archon-session ID names the Archon session".to_owned());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_command_line_go_before_those_of_a_file() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut options = ClientOptions::new("http://host/mcp").expect("a URL");
        let of_file = [pair("Accept", "*/*"), pair("X-A", "file"), pair("X-Archon-Session-Id", "dev")];
        add_headers(&mut options, &of_file, &[pair("x-a", "given")]).expect("all can be sent");
        assert!(options.has_header("x-archon-session-id") && !options.has_header("accept"));
        for bad in [pair("Accept", "*/*"), pair("X A", "1"), pair("X-A", "1\n2")] {
            assert!(add_headers(&mut options, &[], &[bad]).is_err());
        }
        assert_eq!(parse_header("X-A:  b: c "), Ok(pair("X-A", "b: c")));
        assert!(parse_header("X-A").is_err() && parse_header("x-archon-session-id: x").is_err());
    }
}
