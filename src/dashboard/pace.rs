//! When a question is asked again: only when something changed, the more seldom the dearer it is, and in one refresh no more
//! of them than cost the database little.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::question::Question;

/// How many times its cost a question waits before it is asked again: one that a glance needs takes a hundredth of
/// the database's time at most, any other a four hundredth, and the count of all that ever ended a thousandth.
const DEAR: u32 = 100;
const DEARER: u32 = 400;
const DEAREST: u32 = 1000;
/// The longest that it waits, however dear.
const SELDOM: Duration = Duration::from_mins(1);
/// What changes without an event (touches, the passing of time) is looked at this often.
const UNCHANGED: Duration = Duration::from_secs(5);
/// How much of the database's time is for one refresh; what does not fit in comes first in the next one.
const BUDGET: Duration = Duration::from_millis(20);

/// A statement that travels no longer than that goes to a database on this machine: it is work for the same processor.
const NEAR: Duration = Duration::from_millis(1);

/// The change feed: the last event and the last request. Where they are the same, nothing has happened.
pub(super) type Marks = (i64, i64);

/// What was asked, when, and what it cost.
#[derive(Debug, Default)]
pub(super) struct Pace {
    asked: HashMap<Question, Asked>,
    /// The quickest answer to the smallest of questions: what is mere travel.
    travel: Option<Duration>,
}

/// When a question was asked, what it costs (of the last times, the last one most), and what was the newest then.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    cost: Duration,
    marks: Marks,
}

/// What a refresh goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// When it begins.
    pub(super) at: Instant,
    /// The time between two of them.
    pub(super) interval: Duration,
    /// What is the newest.
    pub(super) marks: Marks,
    /// Sessions have ended: that is told at once.
    pub(super) ended: bool,
}

impl Pace {
    /// The questions that are due and fit into one refresh. Those that were never asked come first, then those that have
    /// waited longest.
    pub(super) fn due(&self, questions: &[Question], turn: Turn) -> Vec<Question> {
        let mut due: Vec<_> = questions.iter().filter(|question| self.is_due(question, turn)).collect();
        due.sort_by_key(|question| self.asked.get(&kind(question)).map(|asked| asked.at));
        let mut spent = Duration::ZERO;
        due.retain(|question| {
            let work = self.work(question);
            let fits = spent.is_zero() || spent + work <= BUDGET;
            spent += if fits { work } else { Duration::ZERO };
            fits
        });
        due.into_iter().cloned().collect()
    }

    fn is_due(&self, question: &Question, turn: Turn) -> bool {
        let Some(asked) = self.asked.get(&kind(question)) else { return true };
        let age = turn.at.saturating_duration_since(asked.at);
        let dear = (self.work(question) * dearness(question)).min(SELDOM);
        if matches!(question, Question::Latest(_)) || (turn.ended && tells_of_ends(question)) {
            return age >= dear;
        }
        // A little less, or the clock's grain would make it every other time.
        if age < (turn.interval * 9 / 10).max(dear) {
            return false;
        }
        match question {
            Question::Pulse => true,
            // Nothing ends without an event.
            Question::Ended => turn.marks.0 != asked.marks.0,
            _ => turn.marks != asked.marks || age >= UNCHANGED,
        }
    }

    /// What a question costs the database, as far as it is known. Travel is not its work: one that is far away is not asked
    /// the more seldom for it.
    fn work(&self, question: &Question) -> Duration {
        let cost = self.asked.get(&kind(question)).map_or(Duration::ZERO, |asked| asked.cost);
        let travel = self.travel.unwrap_or_default().saturating_sub(NEAR);
        cost.saturating_sub(travel * statements(question))
    }

    /// The smallest of questions was answered so quickly.
    pub(super) fn travelled(&mut self, took: Duration) {
        self.travel = Some(self.travel.map_or(took, |least| least.min(took)));
    }

    /// A question was asked.
    pub(super) fn asked(&mut self, question: &Question, cost: Duration, (at, marks): (Instant, Marks)) {
        let before = self.asked.get(&kind(question)).map(|asked| asked.cost);
        // One slow answer on a busy machine does not make it dear.
        let cost = before.map_or(cost, |before| (before * 3 + cost) / 4);
        self.asked.insert(kind(question), Asked { at, cost, marks });
        self.asked.retain(|_, asked| at.saturating_duration_since(asked.at) < 2 * SELDOM);
    }

    /// What each question costs.
    pub(super) fn costs(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.asked.iter().map(|(question, asked)| (question.name(), asked.cost))
    }
}

