//! What can be wrong with a database, done to a real one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::databases::{Blockade, Cluster, Database};
use crate::process::ServeProcess;

/// Something that keeps the database from taking writes, until it ends.
pub(super) trait Fault {
    /// What the server's environment needs for it.
    fn environment(&self, _: &Database) -> Vec<(&'static str, OsString)> {
        Vec::new()
    }

    async fn begin(&mut self, db: &Database, server: &ServeProcess);
    async fn end(&mut self, db: &Database, server: &ServeProcess);
}

/// Runs SQL in the maintenance database, with `{name}` for the name of this one; then cuts the server's connections.
async fn from_outside(db: &Database, sql: &str) {
    let name = db.url().rsplit('/').next().unwrap_or_default();
    let mut admin = PgConnection::connect(db.maintenance().expect("PostgreSQL")).await.expect("connect");
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'archonctl'"
    );
    for sql in [sql.replace("{name}", name), cut] {
        admin.execute(sqlx::AssertSqlSafe(sql)).await.expect("done");
    }
}

/// It accepts no connection: it is stopping, or has too many.
pub(super) struct Closed;

impl Fault for Closed {
    async fn begin(&mut self, db: &Database, _: &ServeProcess) {
        from_outside(db, "ALTER DATABASE {name} ALLOW_CONNECTIONS false").await;
    }

    async fn end(&mut self, db: &Database, _: &ServeProcess) {
        from_outside(db, "ALTER DATABASE {name} ALLOW_CONNECTIONS true").await;
    }
}

/// The name now leads to a replica that takes no writes.
pub(super) struct ReadOnly;

impl Fault for ReadOnly {
    async fn begin(&mut self, db: &Database, _: &ServeProcess) {
        from_outside(db, "ALTER DATABASE {name} SET default_transaction_read_only = on").await;
    }

    async fn end(&mut self, db: &Database, _: &ServeProcess) {
        from_outside(db, "ALTER DATABASE {name} RESET default_transaction_read_only").await;
    }
}

/// Whatever would need a page answers as a full disk does.
pub(super) struct NoSpace;

const TABLES: [&str; 4] =
    ["archon_mcp_requests", "archon_mcp_sessions", "archon_mcp_protocol_sessions", "archon_mcp_boots"];

impl Fault for NoSpace {
    async fn begin(&mut self, db: &Database, _: &ServeProcess) {
        let full = "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ \
                    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;";
        let triggers = TABLES.map(|table| {
            format!("CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION no_space();")
        });
        db.rows(&format!("{full}{}", triggers.concat()));
    }

    async fn end(&mut self, db: &Database, _: &ServeProcess) {
        db.rows("DROP FUNCTION no_space CASCADE");
    }
}

/// A PostgreSQL of its own, stopped in the middle of whatever it does: nothing is refused, and nothing is answered.
pub(super) struct Frozen(pub(super) Cluster);

impl Fault for Frozen {
    async fn begin(&mut self, _: &Database, _: &ServeProcess) {
        self.0.freeze();
    }

    async fn end(&mut self, _: &Database, _: &ServeProcess) {
        self.0.thaw();
    }
}

/// A PostgreSQL of its own is killed and started.
impl Fault for Cluster {
    async fn begin(&mut self, _: &Database, _: &ServeProcess) {
        self.pause();
    }

    async fn end(&mut self, _: &Database, _: &ServeProcess) {
        self.resume();
    }
}

fn file(db: &Database) -> PathBuf {
    PathBuf::from(db.url().trim_start_matches("sqlite://"))
}

/// The file and what belongs to it are moved away, and back.
pub(super) struct Removed;

impl Removed {
    fn rename(db: &Database, from: &str, to: &str) {
        let path = file(db);
        // The database last: it is what is looked for.
        for part in ["-wal", "-shm", ""] {
            let at = |suffix: &str| PathBuf::from(format!("{}{part}{suffix}", path.display()));
            std::fs::rename(at(from), at(to)).expect("moved");
        }
    }
}

