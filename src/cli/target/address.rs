//! Where the server is: named on the command line, in the environment, in a client's configuration file, or the default.
//!
//! A file that merely lies around must not surprise anybody. One that belongs to the project decides by itself only when
//! it names a single HTTP server on this machine, and needs nothing of the environment; servers elsewhere, and the user's
//! own files, count when `--server` names an entry. A project is what somebody else may have written: its entries never
//! stand for the user's own of the same name, and get no token that they do not ask for.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::nearest::nearest;
use crate::client::{ClientOptions, Program};

use super::super::exit::Usage;
use super::super::paths;
use super::discover::{folders, is_of_checkout, is_same, of_project, of_user, workspace};
use super::expand::{Known, expand};
use super::servers::{Kind, Server, read};

/// Where `archonctl serve` listens.
const DEFAULT_URL: &str = "http://127.0.0.1:8051/mcp";

/// Which server.
#[derive(Debug, Default, Args)]
pub(super) struct Address {
    /// The server's MCP endpoint [default: the one HTTP server on this machine that the project's .mcp.json,
    /// .vscode/mcp.json or .cursor/mcp.json names, else `http://127.0.0.1:8051/mcp`]
    #[arg(long, env = "ARCHONCTL_URL", hide_env_values = true, value_name = "URL")]
    pub(super) url: Option<String>,
    /// An MCP client's configuration file, such as .mcp.json
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The server of that name in --config, or in the project's or the user's configuration files
    #[arg(long, value_name = "NAME")]
    pub(super) server: Option<String>,
}

/// Where a server is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerAddress {
    /// At that URL.
    Url(String),
    /// In a program that is started, of that name in the file.
    Program(String, Program),
}

/// Whose word it is that the server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user's: an argument, a variable, or a file of the user's own.
    User,
    /// A project's, which a file in a checkout belongs to.
    Project,
}

/// A server's place, and what else a file says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its place.
    pub(super) address: ServerAddress,
    /// The headers that the file wants sent.
    pub(super) headers: Vec<(String, String)>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
    /// Whose word it is.
    pub(super) owner: Owner,
}

/// What an address depends on besides the arguments.
pub(super) struct Surroundings<'a> {
    /// The working folder.
    pub(super) working: &'a Path,
    /// The user's home.
    pub(super) home: Option<&'a Path>,
    /// The environment.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Address {
    /// The address, in the surroundings that this process finds itself in.
    ///
    /// # Errors
    /// When a file is of no use, or it is not clear which server is meant.
    pub(super) fn find(&self) -> Result<Found, Usage> {
        let working = std::env::current_dir().unwrap_or_default();
        let (home, variable) = (paths::home(), |name: &str| std::env::var(name).ok());
        self.find_in(&Surroundings { working: &working, home: home.as_deref(), variable: &variable })
    }

    fn find_in(&self, around: &Surroundings<'_>) -> Result<Found, Usage> {
        if let Some(url) = &self.url {
            let mut found = plain(url);
            if self.config.is_some() || self.server.is_some() {
                let note = "--config and --server are ignored: --url or ARCHONCTL_URL names the server";
                found.notes.push(note.to_owned());
            }
            return Ok(found);
        }
        let above = folders(around.working);
        match (&self.config, &self.server) {
            (Some(file), name) => {
                let servers = read(file, &above)?;
                choose(&servers, file, name.as_deref())?.found(around, owner(file, around), Asked::ByName)
            }
            (None, Some(name)) => named(name, &above, around),
            (None, None) => discovered(&above, around),
        }
    }

    /// The URL that a key may ask, pressed by somebody who has not sent the command yet: one that was typed or stands in
    /// the environment, or ours where no file of a project may mean another.
    pub(super) fn for_a_key(&self) -> Option<String> {
        let working = std::env::current_dir().unwrap_or_default();
        let is_clear = self.config.is_none() && self.server.is_none() && of_project(&folders(&working)).is_empty();
        self.url.clone().or_else(|| is_clear.then(|| DEFAULT_URL.to_owned()))
    }
}

/// How a server of a file was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Its name or its file was given.
    ByName,
    /// It is the only one.
    Nobody,
}

fn plain(url: &str) -> Found {
    Found { address: ServerAddress::Url(url.to_owned()), headers: Vec::new(), notes: Vec::new(), owner: Owner::User }
}

/// Whose a file is that was given.
fn owner(file: &Path, around: &Surroundings<'_>) -> Owner {
    let is_own = of_user(around.home).iter().any(|own| is_same(own, file));
    if !is_own && is_of_checkout(file) { Owner::Project } else { Owner::User }
}

/// The server that `--config` means: that of the name, or the only one over HTTP, or the only one.
fn choose<'a>(servers: &'a [Server], file: &Path, name: Option<&str>) -> Result<&'a Server, Usage> {
    if let Some(name) = name {
        return servers
            .iter()
            .find(|s| s.name == name)
            .ok_or_else(|| unknown(name, servers, &file.display().to_string()));
    }
    let over_http: Vec<_> = servers.iter().filter(|s| s.is_http()).collect();
    match (&over_http[..], servers) {
        ([one], _) => Ok(one),
        ([], [one]) => Ok(one),
        ([], []) => Err(Usage::new(format!("{} names no server", file.display()), "name one with --url")),
        ([], all) => Err(several(&all.iter().collect::<Vec<_>>(), file)),
        (several_over_http, _) => Err(several(several_over_http, file)),
    }
}

