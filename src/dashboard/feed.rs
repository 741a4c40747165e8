//! The store, asked in the background: only what the screen wants, only when something changed, and each question the
//! more seldom the dearer it is.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::data::{Answer, History, MINUTES, Part, Pulse, Question, SESSIONS, STREAM, Step};
use super::message::Message;
use crate::model::timestamp::Timestamp;
use crate::queries::Queries;
use crate::queries::events::EventQuery;
use crate::queries::find::Found;
use crate::queries::requests::RequestQuery;
use crate::queries::sessions::Session;
use crate::queries::standings::Ended;
use crate::queries::usage::{By, UsageQuery};
use crate::session::operator::{Order, Targets, expire};
use crate::store::{Location, OpenError, OpenOptions, Role, Store, StoreError, Tables};

/// A question that costs so much is asked again after so many times as long: one that a glance needs takes a hundredth of
/// the database's time at most, any other a four hundredth.
const DEAR: u32 = 100;
const DEARER: u32 = 400;
/// However dear, it is asked after so long.
const SELDOM: Duration = Duration::from_mins(1);
/// What changes without an event (touches, the passing of time) is looked at so often.
const UNCHANGED: Duration = Duration::from_secs(5);
/// How many boots the header knows.
const BOOTS: usize = 20;
/// How many boots and requests of a session are listed.
const LISTED: usize = 200;
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
    queries: Queries,
    /// The file that it is, by its number on the disk.
    inode: Option<u64>,
    asked: HashMap<Question, Asked>,
    ended: Option<(Ended, Asked)>,
    requests: Option<(Option<String>, Option<String>, i64)>,
    last_event: Option<i64>,
    /// The header has its half hour.
    primed: bool,
}

/// When a question was asked, what it cost, and what was the newest then.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    cost: Duration,
    marks: Marks,
}

/// The change feed: the last event and the last request. Where they are the same, nothing has happened.
type Marks = (i64, i64);