impl Fault for Removed {
    async fn begin(&mut self, db: &Database, _: &ServeProcess) {
        Self::rename(db, "", ".away");
    }

    async fn end(&mut self, db: &Database, _: &ServeProcess) {
        Self::rename(db, ".away", "");
    }
}

/// No file of the server may grow or change any more (the system's limit), as on a full disk.
pub(super) struct FileLimit;

impl FileLimit {
    /// For a process; it can be lifted again.
    pub(super) fn set(pid: u32, limit: &str) {
        let done = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--fsize={limit}:")]).status();
        assert!(done.expect("prlimit, of util-linux").success());
    }
}

impl Fault for FileLimit {
    async fn begin(&mut self, _: &Database, server: &ServeProcess) {
        Self::set(server.pid(), "0");
    }

    async fn end(&mut self, _: &Database, server: &ServeProcess) {
        Self::set(server.pid(), "unlimited");
    }
}

/// The file system has become read-only, as after an error of its disk. See `tests/servers/read_only.c`.
pub(super) struct ReadOnlySystem {
    folder: TempDir,
}

impl ReadOnlySystem {
    pub(super) fn new() -> Self {
        let (folder, manifest) = (TempDir::new().expect("a temporary folder"), Path::new(env!("CARGO_MANIFEST_DIR")));
        // Whoever can link Rust has a C compiler.
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&folder.path().join("read_only.so"), &manifest.join("tests/servers/read_only.c")])
            .arg("-ldl")
            .status();
        assert!(built.expect("cc").success());
        Self { folder }
    }

    fn flag(&self) -> PathBuf {
        self.folder.path().join("on")
    }
}

impl Fault for ReadOnlySystem {
    fn environment(&self, db: &Database) -> Vec<(&'static str, OsString)> {
        let library = self.folder.path().join("read_only.so");
        let folder = db.folder().canonicalize().expect("a folder");
        vec![
            ("LD_PRELOAD", library.into()),
            ("READ_ONLY_FOLDER", folder.into()),
            ("READ_ONLY_WHILE", self.flag().into()),
        ]
    }

    async fn begin(&mut self, _: &Database, _: &ServeProcess) {
        std::fs::write(self.flag(), "").expect("written");
    }

    async fn end(&mut self, _: &Database, _: &ServeProcess) {
        std::fs::remove_file(self.flag()).expect("removed");
    }
}

/// Another program holds the write lock.
#[derive(Default)]
pub(super) struct Locked(Option<Blockade>);

impl Fault for Locked {
    async fn begin(&mut self, db: &Database, _: &ServeProcess) {
        self.0 = Some(Blockade::of(db, "LOCK TABLE archon_mcp_requests IN EXCLUSIVE MODE").await);
    }

    async fn end(&mut self, _: &Database, _: &ServeProcess) {
        self.0.take().expect("locked").release().await;
    }
}

/// A way to the database on which every packet takes its time.
pub(super) struct Slow {
    url: String,
    delay_ms: Arc<AtomicU64>,
}

impl Slow {
    pub(super) async fn before(db: &Database) -> Self {
        let mut url = reqwest::Url::parse(db.url()).expect("a URL");
        let target = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        url.set_port(Some(listener.local_addr().expect("an address").port())).expect("a URL with a port");
        let delay_ms = Arc::<AtomicU64>::default();
        let delay = delay_ms.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&target).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, delay.clone()));
                tokio::spawn(carry(from_server, to_client, delay.clone()));
            }
        });
        Self { url: url.into(), delay_ms }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn delay(&self, delay: Duration) {
        self.delay_ms.store(u64::try_from(delay.as_millis()).expect("a short delay"), Relaxed);
    }
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, delay_ms: Arc<AtomicU64>) {
    let mut packet = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut packet).await {
        sleep(Duration::from_millis(delay_ms.load(Relaxed))).await;
        if to.write_all(&packet[..length]).await.is_err() {
            return;
        }
    }
}
