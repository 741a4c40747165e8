//! What the screens show: the answers of the store that are held.

use std::collections::{HashMap, VecDeque};

use super::question::Step;
use crate::model::timestamp::Timestamp;
use crate::queries::boots::Boot;
use crate::queries::clients::ClientUse;
use crate::queries::events::Event;
use crate::queries::latest::{CaptureRow, Latest};
use crate::queries::minutes::Minute;
use crate::queries::requests::Request;
use crate::queries::standings::{Counts, Crowd};
use crate::queries::story::Story;
use crate::queries::trends::Trends;
use crate::queries::usage::Statistics;
use crate::queries::window::SessionWindow;

/// The number of sessions on a list.
pub(super) const SESSIONS: usize = 300;
/// The number of requests, and of events, that are held.
pub(super) const STREAM: usize = 1000;
/// The number of minutes that curves reach back.
pub(super) const MINUTES: usize = 30;

/// An answer.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// To [`super::question::Question::Pulse`].
    Pulse(Pulse),
    /// To [`super::question::Question::Counts`] and [`super::question::Question::Ended`].
    Counts(Counts),
    /// To [`super::question::Question::Crowds`].
    Crowds(Vec<Crowd>),
    /// To [`super::question::Question::Sessions`].
    Sessions(SessionWindow),
    /// To [`super::question::Question::Latest`].
    Latest(HashMap<String, Latest>),
    /// To [`super::question::Question::Story`], with the id that was asked for; none when the session is gone.
    Story(String, Option<Box<Story>>),
    /// To [`super::question::Question::Requests`]: all, or those that came since.
    Requests(Vec<Request>, Part),
    /// To [`super::question::Question::Capture`].
    Capture(i64, Option<CaptureRow>),
    /// To [`super::question::Question::Tools`].
    Tools(Statistics),
    /// To [`super::question::Question::Trends`].
    Trends(Trends),
    /// To [`super::question::Question::Clients`].
    Clients(Vec<ClientUse>),
    /// To [`super::question::Question::Events`]: all, or those that came since.
    Events(Vec<Event>, Part),
    /// To [`super::question::Question::History`].
    History(History),
    /// To [`super::question::Question::Boots`].
    Boots(Vec<Boot>),
}

/// What an answer is of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It begins anew.
    Whole,
    /// It goes on.
    More,
}

/// What the header tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse {
    /// The last boots, the newest first.
    pub(super) boots: Vec<Boot>,
    /// How many began today.
    pub(super) boots_today: i64,
    /// The minutes of the last half hour that had calls; where only some were read, the last ones.
    pub(super) minutes: Vec<Minute>,
    /// The tables are an original Archon's: to be looked at only.
    pub(super) original: bool,
}

/// Hours or days.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// Which.
    pub(super) step: Step,
    /// Calls.
    pub(super) usage: Statistics,
    /// Sessions that began in each hour.
    pub(super) begun: Vec<(Timestamp, i64)>,
    /// The sessions of each client.
    pub(super) clients: Vec<ClientUse>,
}

/// All that is held.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    /// The header.
    pub(super) pulse: Option<Pulse>,
    /// How many sessions stand where.
    pub(super) counts: Option<Counts>,
    /// Who has many sessions open.
    pub(super) crowds: Vec<Crowd>,
    /// The list of sessions, and what they did last.
    pub(super) sessions: Option<SessionWindow>,
    /// What Archon sessions did last, by their ids.
    pub(super) latest: HashMap<String, Latest>,
    /// The session that is looked at, and the words of the call that is.
    pub(super) closer: Closer,
    /// The two streams, the newest first.
    pub(super) streams: Streams,
    /// The sums.
    pub(super) sums: Sums,
}

/// What is looked at closely.
#[derive(Debug, Clone, Default)]
pub(super) struct Closer {
    /// One session.
    pub(super) story: Option<Box<Story>>,
    /// The session that was asked for is not there.
    pub(super) gone: bool,
    /// The words of one call, by its number; where there are none, they were not kept.
    pub(super) capture: Option<(i64, Option<CaptureRow>)>,
}

/// What comes in one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    /// Requests, the newest first; none: not read yet.
    pub(super) requests: Option<VecDeque<Request>>,
    /// Events, the newest first.
    pub(super) events: Option<VecDeque<Event>>,
}