/// Opens the database as its role allows: an original's only to look.
pub(super) async fn open(options: &OpenOptions) -> Result<Feed, FeedError> {
    let store = match Store::open(options).await {
        Err(OpenError::Foreign) if options.role == Role::Operator => {
            Store::open(&OpenOptions { role: Role::Reader, ..options.clone() }).await?
        }
        other => other?,
    };
    let inode = inode(store.location());
    let queries = Queries::new(store).await?;
    let asked = HashMap::new();
    Ok(Feed { queries, inode, asked, ended: None, requests: None, last_event: None, primed: false })
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
        self.queries.clock().now()
    }

    /// What each question cost when it was last asked.
    pub(super) fn costs(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.asked.iter().map(|(question, asked)| (question.name(), asked.cost))
    }

    /// Asks what is due; answers go out as they come. Returns the time that the database took.
    pub(super) async fn refresh(
        &mut self,
        wants: &Wants,
        all: bool,
        out: &mpsc::Sender<Message>,
    ) -> Result<Duration, FeedError> {
        if let Location::SqliteFile(path) = self.queries.store().location()
            && inode(self.queries.store().location()) != self.inode
        {
            return Err(FeedError::Gone(path.display().to_string()));
        }
        let began = Instant::now();
        let marks = self.marks().await?;
        // Whoever has gone away needs no answer: the loop that asked ends by itself.
        _ = out.send(Message::Took(began.elapsed())).await;
        let mut spent = began.elapsed();
        for question in &wants.questions {
            if !all && !self.is_due(question, wants.interval, marks) {
                continue;
            }
            let began = Instant::now();
            let answer = self.ask(question, marks).await?;
            let cost = began.elapsed();
            spent += cost;
            self.asked.insert(kind(question), Asked { at: Instant::now(), cost, marks });
            _ = out.send(Message::Answer(Box::new(answer), self.now())).await;
        }
        self.asked.retain(|_, asked| asked.at.elapsed() < 2 * SELDOM);
        Ok(spent)
    }

    async fn marks(&self) -> Result<Marks, StoreError> {
        let store = self.queries.store();
        if store.tables() == Tables::Original {
            // Without numbers nothing tells that nothing happened.
            return Ok((self.now().millis(), self.now().millis()));
        }
        Ok((store.last_event().await?, store.last_request().await?))
    }

    fn is_due(&self, question: &Question, interval: Duration, marks: Marks) -> bool {
        let Some(asked) = self.asked.get(&kind(question)) else { return true };
        let age = asked.at.elapsed();
        let dear = (asked.cost * dearness(question)).min(SELDOM);
        if matches!(question, Question::Latest(_)) {
            return age >= dear;
        }
        // A little less, or the clock's grain would make it every other time.
        if age < (interval * 9 / 10).max(dear) {
            return false;
        }
        *question == Question::Pulse || marks != asked.marks || age >= UNCHANGED
    }

    async fn ask(&mut self, question: &Question, (last_event, _): Marks) -> Result<Answer, StoreError> {
        let queries = self.queries.clone();
        Ok(match question {
            Question::Pulse => self.pulse().await?,
            Question::Counts => {
                let ended = self.ended(last_event).await?;
                Answer::Counts(queries.counts(ended).await?)
            }
            Question::Crowds => Answer::Crowds(queries.crowds().await?),
            Question::Sessions(query) => Answer::Sessions(queries.window(query, SESSIONS).await?),
            Question::Latest(ids) => Answer::Latest(queries.latest(ids).await?),
            Question::Story(id) => {
                let found = Found { session_id: *id, protocol_session_id: None };
                Answer::Story(queries.story(&found, Some(LISTED)).await?.map(Box::new))
            }
            Question::Requests(tool, status) => self.requests(tool.clone(), status.clone()).await?,
            Question::Words(number) => Answer::Words(*number, queries.words(*number).await?),
            Question::Tools => {
                let day = Some(Duration::from_hours(24));
                Answer::Tools(queries.usage(UsageQuery { by: By::Tool, since: day, exact: false, limit: None }).await?)
            }
            Question::Clients => Answer::Clients(queries.clients().await?),
            Question::Events => self.events().await?,
            Question::History(step) => history(&queries, *step).await?,
            Question::Boots => Answer::Boots(queries.boots_with_recovered(LISTED).await?),
        })
    }

    async fn pulse(&mut self) -> Result<Answer, StoreError> {
        let minutes = if self.primed { 3 } else { MINUTES as u64 };
        let minutes = self.queries.minutes(self.now().minus(Duration::from_secs(60 * minutes))).await?;
        let boots = self.queries.boots(BOOTS).await?;
        let boots_today = self.queries.boots_today().await?;
        self.primed = true;
        let original = self.queries.store().tables() == Tables::Original;
        Ok(Answer::Pulse(Pulse { boots, boots_today, minutes, original }))
    }

    /// Ended sessions are many, and no more of them without an event: they are counted when there was one, and then, too,
    /// not more often than their count is worth.
    async fn ended(&mut self, last_event: i64) -> Result<Ended, StoreError> {
        if let Some((ended, asked)) = self.ended
            && (asked.marks.0 == last_event || asked.at.elapsed() < asked.cost * DEAR)
        {
            return Ok(ended);
        }
        let began = Instant::now();
        let ended = self.queries.ended().await?;
        self.ended = Some((ended, Asked { at: Instant::now(), cost: began.elapsed(), marks: (last_event, 0) }));
        Ok(ended)
    }

    async fn requests(&mut self, tool: Option<String>, status: Option<String>) -> Result<Answer, StoreError> {
        let query = RequestQuery { tool: tool.clone(), status: status.clone(), ..RequestQuery::default() };
        let last = match &self.requests {
            Some((t, s, last)) if *t == tool && *s == status && *last > 0 => Some(*last),
            _ => None,
        };
        let newest = self.queries.store().last_request().await.unwrap_or(0);
        // Of more than fit, the last ones.
        let backlog = last.and_then(|last| usize::try_from(newest - last).ok()).unwrap_or(usize::MAX);
        let (rows, part) = match last {
            Some(last) if backlog < STREAM => (self.queries.requests_after(&query, last).await?, Part::More),
            _ => (self.queries.requests(&query, Some(STREAM / 2)).await?, Part::Whole),
        };
        let seen = rows.last().map(|row| row.number).or(last).unwrap_or(0);
        self.requests = Some((tool, status, seen));
        Ok(Answer::Requests(rows, part))
    }

    async fn events(&mut self) -> Result<Answer, StoreError> {
        let query = EventQuery::default();
        let (rows, part) = match self.last_event {
            Some(last) => (self.queries.events_after(&query, last).await?, Part::More),
            None => (self.queries.events(&query, Some(STREAM / 2)).await?, Part::Whole),
        };
        self.last_event = rows.last().map(|row| row.id).or(self.last_event);
        Ok(Answer::Events(rows, part))
    }

    /// Ends sessions.
    async fn expire(&self, sessions: &[Session], by: &str) -> Result<usize, StoreError> {
        let mut targets = Targets::default();
        for session in sessions {
            if session.called_tools {
                targets.archon.extend(Uuid::parse_str(&session.session_id));
            } else {
                targets.waiting.extend(session.protocol_session_id.clone());
            }
        }
        let order = Order { by: by.to_owned(), note: None, at: self.now() };
        Ok(expire(self.queries.store(), &targets, &order).await?.len())
    }
}

/// How many times its cost has to pass before a question is asked again.
fn dearness(question: &Question) -> u32 {
    match question {
        Question::Crowds | Question::Tools | Question::Clients | Question::History(_) | Question::Boots => DEARER,
        _ => DEAR,
    }
}

/// Questions that are asked about other rows each time have one price.
fn kind(question: &Question) -> Question {
    match question {
        Question::Latest(_) => Question::Latest(Vec::new()),
        other => other.clone(),
    }
}

async fn history(queries: &Queries, step: Step) -> Result<Answer, StoreError> {
    let by = match step {
        Step::Hour => By::Hour,
        Step::Day => By::Day,
    };
    let usage = queries.usage(UsageQuery { by, since: Some(step.reach()), exact: false, limit: None }).await?;
    let begun = queries.begun_by_hour(queries.clock().now().minus(step.reach())).await?;
    let clients = queries.clients().await?;
    Ok(Answer::History(History { step, usage, begun, clients }))
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
        *feed = Some(open(options).await?);
    }
    if let Some(feed) = feed {
        feed.refresh(want, all, out).await?;
    }
    Ok(())
}
