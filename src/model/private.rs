//! Files and folders for their owner alone: 0600 and 0700, whatever the umask. Nothing is made or written through a
//! symbolic link: whoever could put one there would choose which file of ours is written to.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

const FILE: u32 = 0o600;
const FOLDER: u32 = 0o700;

/// Makes a folder, and those above it, where they are absent. One that is there stays as it is.
///
/// # Errors
/// When one cannot be made, or there is something else in its place.
pub fn make_folder(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(FOLDER).create(path) {
        // A umask takes rights away, and never gives any: for a moment the folder is narrower.
        Ok(()) => std::fs::set_permissions(path, Permissions::from_mode(FOLDER)),
        // Another program was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a file where there is nothing, not even a link, and opens it to write.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where there is something; else when it cannot be made.
pub fn make_file(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create_new(true).write(true).mode(FILE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE))?;
    Ok(file)
}

/// Opens a file to read and to write, and makes it where it is absent. What it holds stays.
///
/// # Errors
/// When it is a link or no regular file, or cannot be opened.
pub fn open_file(path: &Path) -> Result<File> {
    match make_file(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Nor does a pipe or a terminal in its place keep us waiting.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| {
        let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        if is_link { Error::other("it is a symbolic link; remove it") } else { error }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("it is not a regular file")) }
}

/// Puts a file with that content at the path, whole or not at all. A link that is there gives way to it.
///
/// # Errors
/// When it cannot be written; what was there stays.
pub fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.as_file().set_permissions(Permissions::from_mode(FILE))?;
    new.write_all(content)?;
    new.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_link_is_never_written_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("precious"), "precious").expect("written");
        for (link, target) in [("there", "precious"), ("nowhere", "absent")] {
            symlink(at(target), at(link)).expect("a link");
            let refused = open_file(&at(link)).expect_err("a link").to_string();
            assert!(refused.contains("symbolic link"), "{refused}");
            assert_eq!(make_file(&at(link)).expect_err("a link").kind(), ErrorKind::AlreadyExists);
            replace_file(&at(link), b"ours").expect("replaced");
            assert!(!at(link).is_symlink() && std::fs::read(at(link)).expect("read") == b"ours");
        }
        assert_eq!(std::fs::read(at("precious")).expect("read"), b"precious");
        assert!(!at("absent").exists());
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("it ran");
        assert!(made.success());
        let refused = open_file(&pipe).expect_err("a pipe").to_string();
        assert!(refused.contains("not a regular file"), "{refused}");
        assert!(open_file(folder.path()).is_err());
    }

    #[test]
    fn folders_and_files_are_their_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b/c");
        make_folder(&deep).expect("made");
        make_folder(&deep).expect("it is there");
        for folder in deep.ancestors().take(3) {
            assert_eq!(mode(folder), FOLDER, "{}", folder.display());
        }
        open_file(&deep.join("opened")).expect("made").write_all(b"1").expect("written");
        drop(make_file(&deep.join("made")).expect("made"));
        replace_file(&deep.join("replaced"), b"1").expect("made");
        for file in std::fs::read_dir(&deep).expect("a folder").flatten() {
            assert_eq!(mode(&file.path()), FILE, "{}", file.path().display());
        }
        open_file(&deep.join("opened")).expect("it is there");
        assert_eq!(std::fs::read(deep.join("opened")).expect("read"), b"1", "what it holds stays");
        std::fs::write(folder.path().join("file"), "").expect("written");
        assert!(make_folder(&folder.path().join("file/x")).is_err());
    }
}
