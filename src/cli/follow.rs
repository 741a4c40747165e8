//! `-f`: rows as they come, each once.
//!
//! Rows are read by number. On PostgreSQL several servers write, and a lower number may be committed after a higher one:
//! so numbers of the last moments are read again, and what was shown is not shown twice.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::output::{Format, List, Listed, Output, Screen, View, Widths, write_out};
use super::signal::interrupted;
use super::watch::ended_by;
use crate::model::timestamp::Timestamp;
use crate::store::{Location, Store};

/// How often new rows are looked for.
const POLL: Duration = Duration::from_millis(300);
/// For so long a lower number may still come: longer than a writer's statement may take.
const STRAGGLERS: Duration = Duration::from_secs(12);
/// So many numbers may be on their way when we begin to follow.
const IN_FLIGHT: i64 = 2000;

/// A row with a number.
pub(super) trait Numbered {
    /// Its number: higher than those of rows that were written before, nearly always.
    fn number(&self) -> i64;
}

/// Which rows were shown.
#[derive(Debug)]
struct Shown {
    numbers: HashSet<i64>,
    /// The highest number that had been seen at some moments, the oldest first.
    marks: VecDeque<(Instant, i64)>,
    /// Up to here nothing can come any more.
    low: i64,
    stragglers: Duration,
}

impl Shown {
    fn new(low: i64, stragglers: Duration) -> Self {
        Self { numbers: HashSet::new(), marks: VecDeque::new(), low, stragglers }
    }

    /// Those that were not shown before; they count as shown from now on.
    fn new_ones<T: Numbered>(&mut self, rows: Vec<T>, now: Instant) -> Vec<T> {
        let (low, numbers) = (self.low, &mut self.numbers);
        let new: Vec<T> = rows.into_iter().filter(|r| r.number() > low && numbers.insert(r.number())).collect();
        if let Some(highest) = new.iter().map(Numbered::number).max() {
            self.marks.push_back((now, highest));
        }
        while let Some((_, mark)) = self.marks.pop_front_if(|(at, _)| now.duration_since(*at) >= self.stragglers) {
            self.low = self.low.max(mark);
        }
        self.numbers.retain(|number| *number > self.low);
        new
    }
}

/// Where rows come from.
pub(super) trait Source<T> {
    /// The number of the last row, filtered or not.
    async fn last(&self) -> anyhow::Result<i64>;
    /// The last rows that pass the filter: those that stand there at the beginning.
    async fn before(&self) -> anyhow::Result<Vec<T>>;
    /// The first rows after that number that pass the filter; not all, if they are many.
    async fn after(&self, number: i64) -> anyhow::Result<Vec<T>>;
}

/// Prints rows as they come, until interrupted.
///
/// # Errors
/// When they cannot be read or written.
pub(super) async fn follow<T: Listed + Numbered>(
    source: &impl Source<T>,
    store: &Store,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let mut stop = pin!(interrupted());
    let (mut widths, mut first) = (Widths::default(), true);
    // SQLite has one writer at a time: numbers come in order.
    let many_writers = matches!(store.location(), Location::Postgres(_));
    let (window, in_flight) = if many_writers { (STRAGGLERS, IN_FLIGHT) } else { (Duration::ZERO, 0) };
    let opening = async {
        let mut shown = Shown::new((source.last().await? - in_flight).max(0), window);
        // What stands there now is old, whether it is among the last ones that are printed or not.
        let old = all_after(source, shown.low).await?;
        shown.new_ones(old, Instant::now());
        let rows = source.before().await?;
        shown.numbers.extend(rows.iter().map(Numbered::number).filter(|number| *number > shown.low));
        anyhow::Ok((shown, rows))
    };
    let (mut shown, mut rows) = tokio::select! {
        biased;
        signal = &mut stop => return Ok(ended_by(signal)),
        opened = opening => opened?,
    };
    loop {
        print(rows, output, &mut widths, &mut first)?;
        tokio::select! {
            signal = &mut stop => return Ok(ended_by(signal)),
            () = tokio::time::sleep(POLL) => {}
        }
        rows = tokio::select! {
            signal = &mut stop => return Ok(ended_by(signal)),
            read = all_after(source, shown.low) => shown.new_ones(read?, Instant::now()),
        };
    }
}

async fn all_after<T: Numbered>(source: &impl Source<T>, number: i64) -> anyhow::Result<Vec<T>> {
    let mut all = source.after(number).await?;
    let mut last = all.last().map(Numbered::number);
    while let Some(number) = last {
        let more = source.after(number).await?;
        last = more.last().map(Numbered::number);
        all.extend(more);
    }
    Ok(all)
}

fn print<T: Listed>(rows: Vec<T>, output: &Output, widths: &mut Widths, first: &mut bool) -> anyhow::Result<()> {
    let list = List::new(rows, Timestamp::default());
    let screen = Screen::of_standard_output();
    let text = match output.format() {
        Format::Table if list.rows.is_empty() => String::new(),
        Format::Table => list.continued(&screen, widths) + "\n",
        // A document would never end.
        Format::Json | Format::Jsonl => list.lines()?.into_iter().map(|line| line + "\n").collect(),
        Format::Csv => list.csv(*first)?,
    };
    *first = false;
    Ok(write_out(&text, &screen, output.format())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Numbered for i64 {
        fn number(&self) -> i64 {
            *self
        }
    }

    #[test]
    fn stragglers_are_shown_and_nothing_is_shown_twice() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut shown = Shown::new(10, Duration::from_secs(12));
        assert_eq!(shown.new_ones(vec![11, 14], at(0)), [11, 14]);
        assert_eq!(shown.new_ones(vec![11, 12, 14, 15], at(5)), [12, 15], "12 was committed late");
        assert_eq!(shown.low, 10, "all are read again");
        assert_eq!(shown.new_ones(vec![11, 12, 13, 14, 15], at(11)), [13]);
        assert!(shown.new_ones(vec![11, 12, 13, 14, 15], at(12)).is_empty());
        assert_eq!((shown.low, shown.numbers.len()), (14, 1), "nothing below 14 can come any more");
        assert_eq!(shown.new_ones(vec![15, 16], at(13)), [16]);
    }

    #[test]
    fn with_one_writer_nothing_is_read_again() {
        let mut shown = Shown::new(0, Duration::ZERO);
        assert_eq!(shown.new_ones(vec![1, 2], Instant::now()), [1, 2]);
        assert_eq!((shown.low, shown.numbers.len()), (2, 0));
    }
}
