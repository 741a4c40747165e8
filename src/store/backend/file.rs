//! The files behind an open SQLite database: a system keeps a removed file for whoever has it open, and what is written to
//! it then is gone with its last reader.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::error::StoreError;

/// The files as they were when they were opened.
#[derive(Debug)]
pub(in crate::store) struct OpenFile {
    path: PathBuf,
    identity: Identity,
    /// Those beside it, which SQLite makes: its log and the index of that. `None` until they are there.
    beside: Mutex<[Option<Identity>; 2]>,
    /// One of those was not where it was at the last look.
    is_torn: AtomicBool,
    /// The size of the log at the last look.
    log_bytes: AtomicU64,
}

/// Device and number: what is at a path may be another file by now.
type Identity = (u64, u64);

const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// What has become of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Found {
    /// They are where they were.
    Whole,
    /// The database is, and a file beside it is not.
    Torn,
    /// The database is not.
    Gone,
}

impl OpenFile {
    /// The file at that path, and those beside it, which are there once it is open.
    pub(in crate::store) fn at(path: &Path) -> io::Result<Self> {
        // SQLite's own files stand beside what a link leads to.
        let file = Self {
            path: path.canonicalize()?,
            identity: identity(path)?,
            beside: Mutex::default(),
            is_torn: AtomicBool::default(),
            log_bytes: AtomicU64::default(),
        };
        file.know_beside();
        Ok(file)
    }

    /// What is beside the file now belongs to it.
    pub(in crate::store) fn know_beside(&self) {
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) =
            BESIDE.map(|end| identity(&self.beside(end)).ok());
        self.is_torn.store(false, Relaxed);
    }

    /// The log.
    pub(in crate::store) fn log(&self) -> PathBuf {
        self.beside(BESIDE[0])
    }

    /// The size of the log when it was last looked at.
    pub(in crate::store) fn log_bytes(&self) -> u64 {
        self.log_bytes.load(Relaxed)
    }

    /// The log was looked at.
    pub(in crate::store) fn note_log(&self, bytes: u64) {
        self.log_bytes.store(bytes, Relaxed);
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(end);
        path.into()
    }

    /// Looks for the files, all of them: what [`Self::check`] says until the next look.
    pub(in crate::store) fn look(&self) -> Found {
        let found = self.find();
        self.is_torn.store(found == Found::Torn, Relaxed);
        found
    }

    fn find(&self) -> Found {
        if !self.is_there() {
            return Found::Gone;
        }
        let mut beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        for (known, end) in beside.iter_mut().zip(BESIDE) {
            let found = identity(&self.beside(end)).ok();
            if known.is_none() {
                *known = found;
            }
            if *known != found {
                return Found::Torn;
            }
        }
        Found::Whole
    }

    fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.identity)
    }

    /// Whether what was committed just now is in files that others will find. This is asked after each commit, so it looks for
    /// the database alone; that the log is gone is known since the last look.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is not: then nothing that was written just now may be acknowledged.
    pub(in crate::store) fn check(&self) -> Result<(), StoreError> {
        let path = self.path.display();
        if !self.is_there() {
            let reason = format!("its file {path} was removed or replaced; put it back, or start the server anew");
            return Err(StoreError::unavailable(reason));
        }
        if self.is_torn.load(Relaxed) {
            let reason = format!("{path}-wal or {path}-shm, which belong to the database, were removed or replaced");
            return Err(StoreError::unavailable(reason));
        }
        Ok(())
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Whether the file is mounted by itself: then the files that SQLite keeps beside it are elsewhere, and lost with that.
pub(in crate::store) fn is_mounted_alone(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let device = |path: &Path| identity(path).ok().map(|(device, _)| device);
    let is_on_another = path.parent().is_some_and(|folder| device(folder) != device(&path));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    is_on_another || is_mount_point(&path, &mounts)
}

/// Whether the list of mounts has one at that very path.
fn is_mount_point(path: &Path, mounts: &str) -> bool {
    // Blanks are written as octal numbers there.
    let shown = path.display().to_string().replace(' ', "\\040");
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_again_and_another_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, away) = (folder.path().join("db"), folder.path().join("away"));
        std::fs::write(&path, "1").expect("written");
        let file = OpenFile::at(&path).expect("a file");
        assert!(file.check().is_ok());
        std::fs::rename(&path, &away).expect("moved");
        assert!(file.check().is_err(), "gone");
        std::fs::write(&path, "1").expect("written");
        assert!(file.check().is_err(), "another");
        std::fs::rename(&away, &path).expect("moved back");
        assert!(file.check().is_ok());
    }

    #[test]
    fn what_stands_beside_it_belongs_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |end: &str| folder.path().join(format!("db{end}"));
        std::fs::write(at(""), "1").expect("written");
        let file = OpenFile::at(&at("")).expect("a file");
        for end in BESIDE {
            std::fs::write(at(end), "1").expect("written");
            assert_eq!(file.look(), Found::Whole, "it appears");
            std::fs::rename(at(end), at("-away")).expect("moved");
            assert_eq!(file.look(), Found::Torn);
            assert!(file.check().is_err(), "nothing is acknowledged");
            std::fs::write(at(end), "1").expect("written");
            assert_eq!(file.look(), Found::Torn, "another");
            file.know_beside();
            assert!(file.check().is_ok(), "it is known");
            assert_eq!(file.look(), Found::Whole);
        }
    }

    #[test]
    fn a_mount_of_the_file_itself_is_seen() {
        let mounts = "36 35 98:0 /a /data rw,noatime - ext4 /dev/root rw\n\
                      37 36 98:0 /b /data/my\\040archon.db rw - ext4 /dev/root rw\n";
        assert!(is_mount_point(Path::new("/data/my archon.db"), mounts));
        assert!(!is_mount_point(Path::new("/data/other.db"), mounts));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("db"), "1").expect("written");
        assert!(!is_mounted_alone(&folder.path().join("db")));
    }
}
