//! The dashboard: its state, and what is seen of it.

use super::state::State;
use super::view_model::ViewModel;

/// A state and what is seen of it, which is made anew whenever the state has changed: by [`App::change`], and by nothing
/// else.
#[derive(Debug, Clone)]
pub(super) struct App {
    state: State,
    seen: ViewModel,
}

impl App {
    /// A dashboard in that state.
    pub(super) fn new(state: State) -> Self {
        let seen = ViewModel::of(&state);
        let mut app = Self { state, seen };
        app.settle();
        app
    }

    /// The state.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// What is seen.
    pub(super) fn seen(&self) -> &ViewModel {
        &self.seen
    }

    /// Changes the state, by what was seen until now.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut State, &ViewModel) -> T) -> T {
        let done = change(&mut self.state, &self.seen);
        self.seen = ViewModel::of(&self.state);
        self.settle();
        done
    }

    /// Puts the cursor of the list that is seen where its row is now, and the row where it is seen.
    fn settle(&mut self) {
        let height = self.seen.list_height().max(1);
        let (Some(listing), Some(list)) = (self.seen.listing(), self.state.list_mut()) else { return };
        let found = list.key.as_ref().and_then(|key| listing.rows.iter().position(|row| row.key == *key));
        let end = listing.rows.len().saturating_sub(1);
        list.cursor = found.unwrap_or(if list.key.is_none() { 0 } else { list.cursor }).min(end);
        list.offset = list.offset.clamp((list.cursor + 1).saturating_sub(height), list.cursor);
        list.offset = list.offset.min(listing.rows.len().saturating_sub(height));
    }
}
