//! The store as the dashboard asks it: only what the screen wants, and of that what is due.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::mpsc;

use super::answers::Answers;
use super::message::Message;
use super::pace::{Marks, Pace, Turn};
use super::refresh::{Occasion, Wants};
use crate::model::timestamp::Timestamp;
use crate::queries::sessions::Session;
use crate::queries::{Queries, clock_of};
use crate::session::operator::{Order, Targets, expire};
use crate::store::{Location, OpenError, OpenOptions, Role, Store, StoreError};

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum FeedError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its file is gone, or is another one.
    #[error("the database file {0} is gone")]
    Gone(String),
}

/// An open database, and what was asked of it.
pub(super) struct Feed {
    answers: Answers,
    /// The file that it is, by its number on the disk.
    inode: Option<u64>,
    pace: Pace,
}

/// Opens the database as its role allows: an original's only to look.
pub(super) async fn open(options: &OpenOptions) -> Result<Feed, FeedError> {
    let store = match Store::open(options).await {
        Err(OpenError::Foreign) if options.role == Role::Operator => {
            Store::open(&OpenOptions { role: Role::Reader, ..options.clone() }).await?
        }
        other => other?,
    };
    let inode = inode(store.location());
    let clock = clock_of(&store).await?;
    Ok(Feed { answers: Answers::new(Queries::new(store, clock)), inode, pace: Pace::default() })
}

fn inode(location: &Location) -> Option<u64> {
    match location {
        Location::SqliteFile(path) => std::fs::metadata(path).ok().map(|file| file.ino()),
        _ => None,
    }
}

impl Feed {
    /// The moment, by the database's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.answers.queries().clock().now()
    }

    /// The store.
    pub(super) fn store(&self) -> &Store {
        self.answers.queries().store()
    }

    /// What each question costs.
    pub(super) fn costs(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.pace.costs()
    }

    /// Asks what is due on that occasion; answers go out as they come. Returns the time that the database took.
    pub(super) async fn refresh(
        &mut self,
        wants: &Wants,
        occasion: Occasion,
        out: &mpsc::Sender<Message>,
    ) -> Result<Duration, FeedError> {
        if let Location::SqliteFile(path) = self.store().location()
            && inode(self.store().location()) != self.inode
        {
            return Err(FeedError::Gone(path.display().to_string()));
        }
        let began = Instant::now();
        self.answers.stand_still();
        let marks = self.marks().await?;
        let mut spent = began.elapsed();
        self.pace.travelled(spent / 2);
        // Whoever has gone away needs no answer: the loop that asked ends by itself.
        _ = out.send(Message::Took(spent)).await;
        let ended = occasion == Occasion::Ended;
        let turn = Turn { at: Instant::now(), interval: wants.interval, marks, ended };
        let due =
            if occasion == Occasion::All { wants.questions.clone() } else { self.pace.due(&wants.questions, turn) };
        for question in &due {
            let began = Instant::now();
            let answer = self.answers.ask(question).await?;
            let cost = began.elapsed();
            spent += cost;
            self.pace.asked(question, cost, (Instant::now(), marks));
            _ = out.send(Message::Answer(Box::new(answer), self.now())).await;
        }
        Ok(spent)
    }

    async fn marks(&self) -> Result<Marks, StoreError> {
        let store = self.store();
        if !store.has_events() {
            // Without events nothing tells that nothing happened.
            return Ok((self.now().millis(), self.now().millis()));
        }
        Ok((store.last_event().await?, store.last_request().await?))
    }

    /// Ends sessions; returns how many it ended.
    pub(super) async fn expire(&self, sessions: &[Session], by: &str) -> Result<usize, StoreError> {
        let mut targets = Targets::default();
        for session in sessions {
            targets.add(&session.session_id, session.protocol_session_id.as_deref());
        }
        let order = Order { by: by.to_owned(), note: None, at: self.now() };
        Ok(expire(self.store(), &targets, &order).await?.len())
    }
}
