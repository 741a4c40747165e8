//! Where the server is that uses a database now, for whoever passes messages on to it.

use super::host::{self, Host};
use crate::store::backend::reread;
use crate::store::{Store, StoreError};

/// Where a server listens, and which process it is.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Its address, or `unix:` and a path.
    pub place: String,
    /// The number and the start of its process, where that is one of this machine.
    process: Option<(i64, i64)>,
}

impl Listening {
    /// Whether its process has ended for certain. Whatever answers at its place from then on is a stranger.
    pub fn is_gone(&self) -> bool {
        self.process.is_some_and(|(pid, started)| host::is_gone(pid, started))
    }
}

/// A boot that has not ended.
#[derive(sqlx::FromRow)]
struct Open {
    listen: Option<String>,
    pid: Option<i64>,
    pid_started: Option<i64>,
    kernel_boot: Option<String>,
    pid_namespace: Option<String>,
}

impl Open {
    fn is_of(&self, here: &Host) -> bool {
        self.kernel_boot.is_some()
            && (&self.kernel_boot, &self.pid_namespace) == (&here.kernel_boot, &here.pid_namespace)
    }
}

impl Store {
    /// Where the server listens that uses this database now, as its boot says: the newest that has not ended, and whose
    /// process is not known to be gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn listening(&self) -> Result<Option<Listening>, StoreError> {
        let boots: Vec<Open> = reread!(self, db => sqlx::query_as(
            "SELECT listen, CAST(pid AS BIGINT) AS pid, CAST(pid_started AS BIGINT) AS pid_started, kernel_boot, pid_namespace \
             FROM archon_mcp_boots WHERE ended_at IS NULL ORDER BY number DESC")
            .fetch_all(db).await)?;
        let here = Host::here();
        let alive = boots.into_iter().find_map(|boot| {
            let process = boot.pid.zip(boot.pid_started).filter(|_| boot.is_of(&here));
            let listening = boot.listen.map(|place| Listening { place, process });
            let is_gone = process.is_some_and(|(pid, started)| host::is_gone(pid, started));
            (!is_gone).then_some(listening)
        });
        Ok(alive.flatten())
    }
}
