//! Which server, as whom, and how patiently. Whatever can be wrong with it is found here, before anything is sent.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::protocol::header::{PROTOCOL_VERSION, SESSION, SESSION_ALIAS};
use crate::protocol::initialize::Implementation;

use super::address;
use super::backoff::Backoff;
use super::listener::Listener;
use super::options_error::OptionsError;
use super::program::Program;
use super::session::check_id;
use super::token::Token;

/// How a [`super::Client`] finds its server and behaves towards it.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    pub(super) server: Server,
    /// The bearer token, where the server wants one.
    pub token: Option<Token>,
    /// The name and version that the server is told (`clientInfo`).
    pub client: Implementation,
    /// The time limit of one request, repeats and waits included.
    pub timeout: Duration,
    /// When nobody waits for anything any more, however long a single request may take. A goodbye may take
    /// half a second beyond it.
    pub until: Option<Instant>,
    /// Whether the time counts in which the server waits for an answer of the listener. People take longer than programs.
    pub counts_answers: bool,
    /// How a request is repeated where that is safe.
    pub backoff: Backoff,
    /// Who hears what the server says besides its answers.
    pub listener: Option<Arc<dyn Listener>>,
    pub(super) archon_session: Option<String>,
    /// What happens when the server has lost the session.
    pub on_loss: OnLoss,
    pub(super) headers: HeaderMap,
    /// The socket in the file system by which the server is reached, in place of its address.
    pub(super) socket: Option<PathBuf>,
}

/// Which server.
#[derive(Debug, Clone)]
pub(super) enum Server {
    /// The one at that address.
    Http(Url),
    /// The one that is started.
    Program(Program),
}

/// What happens when the server has lost the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLoss {
    /// A new one is opened, once a request.
    Reopen,
    /// The request fails with [`super::ClientError::Session`].
    Fail,
}

/// Headers that the transport and the session set themselves.
const OURS: [HeaderName; 9] = [
    HeaderName::from_static(SESSION),
    HeaderName::from_static(SESSION_ALIAS),
    HeaderName::from_static(PROTOCOL_VERSION),
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::HOST,
];

impl ClientOptions {
    /// Options for the server at that URL: no token, our own name, 30 seconds. `host:port` will do for
    /// `http://host:port/mcp`.
    ///
    /// # Errors
    /// When it is not an `http` or `https` URL.
    pub fn new(url: &str) -> Result<Self, OptionsError> {
        Ok(Self::of(Server::Http(address::parse(url)?)))
    }

    /// Options for a server that is a program, which is started, spoken to on its standard input and output, and ended. Of
    /// tokens, headers and sessions it knows nothing.
    pub fn program(program: Program) -> Self {
        Self::of(Server::Program(program))
    }

