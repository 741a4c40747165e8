//! A `PgBouncer` in transaction mode, of its own.

use std::path::Path;
use std::process::Command;

use crate::databases::Database;

/// A running `PgBouncer`. Its drop ends it.
pub(super) struct Pooler {
    folder: String,
}

impl Pooler {
    /// Before the PostgreSQL of that database.
    pub(super) fn before(db: &Database) -> Self {
        let url = reqwest::Url::parse(db.url()).expect("a URL");
        let target = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
        Self { folder: script(&["start", &target]) }
    }

    /// The way to a database through it.
    pub(super) fn url(&self, db: &Database) -> String {
        let address = std::fs::read_to_string(Path::new(&self.folder).join("address")).expect("its address");
        let mut url = reqwest::Url::parse(db.url()).expect("a URL");
        let port = address.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        url.set_port(port).expect("a URL with a port");
        url.into()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        script(&["stop", &self.folder]);
    }
}

fn script(arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/pgbouncer.sh");
    let output = Command::new(path).args(arguments).output().expect("scripts/pgbouncer.sh");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
