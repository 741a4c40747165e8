//! The store is asked in the background, so that keys never wait for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::feed::{self, Feed, FeedError};
use super::message::Message;
use super::refresh::{Occasion, Wants};
use crate::queries::sessions::Session;
use crate::store::{OpenOptions, Store};

/// The least time between two tries to open a database.
const AGAIN: Duration = Duration::from_secs(1);

/// Ends come in crowds: how long they are gathered to make one refresh.
const GATHER: Duration = Duration::from_millis(250);

/// Sessions to be ended, and by whom.
pub(super) type Orders = mpsc::Receiver<(Vec<Session>, String)>;

/// Asks until nobody listens any more; opens the database again when it went away.
pub(super) async fn run(
    options: OpenOptions,
    mut wants: watch::Receiver<Wants>,
    mut orders: Orders,
    out: mpsc::Sender<Message>,
) {
    let mut poller = Poller::default();
    let mut occasion = Occasion::Interval;
    while !out.is_closed() {
        let want = wants.borrow_and_update().clone();
        let mut pause = want.interval;
        if let Err(error) = poller.turn(&options, &want, occasion, &out).await {
            poller = Poller { refreshed: poller.refreshed, ..Poller::default() };
            pause = pause.max(AGAIN);
            _ = out.send(Message::Failed(error.to_string())).await;
        }
        occasion = Occasion::Interval;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = poller.on_end.notified() => {
                tokio::time::sleep(GATHER).await;
                occasion = Occasion::Ended;
            }
            changed = wants.changed() => if changed.is_err() { return },
            order = orders.recv() => {
                let Some((sessions, by)) = order else { return };
                let done = match &poller.feed {
                    Some(feed) => feed.expire(&sessions, &by).await.map_err(|error| error.to_string()),
                    None => Err("the database does not answer".to_owned()),
                };
                _ = out.send(Message::Expired(done)).await;
            }
        }
    }
}

/// An open database, as far as there is one, and an ear on it.
#[derive(Default)]
struct Poller {
    feed: Option<Feed>,
    refreshed: u64,
    /// Told when sessions end.
    on_end: Arc<Notify>,
    /// Listens for as long as this lives.
    listener: JoinSet<()>,
}

impl Poller {
    async fn turn(
        &mut self,
        options: &OpenOptions,
        want: &Wants,
        occasion: Occasion,
        out: &mpsc::Sender<Message>,
    ) -> Result<(), FeedError> {
        let all = std::mem::replace(&mut self.refreshed, want.refresh) != want.refresh;
        if want.paused && !all && self.feed.is_some() {
            return Ok(());
        }
        if self.feed.is_none() {
            let feed = feed::open(options).await?;
            self.listener.spawn(listen(feed.store().clone(), self.on_end.clone()));
            self.feed = Some(feed);
        }
        if let Some(feed) = &mut self.feed {
            feed.refresh(want, if all { Occasion::All } else { occasion }, out).await?;
        }
        Ok(())
    }
}

/// Tells when sessions end, where the database does.
async fn listen(store: Store, on_end: Arc<Notify>) {
    while let Some(mut bell) = store.bell().await {
        while bell.ring().await {
            on_end.notify_one();
        }
        // What happened since its connection was lost nobody knows.
        on_end.notify_one();
        tokio::time::sleep(AGAIN).await;
    }
}
