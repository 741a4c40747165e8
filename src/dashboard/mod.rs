//! The live view: sessions, requests, tools and clients as they are, kept open all day.
//!
//! [`update`] takes in what happens (keys, time, answers of the store) and says what shall be done; [`screens`] draw what
//! is held; both are pure. [`background`] asks the store, by [`crate::queries`], which `list`, `show` and
//! `stats` ask too, so that they never disagree. [`live`] ties them to a terminal, [`once`] to one frame.

mod actions;
mod answers;
mod app;
mod background;
mod commands;
mod data;
mod export;
mod feed;
mod filter;
mod keys;
mod live;
mod measure;
mod message;
mod once;
mod pace;
mod preferences;
mod screens;
mod table;
mod terminal;
mod text;
mod theme;
mod update;
mod view;
mod wants;
mod warnings;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

pub use live::run;
pub use measure::{endure, measure};
pub use once::{document, frame};
pub use view::Tab;

use app::{App, INTERVALS, Settings};
use preferences::Preferences;
use theme::Theme;

use crate::model::clock::Clock;
use crate::store::{OpenError, OpenOptions, Role, StoreError};

/// How to look.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database, and whether sessions can be ended in it.
    pub open: OpenOptions,
    /// Who ends sessions: `user@host`.
    pub by: String,
    /// Where choices are kept; none: nowhere.
    pub preferences: Option<PathBuf>,
    /// Whether there are colours.
    pub colored: bool,
    /// The first screen; none: the one that was left.
    pub tab: Option<Tab>,
    /// The time between two refreshes; none: as it was left.
    pub interval: Option<Duration>,
    /// How to start a server on this database.
    pub serve_hint: String,
}

/// Why nothing can be seen.
#[derive(Debug, Error)]
pub enum DashboardError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The terminal does not do what we need.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}

impl Options {
    /// A dashboard as these options and the choices of the last time have it.
    fn app(&self, size: (u16, u16)) -> App {
        let settings = Settings {
            interval: 2,
            paused: false,
            read_only: self.open.role == Role::Reader,
            theme: if self.colored { Theme::Colored } else { Theme::Plain },
            database: self.open.location.kind().to_owned(),
            serve_hint: self.serve_hint.clone(),
        };
        let mut app = App::new(settings, Clock::uncorrected(), size);
        if let Some(preferences) = self.preferences.as_deref().and_then(Preferences::read) {
            preferences.apply(&mut app);
        }
        app.view.tab = self.tab.unwrap_or(app.view.tab);
        if let Some(asked) = self.interval.and_then(|interval| u64::try_from(interval.as_millis()).ok()) {
            let nearest = INTERVALS.iter().enumerate().min_by_key(|(_, ms)| ms.abs_diff(asked));
            app.settings.interval = nearest.map_or(app.settings.interval, |(at, _)| at);
        }
        app
    }
}
