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
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::protocol::initialize::Implementation;
    use crate::protocol::revision::Revision;
    use std::os::unix::fs::PermissionsExt;

    fn session(id: &str, opened: i64) -> Remembered {
        Remembered {
            protocol_session_id: Some(id.to_owned()),
            archon_session_id: None,
            revision: Some("2025-11-25".to_owned()),
            server: Implementation::default(),
            opened_at: Timestamp::from_millis(opened),
            cookies: Vec::new(),
        }
    }

    fn id(found: Option<Remembered>) -> Option<String> {
        found.and_then(|s| s.protocol_session_id)
    }

    fn file(folder: &tempfile::TempDir) -> SessionFile {
        SessionFile::at(folder.path().join("state/sessions.json"))
    }

    #[test]
    fn remembers_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder);
        assert_eq!(file.find("a").expect("nothing yet"), None);
        assert_eq!(file.remember("a", session("one", 1)).expect("remembered"), None);
        assert_eq!(id(file.remember("a", session("two", 2)).expect("remembered")).as_deref(), Some("one"));
        let found = file.find("a").expect("read").expect("remembered");
        assert_eq!(found, session("two", 2));
        assert_eq!(found.session().expect("a session").revision, Some(Revision::V2025_11_25));
        for (path, mode) in [(file.path.as_path(), 0o600), (&folder.path().join("state"), 0o700)] {
            let found = std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
    }

    #[test]
    fn links_in_the_way_lead_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let file = SessionFile::at(at("sessions.json"));
        std::os::unix::fs::symlink(at("precious"), at("sessions.json.lock")).expect("a link");
        let refused = file.remember("a", session("one", 1)).expect_err("a link").to_string();
        assert!(refused.contains("sessions.json.lock: it is a symbolic link"), "{refused}");
        std::fs::remove_file(at("sessions.json.lock")).expect("removed");
        std::fs::write(at("precious"), "precious").expect("written");
        std::os::unix::fs::symlink(at("precious"), at("sessions.json.new")).expect("a link");
        file.remember("a", session("one", 1)).expect("remembered");
        assert_eq!(std::fs::read_to_string(at("precious")).expect("read"), "precious");
    }

    #[test]
    fn another_programs_session_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder);
        assert!(!file.replace("a", Some("one"), session("two", 2)).expect("no such key"));
        file.remember("a", session("one", 1)).expect("remembered");
        assert!(file.replace("a", Some("one"), session("two", 2)).expect("replaced"));
        assert!(!file.replace("a", Some("one"), session("three", 3)).expect("another's"));
        assert!(!file.forget("a", Some("one")).expect("another's"));
        assert_eq!(id(file.find("a").expect("read")).as_deref(), Some("two"));
        assert!(file.forget("a", Some("two")).expect("forgotten"));
        assert_eq!(file.find("a").expect("read"), None);
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for n in 0..10 {
                        file.remember(&format!("{thread}-{n}"), session("x", 1)).expect("remembered");
                        file.find("0-0").expect("whole at any time");
                    }
                });
            }
        });
        assert_eq!(file.read().expect("read").sessions.len(), 80);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let most = i64::try_from(MOST).expect("small");
        let mut sessions: BTreeMap<_, _> = (0..most).map(|n| (n.to_string(), session("x", n))).collect();
        sessions.insert("new".into(), session("x", most));
        forget_oldest(&mut sessions);
        assert_eq!((sessions.len(), sessions.contains_key("0"), sessions.contains_key("new")), (MOST, false, true));
    }

    #[test]
    fn what_is_not_ours_is_named_and_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = SessionFile::at(folder.path().join("sessions.json"));
        for (text, words) in [
            ("{", "does not hold remembered sessions"),
            ("[]", "does not hold remembered sessions"),
            (r#"{"version": 2, "sessions": []}"#, "a newer archonctl (version 2 of the file)"),
        ] {
            std::fs::write(&file.path, text).expect("written");
            let error = file.remember("a", session("x", 1)).expect_err("refused").to_string();
            assert!(error.contains(words) && error.contains("sessions.json"), "{error}");
            assert_eq!(std::fs::read_to_string(&file.path).expect("still there"), text);
        }
        std::fs::remove_file(&file.path).expect("removed");
        std::fs::create_dir(&file.path).expect("a folder in its place");
        assert!(matches!(file.find("a"), Err(FileError::Io { .. })));
    }
}
