//! A body, whole or not at all: bounded in bytes and in time.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Limits;
use super::refusal::Refusal;

/// A refused body is drained up to this multiple of the largest that is taken.
const DISCARDED: usize = 4;
/// A refused body that pauses for longer is not waited for: its client has stopped sending, and listens.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads a body within the limits. One that is too large is left in `body`, to be discarded.
pub(super) async fn read(headers: &HeaderMap, body: &mut Incoming, limits: &Limits) -> Result<Bytes, Refusal> {
    if declared(headers).is_some_and(|length| length > limits.body_bytes) {
        return Err(Refusal::too_large(limits.body_bytes));
    }
    match timeout(limits.body_time, whole(Limited::new(body, limits.body_bytes))).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_long(&*error) => Err(Refusal::too_large(limits.body_bytes)),
        Ok(Err(_)) => Err(Refusal::broken_body()),
        Err(_) => Err(Refusal::slow_body()),
    }
}

/// Nearly every body comes in one piece, which then is the whole as it is.
async fn whole(mut body: Limited<&mut Incoming>) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let Some(first) = body.frame().await.transpose()? else { return Ok(Bytes::new()) };
    let first = first.into_data().unwrap_or_default();
    if body.is_end_stream() {
        return Ok(first);
    }
    let rest = body.collect().await?.to_bytes();
    Ok([first, rest].concat().into())
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
