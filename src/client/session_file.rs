//! Sessions between two runs of a program: one small file, which several programs use at once.
//!
//! It holds ids and cookies and no token, and is for its owner alone (0600), because an id is all that a server without
//! tokens asks for. It is replaced whole, so that a reader needs no lock; who changes it holds the lock file beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::remembered::Remembered;
use crate::model::private;

/// The form of the file that we write and read.
const VERSION: u32 = 1;
/// Sessions that are kept; beyond it the oldest are forgotten.
const MOST: usize = 200;

/// Why the file is of no use.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("cannot use {}: {cause}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It holds something else.
    #[error("{} does not hold remembered sessions: {cause}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A newer program wrote it.
    #[error("{} was written by a newer archonctl (version {found} of the file)", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version of its form.
        found: u32,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    version: u32,
    sessions: BTreeMap<String, Remembered>,
}

/// The file.
#[derive(Debug, Clone)]
pub struct SessionFile {
    path: PathBuf,
}

impl SessionFile {
    /// The file at that path; it need not be there.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The session that is remembered under a key ([`super::ClientOptions::key`]).
    ///
    /// # Errors
    /// When the file is of no use; one that is not there remembers nothing.
    pub fn find(&self, key: &str) -> Result<Option<Remembered>, FileError> {
        Ok(self.read()?.sessions.remove(key))
    }

    /// Remembers a session, and gives the one that it takes the place of.
    ///
    /// # Errors
    /// When the file is of no use.
    pub fn remember(&self, key: &str, session: Remembered) -> Result<Option<Remembered>, FileError> {
        self.change(|sessions| {
            let former = sessions.insert(key.to_owned(), session);
            forget_oldest(sessions);
            former
        })
    }

    /// Puts `new` in the place of `old`, unless another program has put one there, or forgotten it, in the meantime.
    ///
    /// # Errors
    /// When the file is of no use.
    pub fn replace(&self, key: &str, old: Option<&str>, new: Remembered) -> Result<bool, FileError> {
        self.change(|sessions| match sessions.get_mut(key) {
            Some(held) if held.protocol_session_id.as_deref() == old => {
                *held = new;
                true
            }
            _ => false,
        })
    }

    /// Forgets a session, unless another program has put a new one in its place.
    ///
    /// # Errors
    /// When the file is of no use.
    pub fn forget(&self, key: &str, id: Option<&str>) -> Result<bool, FileError> {
        self.change(|sessions| {
            let held = sessions.get(key).is_some_and(|s| s.protocol_session_id.as_deref() == id);
            held && sessions.remove(key).is_some()
        })
    }

    fn read(&self) -> Result<Content, FileError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(e) => return Err(unusable(&self.path, e)),
        };
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
        let wrong = |e: serde_json::Error| FileError::Content { path: self.path.clone(), cause: e.to_string() };
        // The version first: what else a newer program writes need not fit our types.
        let version: serde_json::Value = serde_json::from_slice(text).map_err(wrong)?;
        let version = version["version"].as_u64().and_then(|v| u32::try_from(v).ok()).unwrap_or_default();
        if version > VERSION {
            return Err(FileError::Newer { path: self.path.clone(), found: version });
        }
        serde_json::from_slice(text).map_err(wrong)
    }

    /// Reads, changes and replaces the file, alone.
    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Remembered>) -> T) -> Result<T, FileError> {
        let _alone = self.lock()?;
        let mut content = self.read()?;
        let done = change(&mut content.sessions);
        content.version = VERSION;
        self.write(&content).map_err(|e| unusable(&self.path, e))?;
        Ok(done)
    }

    /// Waits its turn. The lock is on a file of its own, because the other one is replaced; it is free again when the
    /// file is closed, even by a crash.
    fn lock(&self) -> Result<File, FileError> {
        let path = self.beside("lock");
        let unusable = |e| unusable(&path, e);
        if let Some(folder) = path.parent() {
            private::make_folder(folder).map_err(unusable)?;
        }
        let lock = private::open_file(&path).map_err(unusable)?;
        lock.lock().map_err(unusable)?;
        Ok(lock)
    }

    fn write(&self, content: &Content) -> io::Result<()> {
        let new = self.beside("new");
        // What a crash has left there may have another mode.
        match std::fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = private::make_file(&new)?;
        serde_json::to_writer_pretty(&mut file, content)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        name.into()
    }
}

fn unusable(path: &Path, cause: io::Error) -> FileError {
    FileError::Io { path: path.to_owned(), cause }
}

fn forget_oldest(sessions: &mut BTreeMap<String, Remembered>) {
    while sessions.len() > MOST {
        let oldest = sessions.iter().min_by_key(|(_, s)| s.opened_at).map(|(key, _)| key.clone());
        let Some(oldest) = oldest else { return };
        sessions.remove(&oldest);
    }
}

#[cfg(test)]
mod tests;