/// What is summed up.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    /// By tool, of the last day.
    pub(super) tools: Option<Statistics>,
    /// Hours and slowest calls of each tool, of the last day.
    pub(super) trends: Option<Trends>,
    /// By client.
    pub(super) clients: Option<Vec<ClientUse>>,
    /// By hour or day.
    pub(super) history: Option<History>,
    /// Boots.
    pub(super) boots: Option<Vec<Boot>>,
}

impl Data {
    /// Takes an answer in.
    pub(super) fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Pulse(pulse) => self.take_pulse(pulse),
            Answer::Counts(counts) => self.counts = Some(counts),
            Answer::Crowds(crowds) => self.crowds = crowds,
            Answer::Sessions(sessions) => self.sessions = Some(sessions),
            Answer::Latest(latest) => {
                // Of rows that are scrolled out of sight, too: but not of all that ever were.
                if self.latest.len() > 10 * SESSIONS {
                    self.latest.clear();
                }
                self.latest.extend(latest);
            }
            Answer::Story(_, story) => {
                self.closer.gone = story.is_none();
                self.closer.story = story;
            }
            Answer::Capture(number, capture) => self.closer.capture = Some((number, capture)),
            Answer::Requests(rows, part) => go_on(&mut self.streams.requests, rows, part),
            Answer::Events(rows, part) => go_on(&mut self.streams.events, rows, part),
            Answer::Tools(tools) => self.sums.tools = Some(tools),
            Answer::Trends(trends) => self.sums.trends = Some(trends),
            Answer::Clients(clients) => self.sums.clients = Some(clients),
            Answer::History(history) => self.sums.history = Some(history),
            Answer::Boots(boots) => self.sums.boots = Some(boots),
        }
    }

    /// The slowest call of a tool, as far as it is known.
    pub(super) fn slowest(&self, tool: &str) -> Option<&Request> {
        let mut all = self.sums.trends.as_ref()?.slowest();
        all.find(|request| request.tool_name.as_deref() == Some(tool))
    }

    /// Minutes that were read again replace those that were there.
    fn take_pulse(&mut self, mut pulse: Pulse) {
        let before = self.pulse.take().map(|pulse| pulse.minutes).unwrap_or_default();
        let first = pulse.minutes.first().map(|minute| minute.minute);
        let mut minutes: Vec<_> =
            before.into_iter().filter(|minute| first.is_none_or(|first| minute.minute < first)).collect();
        minutes.append(&mut pulse.minutes);
        let surplus = minutes.len().saturating_sub(MINUTES);
        minutes.drain(..surplus);
        pulse.minutes = minutes;
        self.pulse = Some(pulse);
    }
}

fn go_on<T>(stream: &mut Option<VecDeque<T>>, rows: Vec<T>, part: Part) {
    let stream = stream.get_or_insert_default();
    if part == Part::Whole {
        stream.clear();
    }
    for row in rows {
        stream.push_front(row);
    }
    stream.truncate(STREAM);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: i64, calls: i64) -> Minute {
        Minute { minute: Timestamp::from_millis(n * 60_000), calls, errors: 0, p95_ms: None }
    }

    #[test]
    fn minutes_that_are_read_again_replace_those_before() {
        let mut data = Data::default();
        let pulse = |minutes| Answer::Pulse(Pulse { minutes, ..Pulse::default() });
        data.take(pulse(vec![minute(1, 1), minute(2, 2), minute(3, 3)]));
        data.take(pulse(vec![minute(3, 5), minute(4, 1)]));
        let calls: Vec<_> = data.pulse.expect("a pulse").minutes.iter().map(|m| m.calls).collect();
        assert_eq!(calls, [1, 2, 5, 1]);
    }

    #[test]
    fn streams_hold_the_newest_first_and_no_more_than_so_many() {
        let mut stream = None;
        go_on(&mut stream, vec![1, 2], Part::Whole);
        go_on(&mut stream, vec![3], Part::More);
        assert_eq!(stream.clone().map(Vec::from), Some(vec![3, 2, 1]));
        go_on(&mut stream, (0..2000).collect(), Part::More);
        assert_eq!(stream.map(|s| s.len()), Some(STREAM));
    }
}
