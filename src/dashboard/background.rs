//! The store is asked in the background, so that keys never wait for it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::data::Question;
use super::feed::{self, Feed, FeedError};
use super::message::Message;
use crate::queries::sessions::Session;
use crate::store::OpenOptions;

/// At least so long between two tries to open a database.
const AGAIN: Duration = Duration::from_secs(1);

/// What is asked now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wants {
    /// The questions.
    pub(super) questions: Vec<Question>,
    /// How often.
    pub(super) interval: Duration,
    /// Not at all.
    pub(super) paused: bool,
    /// Counts up when everything shall be asked at once.
    pub(super) refresh: u64,
}

/// Sessions to be ended, and by whom.
pub(super) type Orders = mpsc::Receiver<(Vec<Session>, String)>;

/// Asks until nobody listens any more; opens the database again when it went away.
pub(super) async fn run(
    options: OpenOptions,
    mut wants: watch::Receiver<Wants>,
    mut orders: Orders,
    out: mpsc::Sender<Message>,
) {
    let mut feed: Option<Feed> = None;
    let mut refreshed = 0;
    while !out.is_closed() {
        let want = wants.borrow_and_update().clone();
        let mut pause = want.interval;
        if let Err(error) = turn(&mut feed, &options, &want, &mut refreshed, &out).await {
            feed = None;
            pause = pause.max(AGAIN);
            _ = out.send(Message::Failed(error.to_string())).await;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = wants.changed() => if changed.is_err() { return },
            order = orders.recv() => {
                let Some((sessions, by)) = order else { return };
                let done = match &feed {
                    Some(feed) => feed.expire(&sessions, &by).await.map_err(|error| error.to_string()),
                    None => Err("the database does not answer".to_owned()),
                };
                _ = out.send(Message::Expired(done)).await;
            }
        }
    }
}

async fn turn(
    feed: &mut Option<Feed>,
    options: &OpenOptions,
    want: &Wants,
    refreshed: &mut u64,
    out: &mpsc::Sender<Message>,
) -> Result<(), FeedError> {
    let all = std::mem::replace(refreshed, want.refresh) != want.refresh;
    if want.paused && !all && feed.is_some() {
        return Ok(());
    }
    if feed.is_none() {
        *feed = Some(feed::open(options).await?);
    }
    if let Some(feed) = feed {
        feed.refresh(want, all, out).await?;
    }
    Ok(())
}
