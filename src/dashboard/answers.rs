//! The answer to each question.

use std::time::Duration;

use super::data::{Answer, History, MINUTES, Part, Pulse, Question, SESSIONS, STREAM, Step};
use super::feed::Feed;
use crate::queries::Queries;
use crate::queries::events::EventQuery;
use crate::queries::find::Search;
use crate::queries::requests::RequestQuery;
use crate::queries::standings::{Counts, Ended, Living};
use crate::queries::trends::Trends;
use crate::queries::usage::{By, UsageQuery};
use crate::store::{StoreError, Tables};

/// How many boots the header knows.
const BOOTS: usize = 20;
/// How many boots and requests of a session are listed.
const LISTED: usize = 200;
/// What is told of tools reaches back so far.
const DAY: Duration = Duration::from_hours(24);

/// What was read before, so that the next time only what is new is read.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// How many sessions have not ended, and how many have.
    standings: Option<(Living, Ended)>,
    /// The stream of requests: of that tool, with that status, up to that number.
    requests: Option<(Option<String>, Option<String>, i64)>,
    /// The stream of events, up to that number.
    last_event: Option<i64>,
    trends: Trends,
    /// The header has its half hour.
    primed: bool,
}

impl Feed {
    /// Asks a question.
    pub(super) async fn ask(&mut self, question: &Question) -> Result<Answer, StoreError> {
        let queries = self.queries.clone();
        Ok(match question {
            Question::Pulse => self.pulse().await?,
            Question::Counts | Question::Ended => self.counts(question).await?,
            Question::Crowds => Answer::Crowds(queries.crowds().await?),
            Question::Sessions(query) => Answer::Sessions(queries.window(query, SESSIONS).await?),
            Question::Latest(ids) => Answer::Latest(queries.latest(ids).await?),
            Question::Story(id) => {
                let story = match queries.find(id).await? {
                    Search::One(found) => queries.story(&found, Some(LISTED)).await?,
                    Search::Several(..) | Search::Nothing => None,
                };
                Answer::Story(id.clone(), story.map(Box::new))
            }
            Question::Requests(tool, status) => self.requests(tool.clone(), status.clone()).await?,
            Question::Words(number) => Answer::Words(*number, queries.words(*number).await?),
            Question::Tools => {
                let query = UsageQuery { by: By::Tool, since: Some(DAY), exact: false, limit: None };
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
        let minutes = self.queries.minutes(self.now().minus(Duration::from_secs(60 * minutes))).await?;
        let boots = self.queries.boots(BOOTS).await?;
        let boots_today = self.queries.boots_today().await?;
        self.known.primed = true;
        let original = self.queries.store().tables() == Tables::Original;
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

    async fn requests(&mut self, tool: Option<String>, status: Option<String>) -> Result<Answer, StoreError> {
        let query = RequestQuery { tool: tool.clone(), status: status.clone(), ..RequestQuery::default() };
        let last = match &self.known.requests {
            Some((t, s, last)) if *t == tool && *s == status && *last > 0 => Some(*last),
            _ => None,
        };
        let store = self.queries.store();
        // An original's rows have no numbers: there is nothing to go on from.
        let newest = if store.tables() == Tables::Ours { store.last_request().await? } else { 0 };
        // Of more than fit, the last ones.
        let backlog = last.and_then(|last| usize::try_from(newest - last).ok()).unwrap_or(usize::MAX);
        let (rows, part) = match last {
            Some(last) if backlog < STREAM => (self.queries.requests_after(&query, last).await?, Part::More),
            _ => (self.queries.requests(&query, Some(STREAM / 2)).await?, Part::Whole),
        };
        let seen = rows.last().map(|row| row.number).or(last).unwrap_or(0);
        self.known.requests = Some((tool, status, seen));
        Ok(Answer::Requests(rows, part))
    }

    async fn events(&mut self) -> Result<Answer, StoreError> {
        let query = EventQuery::default();
        let (rows, part) = match self.known.last_event {
            Some(last) => (self.queries.events_after(&query, last).await?, Part::More),
            None => (self.queries.events(&query, Some(STREAM / 2)).await?, Part::Whole),
        };
        self.known.last_event = rows.last().map(|row| row.id).or(self.known.last_event);
        Ok(Answer::Events(rows, part))
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
