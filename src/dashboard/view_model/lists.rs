//! The list of each place: which columns it has, and which rows.

use super::{boots, clients, events, history, requests, session, sessions, tools};
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, heads};
use crate::dashboard::view::{Place, Tab};
use crate::queries::boots::Boot;
use crate::queries::clients::ClientUse;
use crate::queries::columns::{Head, Listed};
use crate::queries::events::Event;
use crate::queries::requests::Request;
use crate::queries::sessions::Session;
use crate::queries::usage::Usage;

/// What stands above the columns of a list.
pub(in crate::dashboard) fn columns(place: Place) -> Vec<Head> {
    match place {
        Place::Tab(Tab::Sessions) => heads(Session::SCREEN),
        Place::Tab(Tab::Requests) | Place::Session => heads(Request::SCREEN),
        Place::Tab(Tab::Tools) => heads(Usage::SCREEN),
        Place::Tab(Tab::Clients) => heads(ClientUse::SCREEN),
        Place::Tab(Tab::Events) => heads(Event::SCREEN),
        Place::Tab(Tab::History) => heads(history::columns()),
        Place::Tab(Tab::Boots) => heads(Boot::SCREEN),
    }
}

/// The list that is seen, filtered and sorted.
pub(super) fn listing(state: &State) -> Option<Listing> {
    let place = state.place()?;
    let seen = state.list(place);
    let mut listing = all(state, place);
    // The store has looked for the tool: the last one, which stands in the row, need not be it.
    let seen_to: &[&str] = if place == Place::Tab(Tab::Sessions) { &["tool"] } else { &[] };
    seen.filter.apply(&mut listing, seen_to);
    if let Some(sort) = seen.sort {
        listing.sort(sort);
    }
    Some(listing)
}

/// A list, as it comes.
fn all(state: &State, place: Place) -> Listing {
    match place {
        Place::Tab(Tab::Sessions) => sessions::listing(state),
        Place::Tab(Tab::Requests) => requests::listing(state),
        Place::Tab(Tab::Tools) => tools::listing(state),
        Place::Tab(Tab::Clients) => clients::listing(state),
        Place::Tab(Tab::Events) => events::listing(state),
        Place::Tab(Tab::History) => history::listing(state),
        Place::Tab(Tab::Boots) => boots::listing(state),
        Place::Session => session::listing(state),
    }
}
