//! One server for one SQLite file, whatever name it is called by.
//!
//! The lock is on the file itself: a symbolic link, a hard link or a removed lock file lead round no lock that has no name.
//! It is taken before SQLite opens the file, and its descriptor is the only one of ours: when a process closes any
//! descriptor of a file, the system drops SQLite's own locks on it. A file beside it is locked as well, because older
//! servers know only that one, and because on a network file system both kinds of lock are one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Seek, Write as _};
use std::path::{Path, PathBuf};

use super::error::OpenError;
use crate::model::private;

/// What a server holds for as long as its file is open.
#[derive(Debug)]
pub(in crate::store) struct FileLock {
    /// `None` where the system would take it for SQLite's own.
    main: Option<File>,
    _beside: File,
}

impl FileLock {
    /// Takes both locks, and makes the files where they are absent.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another server has either.
    pub(in crate::store) fn take(path: &Path) -> Result<Self, OpenError> {
        let unwritable = |e: Error| OpenError::Unwritable { path: path.to_owned(), reason: e.into() };
        make(path).map_err(unwritable)?;
        let main = if keeps_locks_apart(path) {
            let main = OpenOptions::new().append(true).read(true).open(path).map_err(unwritable)?;
            locked(&main, path, || holder(&main))?;
            Some(main)
        } else {
            None
        };
        // A link is another name of the same file: the lock stands beside the file.
        let real = path.canonicalize().map_err(unwritable)?;
        Ok(Self { main, _beside: lock_beside(&real, path)? })
    }

    /// Waits until the file is on the disk.
    pub(in crate::store) fn sync_data(&self) -> std::io::Result<()> {
        self.main.as_ref().map_or(Ok(()), File::sync_data)
    }
}

/// Makes the file if it is absent. One that is there is not even opened, and where a link leads nothing is made.
pub(in crate::store) fn make(path: &Path) -> std::io::Result<()> {
    match private::make_file(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(|_| ()),
    }
}

/// Whether a lock of a whole file and SQLite's locks of parts of it do not see each other: on Linux, but not over a network.
fn keeps_locks_apart(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        /// NFS, SMB, CIFS, SMB2, Ceph, AFS, 9p, Lustre, GFS2.
        const NETWORKS: [u32; 9] =
            [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400, 0x5346_414f, 0x0102_1997, 0x0bd0_0bd0, 0x0116_1970];
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let kind = rustix::fs::statfs(path).or_else(|_| rustix::fs::statfs(folder)).map(|found| found.f_type);
        kind.is_ok_and(|kind| !NETWORKS.iter().any(|network| i128::from(*network) == i128::from(kind) & 0xffff_ffff))
    }
    #[cfg(not(target_os = "linux"))]
    {
        _ = path;
        false
    }
}

fn locked(file: &File, path: &Path, holder: impl FnOnce() -> String) -> Result<(), OpenError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse { path: path.to_owned(), pid: holder() },
        TryLockError::Error(e) => OpenError::Unwritable { path: path.to_owned(), reason: e.into() },
    })
}

/// Who has locked the file itself, as the system says. Who it is, is a courtesy: not to know does not change the answer.
fn holder(file: &File) -> String {
    use std::os::unix::fs::MetadataExt;
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let inode = file.metadata().map(|m| format!(":{}", m.ino())).unwrap_or_default();
    let of_file = |line: &&str| {
        line.contains("FLOCK")
            && line.split_whitespace().any(|word| word.matches(':').count() == 2 && word.ends_with(&inode))
    };
    let line = locks.lines().find(of_file).unwrap_or_default();
    line.split_whitespace().nth(4).unwrap_or("unknown").to_owned()
}

/// The lock file of `real`. What is in the way, such as a link that leads elsewhere, is left alone and named.
fn lock_beside(real: &Path, path: &Path) -> Result<File, OpenError> {
    let name = PathBuf::from(real.as_os_str().to_owned()).with_added_extension("lock");
    let refused = |e: Error| OpenError::Unwritable {
        path: path.to_owned(),
        reason: format!("its lock file {} cannot be used: {e}", name.display()).into(),
    };
    let mut file = private::open_file(&name).map_err(refused)?;
    let mut said = String::new();
    // What is no text is no pid.
    let is_text = (&file).take(64).read_to_string(&mut said).is_ok();
    let said = said.trim();
    let is_ours = is_text && said.bytes().all(|byte| byte.is_ascii_digit());
    locked(&file, path, || if is_ours { said.to_owned() } else { "unknown".to_owned() })?;
    // Somebody else's words are not ours to replace.
    if is_ours {
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(refused)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_stay_in_a_lock_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, lock) = (folder.path().join("db"), folder.path().join("db.lock"));
        for (before, after) in [("# precious\n", "# precious\n"), ("", "{pid}\n"), ("12345678\n", "{pid}\n")] {
            std::fs::write(&lock, before).expect("written");
            drop(FileLock::take(&path).expect("taken"));
            let after = after.replace("{pid}", &std::process::id().to_string());
            assert_eq!(std::fs::read_to_string(&lock).expect("read"), after);
        }
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "").expect("written");
        std::os::unix::fs::symlink(&victim, folder.path().join("db.lock")).expect("a link");
        let refused = FileLock::take(&folder.path().join("db")).expect_err("a link").to_string();
        assert!(refused.contains("db.lock") && refused.contains("symbolic link"), "{refused}");
        assert_eq!(std::fs::read_to_string(&victim).expect("read"), "");
    }

    #[test]
    fn another_name_is_no_way_round() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let _held = FileLock::take(&at("db")).expect("taken");
        std::os::unix::fs::symlink(at("db"), at("symbolic")).expect("a link");
        std::fs::hard_link(at("db"), at("hard")).expect("a link");
        std::fs::remove_file(at("db.lock")).expect("removed");
        for name in ["db", "symbolic", "hard"] {
            let refused = FileLock::take(&at(name)).expect_err(name);
            let us = std::process::id().to_string();
            assert!(matches!(&refused, OpenError::InUse { pid, .. } if *pid == us), "{name}: {refused}");
        }
    }
}
