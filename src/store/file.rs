//! The file behind an open SQLite database: a system keeps a removed file for whoever has it open, and what is written to
//! it then is gone with its last reader.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::StoreError;

/// A file as it was when it was opened.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    path: PathBuf,
    /// Device and number: what is at the path may be another file by now.
    identity: (u64, u64),
}

impl OpenFile {
    /// The file at that path.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }

    /// Whether it is still where it was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is not: then nothing that was written just now may be acknowledged.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(found) if found == self.identity => Ok(()),
            _ => Err(StoreError::Unavailable(format!(
                "its file {} was removed or replaced; put it back, or start the server anew",
                self.path.display()
            ))),
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
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
}
