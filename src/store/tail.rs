//! Rows as they come, each once: which numbers were seen, and how far back one has to look again.
//!
//! On PostgreSQL a number is given before its commit, and several servers write: a lower number may appear after a higher
//! one. So what came in the last moments is read again each time, and what was seen is not new.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::Store;
use super::backend::Dialect;

/// How long after a higher number a lower one may still come: longer than a transaction may take.
const OVERLAP: Duration = Duration::from_secs(12);
/// How many numbers may be on their way when one begins to follow.
const IN_FLIGHT: i64 = 2000;

/// Follows rows by their numbers.
#[derive(Debug)]
pub struct Tail {
    /// Up to here nothing can come any more.
    floor: i64,
    /// The numbers above it that were seen.
    seen: HashSet<i64>,
    /// The highest number that had been seen at some moments, the oldest first.
    marks: VecDeque<(Instant, i64)>,
    overlap: Duration,
}

impl Tail {
    fn new(floor: i64, overlap: Duration) -> Self {
        Self { floor: floor.max(0), seen: HashSet::new(), marks: VecDeque::new(), overlap }
    }

    /// The rows after this number are to be read.
    pub fn floor(&self) -> i64 {
        self.floor
    }

    /// Of the rows that were read, those that are new; from now on they are not.
    pub fn new_ones<T>(&mut self, rows: Vec<T>, number: impl Fn(&T) -> i64) -> Vec<T> {
        self.new_ones_at(Instant::now(), rows, number)
    }

    /// These rows are known: they are not new when they are read again.
    pub fn know<T>(&mut self, rows: &[T], number: impl Fn(&T) -> i64) {
        self.new_ones(rows.iter().map(number).collect(), |number| *number);
    }

    fn new_ones_at<T>(&mut self, now: Instant, rows: Vec<T>, number: impl Fn(&T) -> i64) -> Vec<T> {
        let (floor, seen) = (self.floor, &mut self.seen);
        let new: Vec<T> = rows.into_iter().filter(|row| number(row) > floor && seen.insert(number(row))).collect();
        if let Some(highest) = new.iter().map(number).max() {
            self.marks.push_back((now, highest));
        }
        while let Some((_, mark)) = self.marks.pop_front_if(|(at, _)| now.duration_since(*at) >= self.overlap) {
            self.floor = self.floor.max(mark);
        }
        let floor = self.floor;
        self.seen.retain(|number| *number > floor);
        new
    }
}

impl Store {
    /// Follows rows of which `newest` is the highest number now. What stands there now is to be read once, from the
    /// [`Tail::floor`] on, and made known: it is old.
    pub fn tail(&self, newest: i64) -> Tail {
        match self.dialect() {
            // One writer at a time: numbers come in order.
            Dialect::Sqlite => Tail::new(newest, Duration::ZERO),
            Dialect::Postgres => Tail::new(newest - IN_FLIGHT, OVERLAP),
        }
    }

    /// The same for whoever shows the last rows alone: nothing is missed that is further back than `most` numbers.
    pub fn short_tail(&self, newest: i64, most: i64) -> Tail {
        let mut tail = self.tail(newest);
        tail.floor = tail.floor.max(newest - most);
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_ones(tail: &mut Tail, at: Instant, numbers: &[i64]) -> Vec<i64> {
        tail.new_ones_at(at, numbers.to_vec(), |number| *number)
    }

    #[test]
    fn a_number_that_comes_late_is_new_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut tail = Tail::new(10, Duration::from_secs(12));
        assert_eq!(new_ones(&mut tail, at(0), &[11, 14]), [11, 14]);
        assert_eq!(new_ones(&mut tail, at(5), &[11, 12, 14, 15]), [12, 15], "12 was committed late");
        assert_eq!(tail.floor(), 10, "all are read again");
        assert_eq!(new_ones(&mut tail, at(11), &[11, 12, 13, 14, 15]), [13]);
        assert!(new_ones(&mut tail, at(12), &[11, 12, 13, 14, 15]).is_empty());
        assert_eq!((tail.floor(), tail.seen.len()), (14, 1), "nothing below 14 can come any more");
        assert_eq!(new_ones(&mut tail, at(13), &[15, 16]), [16]);
        assert!(new_ones(&mut tail, at(30), &[]).is_empty());
        assert_eq!((tail.floor(), tail.seen.len(), tail.marks.len()), (16, 0, 0), "nothing is kept for ever");
    }

    #[test]
    fn with_one_writer_nothing_is_read_again() {
        let mut tail = Tail::new(0, Duration::ZERO);
        assert_eq!(new_ones(&mut tail, Instant::now(), &[1, 2]), [1, 2]);
        assert_eq!((tail.floor(), tail.seen.len()), (2, 0));
    }

    #[test]
    fn what_is_known_is_not_new() {
        let mut tail = Tail::new(4, OVERLAP);
        tail.know(&[5, 7], |number| *number);
        assert_eq!(tail.new_ones(vec![4, 5, 6, 7], |number| *number), [6]);
    }
}
