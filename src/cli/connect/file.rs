//! A client's file, which other programs change as well: read, changed and replaced whole, or left as it is.
//!
//! Runs of ours take turns by a lock on the file. Its client knows nothing of that, so the file is looked at once more
//! right before it is replaced.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// How often we begin anew because the file was changed meanwhile. Of a crowd of our own runs one gets through each time.
const TRIES: usize = 100;
/// What Linux allows.
const LINKS: usize = 40;
const MARK: &str = "\u{feff}";

/// Why a file stays as it is.
#[derive(Debug)]
pub(super) enum Kept<E> {
    /// It cannot be used, and why.
    Unusable(String),
    /// The change was not to be made.
    Refused(E),
}

impl<E> From<String> for Kept<E> {
    fn from(why: String) -> Self {
        Self::Unusable(why)
    }
}

/// Changes the file's text; one that is not there is empty, and is made with `mode` less the umask. Gives what `edit` gave,
/// and whether the file had to be changed.
///
/// # Errors
/// When it cannot be read or replaced, or `edit` refuses it.
pub(super) fn change<T, E>(
    path: &Path,
    mode: u32,
    edit: impl Fn(&str) -> Result<(String, T), E>,
) -> Result<(T, bool), Kept<E>> {
    for _ in 0..TRIES {
        let Some(before) = Before::read(path)? else { continue };
        let (after, outcome) = edit(&before.text).map_err(Kept::Refused)?;
        if after == before.text {
            return Ok((outcome, false));
        }
        if before.replace(&after, mode).map_err(|e| format!("it cannot be written: {e}"))? {
            return Ok((outcome, true));
        }
    }
    Err("other programs change it all the time".to_owned().into())
}

/// A file as we found it, locked until this is dropped.
struct Before {
    path: PathBuf,
    /// `None`: there was none.
    found: Option<(File, Metadata)>,
    /// Without a byte order mark.
    text: String,
    marked: bool,
}

impl Before {
    /// `None`: it was replaced while we waited for our turn.
    fn read(path: &Path) -> Result<Option<Self>, String> {
        let path = followed(path);
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(Some(Self { path, found: None, text: String::new(), marked: false }));
            }
            Err(e) => return Err(format!("it cannot be opened for reading and writing: {e}")),
        };
        let metadata = file.metadata().map_err(|e| e.to_string())?;
        if !metadata.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        // To root everything is open; who has set that mode meant it.
        if metadata.permissions().readonly() {
            return Err(format!("it is protected from writing (mode {:04o})", metadata.mode() & 0o7777));
        }
        // Where the file system has no locks, the look before replacing has to do.
        let _ = file.lock();
        if !is_at(&path, &metadata) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| format!("it cannot be read: {e}"))?;
        let text = decoded(&bytes)?;
        let marked = text.starts_with(MARK);
        let text = text.strip_prefix(MARK).unwrap_or(text).to_owned();
        Ok(Some(Self { path, found: Some((file, metadata)), text, marked }))
    }

    /// All of it or nothing: a client may read it at any time. `false`: another program was there before us.
    fn replace(&self, text: &str, mode: u32) -> io::Result<bool> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder)?;
        let mode = if self.found.is_some() { 0o600 } else { mode };
        let new = Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder);
        // Its own words name a file that nobody knows.
        let mut new = new.map_err(|e| io::Error::from(e.kind()))?;
        new.write_all(self.whole(text).as_bytes())?;
        match &self.found {
            None => {
                new.as_file().sync_all()?;
                made(new, &self.path)
            }
            Some((_, old)) => {
                // Only root can give a file away; for others it is theirs already.
                let _ = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
                new.as_file().set_permissions(old.permissions())?;
                new.as_file().sync_all()?;
                if !is_at(&self.path, old) || fs::read(&self.path)? != self.whole(&self.text).as_bytes() {
                    return Ok(false);
                }
                new.persist(&self.path)?;
                Ok(true)
            }
        }
    }

    fn whole(&self, text: &str) -> String {
        format!("{}{text}", if self.marked { MARK } else { "" })
    }
}

fn made(new: NamedTempFile, path: &Path) -> io::Result<bool> {
    match new.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e.error),
    }
}

fn is_at(path: &Path, file: &Metadata) -> bool {
    fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (file.dev(), file.ino()))
}

fn decoded(bytes: &[u8]) -> Result<&str, String> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err("it is UTF-16; save it as UTF-8".to_owned()),
        _ => std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
    }
}

/// What a link leads to is what the client reads, even if nothing is there yet.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::convert::Infallible;

    #[test]
    fn what_others_write_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/file");
        for (before, meanwhile) in [("", "made\n"), ("made\nadded\n", "written over\n")] {
            let runs = Cell::new(0);
            let add = |text: &str| {
                if runs.replace(runs.get() + 1) == 0 {
                    assert_eq!(text, before);
                    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                    fs::write(&path, meanwhile).expect("written");
                }
                Ok::<_, Infallible>((format!("{text}added\n"), ()))
            };
            assert!(change(&path, 0o666, add).is_ok_and(|((), is_changed)| is_changed));
            assert_eq!((runs.get(), fs::read_to_string(&path).expect("a file")), (2, format!("{meanwhile}added\n")));
        }
        assert_eq!(fs::read_dir(folder.path().join("new")).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_always_changes_is_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let runs = Cell::new(0);
        let add = |text: &str| {
            fs::write(&path, runs.replace(runs.get() + 1).to_string()).expect("written");
            Ok::<_, Infallible>((format!("{text}added"), ()))
        };
        assert!(matches!(change(&path, 0o666, add), Err(Kept::Unusable(why)) if why.contains("all the time")));
    }

    #[test]
    fn what_is_no_file_of_texts_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let why = || match change(&path, 0o666, |_| Ok::<_, Infallible>(("text".to_owned(), ()))) {
            Err(Kept::Unusable(why)) => why,
            other => panic!("{other:?}"),
        };
        for (bytes, words) in [
            (&b"\xff\xfe{\0"[..], "UTF-16"),
            (b"\xfe\xff\0{", "UTF-16"),
            (b"a\xff", "not UTF-8"),
            (b"{\xff\xfe", "not UTF-8"),
        ] {
            fs::write(&path, bytes).expect("written");
            assert!(why().contains(words), "{}", why());
            assert_eq!(fs::read(&path).expect("a file"), bytes);
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("set");
        // Root is told by us, others by the system.
        assert!(why().contains("(mode 0400)") || why().contains("denied"), "{}", why());
        fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink("/dev/null", &path).expect("linked");
        assert!(why().contains("not a regular file"), "{}", why());
        fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink(&path, &path).expect("linked");
        assert!(why().contains("cannot be opened"), "{}", why());
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        assert!(why().contains("cannot be opened"), "{}", why());
    }
}
