//! What is seen: made of the state once a message, and then drawn, pointed at, sorted by and written to files as it is.

mod boots;
mod clients;
mod dialog;
mod empty;
mod events;
mod footer;
mod header;
mod history;
mod layout;
mod lists;
mod request;
mod requests;
mod session;
mod sessions;
mod spot;
mod title;
mod tools;

pub(super) use dialog::Page;
pub(super) use header::Header;
pub(super) use layout::{Areas, areas, tab_places};
pub(super) use lists::columns;
pub(super) use spot::{Spot, spot};

use ratatui::layout::Rect;

use super::state::State;
use super::table::Listing;
use super::text::wrapped;
use super::theme::Line;
use super::view::{Detail, ListId, Tab};
use super::warnings;
use crate::diagnosis::{Finding, Thresholds, overall};

/// What is seen.
#[derive(Debug, Clone)]
pub(super) struct ViewModel {
    /// Where its parts stand.
    pub(super) areas: Areas,
    /// How the server and its sessions are.
    pub(super) header: Header,
    /// What the screen shows.
    pub(super) title: String,
    /// The screen.
    pub(super) body: Body,
    /// The line at the foot.
    pub(super) footer: Line,
    /// What stands over all of it.
    pub(super) page: Option<Page>,
    /// What is wrong, the most urgent first.
    pub(super) findings: Vec<Finding>,
}

/// The screen between title and foot.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    /// The lines above the list; without a list, all there is.
    pub(super) above: Vec<Line>,
    /// The list.
    pub(super) list: Option<List>,
    /// The lines below the list.
    pub(super) below: Vec<Line>,
}

/// A list and where it stands, its heads included.
#[derive(Debug, Clone)]
pub(super) struct List {
    /// Where.
    pub(super) area: Rect,
    /// The list, filtered and sorted.
    pub(super) listing: Listing,
    /// What is said where it is empty, in lines.
    pub(super) hint: Vec<String>,
}

impl ViewModel {
    /// What is seen of a state.
    pub(super) fn of(state: &State) -> Self {
        let areas = areas(state.size);
        let findings = overall(&warnings::snapshot(state), &Thresholds::default());
        let body = Body::of(state, areas.body);
        let listing = body.list.as_ref().map(|list| &list.listing);
        Self {
            header: header::header(state, &findings, areas.header.width),
            title: title::title(state, listing.map_or(0, |listing| listing.rows.len())),
            footer: footer::footer(state, listing, areas.footer.width),
            page: dialog::page(state),
            areas,
            body,
            findings,
        }
    }

    /// The list, if there is one.
    pub(super) fn listing(&self) -> Option<&Listing> {
        self.body.list.as_ref().map(|list| &list.listing)
    }

    /// How many rows of the list are seen; of what is no list, how many lines.
    pub(super) fn list_height(&self) -> usize {
        let area = self.body.list.as_ref().map_or(self.areas.body, |list| list.area);
        usize::from(area.height.saturating_sub(1))
    }

    /// How far what is no list can be scrolled.
    pub(super) fn page_end(&self) -> usize {
        self.body.above.len().saturating_sub(usize::from(self.areas.body.height))
    }

    /// The key of the row under the cursor.
    pub(super) fn under_cursor(&self, state: &State) -> Option<String> {
        let cursor = state.seen_list()?.cursor;
        self.listing()?.rows.get(cursor).map(|row| row.key.clone())
    }
}

impl Body {
    fn of(state: &State, area: Rect) -> Self {
        let (Some(list_id), Some(listing)) = (state.list_id(), lists::listing(state)) else {
            return Self { above: request::page(state, area.width.into()), ..Self::default() };
        };
        let (above, list, below) = match list_id {
            ListId::Session => {
                let facts = session::facts(state, area.width.into());
                let list = session::list_area(facts.len(), area);
                (facts, list, session::events(state))
            }
            ListId::Tab(Tab::History) => (Vec::new(), history::list_area(area), history::clients(state, area.width)),
            ListId::Tab(_) => (Vec::new(), area, Vec::new()),
        };
        let hint = hint(state, &listing, list.width);
        Self { above, list: Some(List { area: list, listing, hint }), below }
    }

    /// What stands above the list from the line on that is seen: a page without a list is scrolled.
    pub(super) fn scrolled(&self, state: &State) -> &[Line] {
        let is_page = matches!(state.view.details.last(), Some(Detail::Request(_)));
        self.above.get(if is_page { state.view.scroll } else { 0 }..).unwrap_or_default()
    }
}

/// What is said of a list without rows.
fn hint(state: &State, listing: &Listing, room: u16) -> Vec<String> {
    if !listing.rows.is_empty() {
        return Vec::new();
    }
    let is_filtered = state.seen_list().is_some_and(|list| !list.filter.terms.is_empty());
    let text = match &*listing.empty {
        empty::LOADING if state.link.error.is_some() => empty::NO_ANSWER,
        _ if is_filtered => "Nothing passes the filter. Esc clears it.",
        text => text,
    };
    wrapped(text, usize::from(room.saturating_sub(4)).max(1))
}