/// The server of that name, of the user's files or of the project's. Where both have one, and not the same, the user says
/// which.
fn named(name: &str, above: &[&Path], around: &Surroundings<'_>) -> Result<Found, Usage> {
    let own = of_user(around.home);
    let mut projects = of_project(above);
    // In the home, the folder of the project is that of the user.
    projects.retain(|file| !own.iter().any(|own| is_same(own, file)));
    let all = |files: &[PathBuf]| -> Result<Vec<Server>, Usage> {
        Ok(files.iter().map(|file| read(file, above)).collect::<Result<Vec<_>, _>>()?.concat())
    };
    let (own, projects) = (all(&own)?, all(&projects)?);
    let first = |servers: &[Server]| servers.iter().position(|server| server.name == name);
    match (first(&own).map(|at| &own[at]), first(&projects).map(|at| &projects[at])) {
        (Some(own), Some(other)) if own.kind != other.kind => Err(two(own, other)),
        (Some(own), _) => own.found(around, Owner::User, Asked::ByName),
        (None, Some(server)) => server.found(around, Owner::Project, Asked::ByName),
        (None, None) => Err(unknown(name, &[projects, own].concat(), "the configuration files here")),
    }
}

fn two(own: &Server, other: &Server) -> Usage {
    let (name, own, other) = (&own.name, own.file.display(), other.file.display());
    Usage::new(
        format!("two servers are called {name}: one of {own}, one of {other}"),
        format!("--config {own} --server {name} is yours; --config {other} --server {name} is the project's"),
    )
}

/// The server that the project's files lead to by themselves.
fn discovered(above: &[&Path], around: &Surroundings<'_>) -> Result<Found, Usage> {
    for file in of_project(above) {
        let servers = read(&file, above)?;
        let over_http: Vec<_> = servers.iter().filter(|s| s.is_http()).collect();
        let server = match over_http[..] {
            [] => continue,
            [one] => one,
            _ => return Err(several(&over_http, &file)),
        };
        let found = server.found(around, Owner::Project, Asked::Nobody)?;
        let ServerAddress::Url(url) = &found.address else { continue };
        if ClientOptions::new(url).is_ok_and(|options| !options.is_loopback()) {
            let (name, file) = (&server.name, file.display());
            return Err(Usage::new(
                format!("{file} names the server {name}, which is not on this machine"),
                format!("--server {name} uses it; --url {DEFAULT_URL} is the one that archonctl serve starts"),
            ));
        }
        return Ok(found);
    }
    Ok(plain(DEFAULT_URL))
}

impl Server {
    fn is_http(&self) -> bool {
        matches!(self.kind, Kind::Http { .. })
    }

    /// Its place, with what the file leaves open filled in.
    fn found(&self, around: &Surroundings<'_>, owner: Owner, asked: Asked) -> Result<Found, Usage> {
        let (name, file) = (&self.name, self.file.display());
        let folder = around.working.join(workspace(&self.file));
        let unasked = (asked == Asked::Nobody).then_some(&**name);
        let known = Known { variable: around.variable, workspace: &folder, home: around.home, unasked };
        // Before whatever else there is to say: it tells what this is about.
        let mut notes = vec![format!("the server is {name} of {file}")];
        let expanded = |text: &String| {
            let filled = expand(text, &known);
            filled.map_err(|e| Usage { message: format!("the server {name} of {file}: {}", e.message), hint: e.hint })
        };
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| Ok((name.clone(), expanded(value)?))).collect::<Result<Vec<_>, Usage>>()
        };
        match &self.kind {
            Kind::Http { url, headers, typed } => {
                if !typed {
                    notes.push(format!(r#"the server {name} of {file} has no "type": "http"; some clients need it"#));
                }
                Ok(Found { address: ServerAddress::Url(expanded(url)?), headers: pairs(headers)?, notes, owner })
            }
            Kind::Stdio { command, arguments, variables, folder: given } => {
                // Where clients start it: the project's folder, for a file of a project.
                let usual = (Some(&*folder) != around.home).then(|| folder.clone());
                let given = given.as_ref().map(expanded).transpose()?;
                let program = Program {
                    command: expanded(command)?,
                    arguments: arguments.iter().map(expanded).collect::<Result<_, _>>()?,
                    variables: pairs(variables)?,
                    folder: given.map(|given| folder.join(given)).or(usual),
                };
                Ok(Found { address: ServerAddress::Program(name.clone(), program), headers: Vec::new(), notes, owner })
            }
            Kind::Other(what) => {
                let hint = "name another server with --server or --url";
                Err(Usage::new(format!("the server {name} of {file} is {what}"), hint))
            }
        }
    }
}

fn several(servers: &[&Server], file: &Path) -> Usage {
    let names = servers.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
    Usage::new(
        format!("{} names several servers: {names}", file.display()),
        "choose one with --server NAME, or name another with --url",
    )
}

fn unknown(name: &str, servers: &[Server], address: &str) -> Usage {
    let names: Vec<_> = servers.iter().map(|s| s.name.as_str()).collect();
    let hint = match (nearest(name, names.iter().copied()), names.is_empty()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, true) => "they name none".to_owned(),
        (None, false) => format!("there is: {}", names.join(", ")),
    };
    Usage::new(format!("no server {name} in {address}"), hint)
}

#[cfg(test)]
mod tests;
