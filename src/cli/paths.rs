//! Where our files are (XDG base directories).

use std::path::PathBuf;

use crate::client::SessionFile;

use super::exit::Usage;

/// The variable that names another configuration file.
pub(super) const CONFIG_VARIABLE: &str = "ARCHONCTL_CONFIG";

/// A configuration file, there or not.
#[derive(Debug)]
pub(super) struct ConfigFile {
    /// Its place.
    pub(super) path: PathBuf,
    /// Whether somebody named it: then it has to be there.
    pub(super) named: bool,
}

/// `$ARCHONCTL_CONFIG`, or `$XDG_CONFIG_HOME/archonctl/config.toml`; none where no variable names a folder.
pub(super) fn config_file() -> Option<ConfigFile> {
    let named = std::env::var_os(CONFIG_VARIABLE).filter(|path| !path.is_empty());
    let found = named.map(|path| ConfigFile { path: path.into(), named: true });
    found.or_else(|| {
        let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
        Some(ConfigFile { path: folder.join("archonctl/config.toml"), named: false })
    })
}

/// `$XDG_STATE_HOME/archonctl`.
///
/// # Errors
/// [`Usage`] when neither `XDG_STATE_HOME` nor `HOME` is set.
pub(super) fn state_folder() -> Result<PathBuf, Usage> {
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.map(|folder| folder.join("archonctl")).ok_or_else(|| {
        Usage::new("neither XDG_STATE_HOME nor HOME names a folder", "name a database with --database-url")
    })
}

/// `archon.db` in the state folder.
///
/// # Errors
/// As [`state_folder`].
pub(super) fn default_database() -> Result<PathBuf, Usage> {
    Ok(state_folder()?.join("archon.db"))
}

/// `sessions.json` in the state folder: the sessions that the client commands remember.
///
/// # Errors
/// [`Usage`] when there is no state folder.
pub(super) fn session_file() -> Result<SessionFile, Usage> {
    let folder = state_folder().map_err(|e| Usage::new(e.message, "set one: sessions are remembered in it"))?;
    Ok(SessionFile::at(folder.join("sessions.json")))
}

/// The user's home.
pub(super) fn home() -> Option<PathBuf> {
    absolute("HOME")
}

/// A variable's folder. A relative one is none: it would be another in each working directory.
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
