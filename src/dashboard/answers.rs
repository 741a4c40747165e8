//! The answer to each question.

use std::time::Duration;

use super::data::{Answer, History, MINUTES, Part, Pulse, SESSIONS, STREAM};
use super::question::{Question, Step};
use crate::diagnosis::Thresholds;
use crate::model::request::RequestStatus;
use crate::queries::Queries;
use crate::queries::events::EventQuery;
use crate::queries::find::Search;
use crate::queries::requests::{Request, RequestQuery};
use crate::queries::standings::{Counts, Ended, Living};
use crate::queries::trends::Trends;
use crate::queries::usage::{Group, UsageQuery};
use crate::store::StoreError;
use crate::store::tail::Tail;

/// How many boots the header knows.
const BOOTS: usize = 20;
/// How many boots and requests of a session are listed.
const LISTED: usize = 200;
/// How far back a row is looked for that may come late.
const LOOK_BACK: i64 = 500;
/// What is told of tools reaches back so far.
const DAY: Duration = Duration::from_hours(24);

/// Answers questions.
#[derive(Debug)]
pub(super) struct Answers {
    queries: Queries,
    known: Known,
}

/// What was read before, so that the next time only what is new is read.
#[derive(Debug, Default)]
struct Known {
    /// How many sessions have not ended, and how many have.
    standings: Option<(Living, Ended)>,
    /// The stream of requests, with that status.
    requests: Option<(Option<RequestStatus>, Tail)>,
    /// The stream of events.
    events: Option<Tail>,
    trends: Trends,
    /// The header has its half hour.
    primed: bool,
}

impl Answers {
    /// Answers from that store.
    pub(super) fn new(queries: Queries) -> Self {
        Self { queries, known: Known::default() }
    }

    /// The store, as it is asked.
    pub(super) fn queries(&self) -> &Queries {
        &self.queries
    }

    /// From here on the answers are of one moment.
    pub(super) fn stand_still(&mut self) {
        self.queries.stand_still();
    }

    /// Asks a question.
    pub(super) async fn ask(&mut self, question: &Question) -> Result<Answer, StoreError> {
        let queries = self.queries.clone();
        Ok(match question {
            Question::Pulse => self.pulse().await?,
            Question::Counts | Question::Ended => self.counts(question).await?,
            Question::Crowds => Answer::Crowds(queries.crowds(Thresholds::default().client.crowd).await?),
            Question::Sessions(query) => Answer::Sessions(queries.window(query, SESSIONS).await?),
            Question::Latest(ids) => Answer::Latest(queries.latest(ids).await?),
            Question::Story(id) => {
                let story = match queries.find(id).await? {
                    Search::One(found) => queries.story(&found, Some(LISTED)).await?,
                    Search::Several(..) | Search::Nothing => None,
                };
                Answer::Story(id.clone(), story.map(Box::new))
            }
            Question::Requests(status) => self.requests(*status).await?,
            Question::Capture(number) => Answer::Capture(*number, queries.capture(*number).await?),
            Question::Tools => {
                let query = UsageQuery { by: Group::Tool, since: Some(DAY), exact: false, limit: None };
                Answer::Tools(queries.usage(query).await?)
            }
            Question::Trends => {
                queries.follow(&mut self.known.trends, DAY).await?;
                Answer::Trends(self.known.trends.clone())
            }
            Question::Clients => Answer::Clients(queries.clients().await?),
            Question::Events => self.events().await?,
            Question::History(step) => history(&queries, *step).await?,
            Question::Boots => Answer::Boots(queries.boots_with_recovered(LISTED).await?),
        })
    }

    async fn pulse(&mut self) -> Result<Answer, StoreError> {
        let minutes = if self.known.primed { 3 } else { MINUTES as u64 };
        let minutes = self.queries.minutes(self.queries.clock().now().minus(Duration::from_secs(60 * minutes))).await?;
        let boots = self.queries.boots(BOOTS).await?;
        let boots_today = self.queries.boots_today().await?;
        self.known.primed = true;
        let original = self.queries.store().is_foreign();
        Ok(Answer::Pulse(Pulse { boots, boots_today, minutes, original }))
    }

    /// Ended sessions are counted apart: they are all there ever were.
    async fn counts(&mut self, question: &Question) -> Result<Answer, StoreError> {
        let living = match self.known.standings {
            Some((living, _)) if *question == Question::Ended => living,
            _ => self.queries.living().await?,
        };
        let ended = match self.known.standings {
            Some((_, ended)) if *question == Question::Counts => ended,
            _ => self.queries.ended().await?,
        };
        self.known.standings = Some((living, ended));
        Ok(Answer::Counts(Counts::of(living, ended)))
    }

    async fn requests(&mut self, status: Option<RequestStatus>) -> Result<Answer, StoreError> {
        let query = RequestQuery { status, ..RequestQuery::default() };
        let store = self.queries.store();
        if !store.has_numbers() {
            // Its rows have no numbers: there is nothing to go on from.
            return Ok(Answer::Requests(self.queries.requests(&query, Some(STREAM / 2)).await?, Part::Whole));
        }
        let newest = store.last_request().await?;
        if let Some((before, tail)) = &mut self.known.requests
            && *before == status
            // Of more than fit, the last ones.
            && usize::try_from(newest - tail.floor()).is_ok_and(|backlog| backlog < STREAM)
        {
            let rows = self.queries.requests_after(&query, tail.floor()).await?;
            return Ok(Answer::Requests(tail.new_ones(rows, Request::number), Part::More));
        }
        let rows = self.queries.requests(&query, Some(STREAM / 2)).await?;
        let mut tail = store.short_tail(newest, LOOK_BACK);
        tail.know(&rows, Request::number);
        self.known.requests = Some((status, tail));
        Ok(Answer::Requests(rows, Part::Whole))
    }

    async fn events(&mut self) -> Result<Answer, StoreError> {
        let query = EventQuery::default();
        if let Some(tail) = &mut self.known.events {
            let rows = self.queries.events_after(&query, tail.floor()).await?;
            return Ok(Answer::Events(tail.new_ones(rows, |row| row.id), Part::More));
        }
        let store = self.queries.store();
        let newest = store.last_event().await?;
        let rows = self.queries.events(&query, Some(STREAM / 2)).await?;
        let mut tail = store.short_tail(newest, LOOK_BACK);
        tail.know(&rows, |row| row.id);
        self.known.events = Some(tail);
        Ok(Answer::Events(rows, Part::Whole))
    }
}

async fn history(queries: &Queries, step: Step) -> Result<Answer, StoreError> {
    let by = match step {
        Step::Hour => Group::Hour,
        Step::Day => Group::Day,
    };
    let usage = queries.usage(UsageQuery { by, since: Some(step.reach()), exact: false, limit: None }).await?;
    let begun = queries.begun_by_hour(queries.clock().now().minus(step.reach())).await?;
    let clients = queries.clients().await?;
    Ok(Answer::History(History { step, usage, begun, clients }))
}