/// How many times its cost has to pass before a question is asked again.
fn dearness(question: &Question) -> u32 {
    match question {
        Question::Crowds
        | Question::Tools
        | Question::Trends
        | Question::Clients
        | Question::History(_)
        | Question::Boots => DEARER,
        Question::Ended => DEAREST,
        _ => DEAR,
    }
}

/// About how many statements a question takes.
fn statements(question: &Question) -> u32 {
    match question {
        Question::Latest(_) | Question::Capture(_) | Question::Tools | Question::Events => 1,
        _ => 4,
    }
}

/// Whether the answer is another one when a session ends.
fn tells_of_ends(question: &Question) -> bool {
    matches!(
        question,
        Question::Counts | Question::Ended | Question::Sessions(_) | Question::Story(_) | Question::Events
    )
}

/// Questions that are asked about other rows each time have one price.
fn kind(question: &Question) -> Question {
    match question {
        Question::Latest(_) => Question::Latest(Vec::new()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn turn(at: Instant, marks: Marks) -> Turn {
        Turn { at, interval: 2 * SECOND, marks, ended: false }
    }

    #[test]
    fn nothing_is_asked_again_before_something_has_happened() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let wants = [Question::Pulse, Question::Counts];
        assert_eq!(pace.due(&wants, turn(start, (1, 1))), wants);
        for question in &wants {
            pace.asked(question, Duration::from_millis(1), (start, (1, 1)));
        }
        assert_eq!(pace.due(&wants, turn(start + SECOND, (2, 2))), [], "not before its time");
        assert_eq!(pace.due(&wants, turn(start + 2 * SECOND, (1, 1))), [Question::Pulse], "heartbeats are no events");
        assert_eq!(pace.due(&wants, turn(start + 2 * SECOND, (1, 2))).len(), 2);
        assert_eq!(pace.due(&wants, turn(start + 5 * SECOND, (1, 1))).len(), 2, "time passes");
        let mut ended_once = Pace::default();
        ended_once.asked(&Question::Ended, Duration::from_millis(1), (start, (1, 1)));
        assert_eq!(ended_once.due(&[Question::Ended], turn(start + 9 * SECOND, (1, 2))), [], "a call ends nothing");
        assert_eq!(ended_once.due(&[Question::Ended], turn(start + 9 * SECOND, (2, 2))), [Question::Ended]);
        let ended = Turn { ended: true, ..turn(start + SECOND, (2, 1)) };
        assert_eq!(pace.due(&wants, ended), [Question::Counts], "an end is told at once");
    }

    #[test]
    fn what_is_dear_is_asked_the_more_seldom_and_what_is_far_is_not() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let wants = [Question::Clients];
        pace.asked(&wants[0], Duration::from_millis(40), (start, (1, 1)));
        assert_eq!(pace.due(&wants, turn(start + 15 * SECOND, (2, 2))), []);
        assert_eq!(pace.due(&wants, turn(start + 16 * SECOND, (2, 2))), wants);
        pace.travelled(Duration::from_millis(10));
        assert_eq!(pace.due(&wants, turn(start + 2 * SECOND, (2, 2))), wants);
        let wants = [Question::Clients, Question::Counts, Question::Crowds];
        for question in &wants {
            pace.asked(question, Duration::from_millis(40), (start, (1, 1)));
        }
        assert_eq!(pace.due(&wants, turn(start + 2 * SECOND, (2, 2))), wants, "and travel fits in");
    }

    #[test]
    fn a_database_on_this_machine_is_not_far() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let wants = [Question::Clients];
        pace.travelled(NEAR);
        pace.asked(&wants[0], Duration::from_millis(40), (start, (1, 1)));
        assert_eq!(pace.due(&wants, turn(start + 15 * SECOND, (2, 2))), [], "its answers are all work");
        assert_eq!(pace.due(&wants, turn(start + 16 * SECOND, (2, 2))), wants);
    }

    #[test]
    fn a_refresh_takes_what_fits_and_the_next_one_the_rest() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let wants = [Question::Pulse, Question::Counts, Question::Crowds, Question::Tools];
        for question in &wants {
            pace.asked(question, Duration::from_millis(12), (start, (1, 1)));
        }
        let (mut now, mut seen) = (start, std::collections::HashSet::new());
        for marks in 2..6 {
            now += 10 * SECOND;
            let due = pace.due(&wants, turn(now, (marks, marks)));
            assert_eq!(due.len(), 1, "{due:?}");
            pace.asked(&due[0], Duration::from_millis(12), (now, (marks, marks)));
            seen.extend(due);
        }
        assert_eq!(seen.len(), wants.len(), "each has its turn");
        let wants = [Question::Pulse, Question::Boots];
        assert!(pace.due(&wants, turn(now, (9, 9))).contains(&wants[1]), "what is new on the screen does not wait");
    }
}
