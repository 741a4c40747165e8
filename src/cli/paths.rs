//! Where our files are (XDG base directories).

use std::path::PathBuf;

use super::exit::Usage;

/// `$XDG_STATE_HOME/archonctl/archon.db`.
///
/// # Errors
/// [`Usage`] when neither `XDG_STATE_HOME` nor `HOME` is set.
pub(super) fn default_database() -> Result<PathBuf, Usage> {
    state_file("archon.db").ok_or_else(|| {
        Usage::new("neither XDG_STATE_HOME nor HOME names a folder", "name a database with --database-url")
    })
}

/// `$XDG_STATE_HOME/archonctl/NAME`; `None` when neither `XDG_STATE_HOME` nor `HOME` is set.
pub(super) fn state_file(name: &str) -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    Some(state?.join("archonctl").join(name))
}