    fn of(server: Server) -> Self {
        Self {
            server,
            token: None,
            client: Implementation { name: "archonctl".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            timeout: Duration::from_secs(30),
            until: None,
            counts_answers: false,
            backoff: Backoff::default(),
            listener: None,
            archon_session: None,
            on_loss: OnLoss::Reopen,
            headers: HeaderMap::new(),
            socket: None,
        }
    }

    /// Whether the server is a program.
    pub fn is_program(&self) -> bool {
        matches!(self.server, Server::Program(_))
    }

    /// The URL in full, with whatever secrets it holds; `None` of a program.
    pub(super) fn url(&self) -> Option<&Url> {
        match &self.server {
            Server::Http(url) => Some(url),
            Server::Program(_) => None,
        }
    }

    /// Names the Archon session that a new protocol session goes on with.
    ///
    /// # Errors
    /// When it can be no session id.
    pub fn go_on_with(&mut self, archon_session: String) -> Result<(), OptionsError> {
        check_id(&archon_session)?;
        self.archon_session = Some(archon_session);
        Ok(())
    }

    /// Sends one more header with every request; of two with the same name the later one holds. The Archon session may be
    /// named so, as a client's configuration file does it: it holds until the server answers with one.
    ///
    /// # Errors
    /// When it cannot be sent, or is one of those that say what MCP needs.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), OptionsError> {
        let wrong = |reason| OptionsError::Header { name: name.to_owned(), reason };
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("a name has letters, digits and -"))?;
        if OURS.contains(&parsed) {
            return Err(OptionsError::Reserved { name: name.to_owned() });
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong("its value has characters of no header"))?;
        value.set_sensitive(true);
        self.headers.insert(parsed, value);
        Ok(())
    }

    /// Whether a header of that name was added.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// What sessions of this server are remembered under: [`Self::place`], and of a query, which may hold a secret but
    /// tells servers apart, the beginning of its hash.
    pub fn key(&self) -> String {
        match self.url().and_then(Url::query) {
            None => self.place(),
            Some(query) => {
                let hash = Sha256::digest(query.as_bytes());
                format!("{}?{:02x}{:02x}{:02x}{:02x}", self.place(), hash[0], hash[1], hash[2], hash[3])
            }
        }
    }

    /// The URL as errors and logs show it: without user, password, query and fragment, any of which may be secret. Of a
    /// program its command, without arguments, for the same reason.
    pub fn place(&self) -> String {
        let mut url = match &self.server {
            Server::Http(url) => url.clone(),
            Server::Program(program) => return program.command.clone(),
        };
        url.set_query(None);
        url.set_fragment(None);
        // These fail only for URLs that cannot have a user, and those have nothing to hide.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }

    /// The value of the `Authorization` header, for requests that are put together elsewhere.
    pub fn authorization(&self) -> Option<String> {
        let value = &self.token.as_ref()?.0;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// Where on this machine the server listens; `None` if it is elsewhere.
    pub fn loopback_address(&self) -> Option<SocketAddr> {
        let port = self.url()?.port_or_known_default()?;
        let host = self.url()?.host_str()?.trim_matches(['[', ']']);
        let ip = if host == "localhost" { Ipv4Addr::LOCALHOST.into() } else { host.parse::<IpAddr>().ok()? };
        ip.is_loopback().then(|| (ip, port).into())
    }

    /// Whether the server is on this machine: a proxy could not reach it.
    pub fn is_loopback(&self) -> bool {
        let host = self.url().and_then(Url::host_str).unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        address.map_or(host == "localhost" || host.ends_with(".localhost"), |ip| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_secret() {
        let mut options = ClientOptions::new("http://me:hunter2@host/mcp?key=hunter2#hunter2").expect("url");
        assert_eq!(options.place(), "http://host/mcp");
        options.token = Some(Token::parse("hunter3\n").expect("token"));
        assert!(!format!("{:?}", options.token).contains("hunter3"));
        assert_eq!(Token::parse(" \n").err(), Some(OptionsError::Token));
        assert_eq!(Token::parse("a\u{7}b").err(), Some(OptionsError::Token));
    }

    #[test]
    fn a_key_tells_servers_apart_and_no_secret() {
        let key = |url: &str| ClientOptions::new(url).expect("url").key();
        assert_eq!(key("http://me:hunter2@host/mcp#x"), "http://host/mcp");
        let (one, other) = (key("http://host/mcp?key=hunter2"), key("http://host/mcp?key=hunter3"));
        assert!(one != other && one.starts_with("http://host/mcp?") && !one.contains("hunter"), "{one} {other}");
    }

    #[test]
    fn headers_are_looked_at_and_never_shown() {
        let mut options = ClientOptions::new("http://host/mcp").expect("url");
        options.add_header("X-Team", "hunter2").expect("a header");
        options.add_header("x-team", "hunter3").expect("a header");
        assert_eq!(options.headers.len(), 1);
        assert!(options.has_header("X-TEAM") && !format!("{options:?}").contains("hunter"));
        for (name, value) in [("a b", "x"), ("", "x"), ("x", "a\nb"), ("Mcp-Session-Id", "x"), ("accept", "*/*")] {
            assert!(options.add_header(name, value).is_err(), "{name}: {value}");
        }
    }

    #[test]
    fn knows_this_machine() {
        for (url, here) in [
            ("http://127.0.0.1:1/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:1/", true),
            ("http://localhost/", true),
            ("http://a.localhost/", true),
            ("http://example.com/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(ClientOptions::new(url).map(|o| o.is_loopback()), Ok(here), "{url}");
        }
    }
}
