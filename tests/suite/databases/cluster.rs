//! A PostgreSQL of a test's own: one that may be killed and frozen.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A running PostgreSQL. Its drop ends it; databases on it have to be dropped before.
pub(crate) struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Self { folder: script(&["start".as_ref()]).into() }
    }

    /// The URL of its maintenance database.
    pub(crate) fn url(&self) -> String {
        let url = std::fs::read_to_string(self.folder.join("url")).expect("its URL");
        url.trim().to_owned()
    }

    /// What it has written into its log.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("log")).expect("its log")).into_owned()
    }

    /// Ends it at once, without a word to its clients.
    pub(crate) fn pause(&self) {
        self.script("pause");
    }

    /// Kills each of its processes.
    pub(crate) fn kill(&self) {
        self.script("kill");
    }

    /// Starts it again where it was.
    pub(crate) fn resume(&self) {
        self.script("resume");
    }

    /// Stops the clock for all of its processes.
    pub(crate) fn freeze(&self) {
        self.script("freeze");
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) {
        self.script("thaw");
    }

    fn script(&self, verb: &str) -> String {
        script(&[verb.as_ref(), &self.folder])
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("stop");
    }
}

fn script(arguments: &[&Path]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres.sh");
    let output = Command::new(path).args(arguments).output().expect("scripts/postgres.sh");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
