//! A body, whole or not at all: bounded in bytes and in time, and counted for as long as it is in memory.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::limits::{Held, Limits};
use super::refusal::Refusal;

/// A refused body is drained up to this multiple of the largest that is taken.
const DISCARDED: usize = 4;
/// A refused body that pauses for longer is not waited for: its client has stopped sending, and listens.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads a body within the limits. One that is too large is left in `body`, to be discarded.
pub(super) async fn read(
    headers: &HeaderMap,
    body: &mut Incoming,
    limits: &Limits,
    held: Held,
) -> Result<Bytes, Refusal> {
    if declared(headers).is_some_and(|length| length > limits.body_bytes) {
        return Err(Refusal::too_large(limits.body_bytes));
    }
    let pieces = Pieces { bytes: Vec::new(), declared: declared(headers).unwrap_or(0), held };
    let whole = whole(Limited::new(body, limits.body_bytes), pieces);
    match timeout(limits.body_time, whole).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Fault::NoRoom)) => Err(Refusal::no_room()),
        Ok(Err(Fault::Broken(error))) if is_too_long(&*error) => Err(Refusal::too_large(limits.body_bytes)),
        Ok(Err(Fault::Broken(_))) => Err(Refusal::broken_body()),
        Err(_) => Err(Refusal::slow_body()),
    }
}

/// Why a body is not whole.
enum Fault {
    /// There is no room for its bytes.
    NoRoom,
    /// The client, or the connection.
    Broken(Box<dyn Error + Send + Sync>),
}

/// From this size on a body gets all the room that it has said to need: to grow step by step takes twice as much.
const LONG: usize = 64 * 1024;

/// A body that comes in one piece does not count up to this size, in bytes. Nearly all are smaller.
const SMALL: usize = 8 * 1024;

/// A body in several pieces, and what says so among the bytes in memory.
struct Pieces {
    bytes: Vec<u8>,
    declared: usize,
    held: Held,
}

impl Pieces {
    fn add(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if !self.held.add(piece.len()) {
            return Err(Fault::NoRoom);
        }
        if self.bytes.len() + piece.len() > LONG {
            self.bytes.reserve_exact(self.declared.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl AsRef<[u8]> for Pieces {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Nearly every body comes in one small piece, which then is the whole as it is.
async fn whole(mut body: Limited<&mut Incoming>, mut pieces: Pieces) -> Result<Bytes, Fault> {
    let Some(first) = body.frame().await.transpose().map_err(Fault::Broken)? else { return Ok(Bytes::new()) };
    let first = first.into_data().unwrap_or_default();
    if body.is_end_stream() && first.len() <= SMALL {
        return Ok(first);
    }
    pieces.add(&first)?;
    while let Some(frame) = body.frame().await.transpose().map_err(Fault::Broken)? {
        if let Some(piece) = frame.data_ref() {
            pieces.add(piece)?;
        }
    }
    Ok(Bytes::from_owner(pieces))
}

/// Takes in what is left of a refused body. A client still sending when its connection closes sees a broken pipe
/// instead of the refusal, so an honest mistake is read to its end; one that asks first (`Expect`) has not begun.
pub(super) async fn discard(status: StatusCode, headers: &HeaderMap, mut body: Incoming, limits: &Limits) {
    let most = limits.body_bytes.saturating_mul(DISCARDED);
    let is_late = status == StatusCode::REQUEST_TIMEOUT;
    if is_late || headers.contains_key(EXPECT) || declared(headers).is_some_and(|length| length > most) {
        return;
    }
    let rest = async {
        let mut read = 0;
        while read < most
            && let Ok(Some(Ok(frame))) = timeout(PAUSE, body.frame()).await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // Out of time or not: the refusal is what comes next.
    _ = timeout(limits.body_time, rest).await;
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_long)
}
