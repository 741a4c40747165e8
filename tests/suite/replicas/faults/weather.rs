//! Where something is wrong just now, and since when nothing is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::SERVERS;
use crate::replicas::HONOURED;

/// After a fault a server has this long until it is as before: it finds out that its connections are gone, and makes new
/// ones.
const SETTLED: Duration = Duration::from_secs(3);

/// A place where things fail.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Server(usize),
    /// All of them lean on it.
    Database,
}

impl Place {
    fn index(self) -> usize {
        match self {
            Self::Server(n) => n,
            Self::Database => SERVERS,
        }
    }
}

#[derive(Debug)]
pub(super) struct Weather {
    /// How many faults are on, and when the last one ended.
    places: Mutex<Vec<(usize, Instant)>>,
}

/// A fault that is on, until it is dropped.
pub(super) struct Storm<'a> {
    weather: &'a Weather,
    place: Place,
}

impl Weather {
    pub(super) fn new() -> Self {
        Self { places: Mutex::new(vec![(0, Instant::now()); SERVERS + 1]) }
    }

    pub(super) fn storm(&self, place: Place) -> Storm<'_> {
        self.change(place, |on| on + 1);
        Storm { weather: self, place }
    }

    fn change(&self, place: Place, by: impl FnOnce(usize) -> usize) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = &mut places[place.index()];
        *entry = (by(entry.0), Instant::now());
    }

    /// Since when nothing is wrong at that place; `None` while something is.
    fn calm_since(&self, place: Place) -> Option<Instant> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (on, since) = places[place.index()];
        (on == 0).then_some(since)
    }

    /// Whether a place was and is as ever, from well before that moment on.
    fn is_calm_at(&self, place: Place, moment: Instant) -> bool {
        self.calm_since(place).is_some_and(|since| since + SETTLED + HONOURED <= moment)
    }

    /// Whether a server, and the database under it, is and was well, from well before that moment on.
    pub(super) fn is_well(&self, server: usize, moment: Instant) -> bool {
        self.is_calm_at(Place::Server(server), moment) && self.is_database_well(moment)
    }

    /// The same of the database.
    pub(super) fn is_database_well(&self, moment: Instant) -> bool {
        self.is_calm_at(Place::Database, moment)
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        self.weather.change(self.place, |on| on - 1);
    }
}
