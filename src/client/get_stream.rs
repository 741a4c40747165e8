//! The standing stream of a session (basic/transports, listening for messages): what belongs to no request, or what a server
//! sends there although it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::debug;

use super::error::ClientError;
use super::hearing::Hearing;
use super::transport::Transport;

/// How long a caller waits until the stream stands. A server may keep its headers back until there is something to say.
const PATIENCE: Duration = Duration::from_millis(500);
/// No request of ours has it.
const NOBODYS_ID: u64 = 0;

/// The stream, where there is one. It ends with this.
#[derive(Debug, Default)]
pub(super) struct GetStream(Mutex<Option<AbortHandle>>);

impl GetStream {
    /// Opens it in the session of those headers, in place of a former one. Returns when it stands, or is none, or after a
    /// moment. Servers need not have one; what happens to it is told at `-v` and harms nothing.
    pub(super) async fn open(&self, transport: Arc<Transport>, hearing: Arc<Hearing>, headers: HeaderMap) {
        let (stands, wait) = oneshot::channel();
        let listening = tokio::spawn(async move {
            if let Err(error) = listen(&transport, &hearing, &headers, stands).await {
                debug!("no standing stream: {error}");
            }
        });
        self.replace(Some(listening.abort_handle()));
        // It says nothing where there is no stream.
        _ = timeout(PATIENCE, wait).await;
    }

    fn replace(&self, listening: Option<AbortHandle>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = std::mem::replace(&mut *held, listening) {
            former.abort();
        }
    }
}

impl Drop for GetStream {
    fn drop(&mut self) {
        self.replace(None);
    }
}

/// Hears all of it. Where it breaks off it is not resumed yet.
async fn listen(
    transport: &Transport,
    hearing: &Hearing,
    headers: &HeaderMap,
    stands: oneshot::Sender<()>,
) -> Result<(), ClientError> {
    let Some(mut messages) = transport.standing(headers).await? else { return Ok(()) };
    debug!("the standing stream is open");
    // Whoever waits may have left.
    _ = stands.send(());
    while let Some(message) = messages.next().await? {
        hearing.hear(messages.hear(&message, NOBODYS_ID)?, headers).await;
    }
    Ok(())
}
