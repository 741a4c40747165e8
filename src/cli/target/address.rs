//! Where the server is: named on the command line, in the environment, in a client's configuration file, or the default.
//!
//! A file that merely lies around must not surprise anybody. One that belongs to the project decides by itself only when
//! it names a single HTTP server on this machine, and that is said; servers elsewhere, and the user's own files, count
//! when `--server` names an entry.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::nearest::nearest;
use crate::client::{ClientOptions, Program};

use super::super::exit::Usage;
use super::super::paths;
use super::discover::{folders, of_project, of_user, workspace};
use super::expand::{Known, expand};
use super::servers::{Kind, Server, read};

/// Where `archonctl serve` listens.
const DEFAULT_URL: &str = "http://127.0.0.1:8051/mcp";

/// Which server.
#[derive(Debug, Default, Args)]
pub(super) struct Address {
    /// The server's MCP endpoint [default: the one HTTP server on this machine that the project's .mcp.json,
    /// .vscode/mcp.json or .cursor/mcp.json names, else <http://127.0.0.1:8051/mcp>]
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
pub(super) enum Place {
    /// At that URL.
    Url(String),
    /// In a program that is started, of that name in the file.
    Program(String, Program),
}

/// A server's place, and what else a file says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its place.
    pub(super) place: Place,
    /// The headers that the file wants sent.
    pub(super) headers: Vec<(String, String)>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
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
                let note = "--config and --server say nothing here: --url or ARCHONCTL_URL names the server";
                found.notes.push(note.to_owned());
            }
            return Ok(found);
        }
        let above = folders(around.working);
        match (&self.config, &self.server) {
            (Some(file), name) => choose(&read(file, &above)?, file, name.as_deref())?.found(around),
            (None, Some(name)) => named(name, &above, around),
            (None, None) => discovered(&above, around),
        }
    }
}

fn plain(url: &str) -> Found {
    Found { place: Place::Url(url.to_owned()), headers: Vec::new(), notes: Vec::new() }
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

/// The server of that name in the nearest file that has it.
fn named(name: &str, above: &[&Path], around: &Surroundings<'_>) -> Result<Found, Usage> {
    let mut all = Vec::new();
    for file in of_project(above).into_iter().chain(of_user(around.home)) {
        let servers = read(&file, above)?;
        if let Some(server) = servers.iter().find(|s| s.name == name) {
            return server.found(around);
        }
        all.extend(servers);
    }
    Err(unknown(name, &all, "the configuration files here"))
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
        let mut found = server.found(around)?;
        let Place::Url(url) = &found.place else { continue };
        if ClientOptions::new(url).is_ok_and(|options| !options.is_loopback()) {
            let (name, file) = (&server.name, file.display());
            return Err(Usage::new(
                format!("{file} names the server {name}, which is not on this machine"),
                format!("--server {name} uses it; --url {DEFAULT_URL} is the one that archonctl serve starts"),
            ));
        }
        // Before whatever else there is to say: it tells what this is about.
        found.notes.insert(0, format!("the server is {} of {}", server.name, file.display()));
        return Ok(found);
    }
    Ok(plain(DEFAULT_URL))
}

impl Server {
    fn is_http(&self) -> bool {
        matches!(self.kind, Kind::Http { .. })
    }

    /// Its place, with what the file leaves open filled in.
    fn found(&self, around: &Surroundings<'_>) -> Result<Found, Usage> {
        let (name, file) = (&self.name, self.file.display());
        let folder = around.working.join(workspace(&self.file));
        let known = Known { variable: around.variable, workspace: &folder, home: around.home };
        let expanded = |text: &String| {
            let filled = expand(text, &known);
            filled.map_err(|e| Usage { message: format!("the server {name} of {file}: {}", e.message), hint: e.hint })
        };
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| Ok((name.clone(), expanded(value)?))).collect::<Result<Vec<_>, Usage>>()
        };
        match &self.kind {
            Kind::Http { url, headers, typed } => {
                let warning = (!typed)
                    .then(|| format!(r#"the server {name} of {file} has no "type": "http"; some clients need it"#));
                let (headers, notes) = (pairs(headers)?, warning.into_iter().collect());
                Ok(Found { place: Place::Url(expanded(url)?), headers, notes })
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
                Ok(Found { place: Place::Program(name.clone(), program), headers: Vec::new(), notes: Vec::new() })
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

fn unknown(name: &str, servers: &[Server], place: &str) -> Usage {
    let names: Vec<_> = servers.iter().map(|s| s.name.as_str()).collect();
    let hint = match (nearest(name, names.iter().copied()), names.is_empty()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, true) => "they name none".to_owned(),
        (None, false) => format!("there is: {}", names.join(", ")),
    };
    Usage::new(format!("no server {name} in {place}"), hint)
}

#[cfg(test)]
mod tests;
