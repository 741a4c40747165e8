//! How to look.

use std::path::PathBuf;
use std::time::Duration;

use super::app::App;
use super::preferences::Preferences;
use super::state::{Settings, State, nearest_interval};
use super::theme::Theme;
use super::view::Tab;
use crate::model::clock::Clock;
use crate::store::{OpenOptions, Role};

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

impl Options {
    /// A dashboard as these options and the choices of the last time have it.
    pub(super) fn app(&self, size: (u16, u16)) -> App {
        let settings = Settings {
            interval: 2,
            paused: false,
            read_only: self.open.role == Role::Reader,
            theme: if self.colored { Theme::Colored } else { Theme::Plain },
            database: self.open.location.kind().to_owned(),
            serve_hint: self.serve_hint.clone(),
        };
        let mut state = State::new(settings, Clock::uncorrected(), size);
        if let Some(preferences) = self.preferences.as_deref().and_then(Preferences::read) {
            preferences.apply(&mut state);
        }
        state.view.tab = self.tab.unwrap_or(state.view.tab);
        state.settings.interval = self.interval.map_or(state.settings.interval, nearest_interval);
        App::new(state)
    }
}
