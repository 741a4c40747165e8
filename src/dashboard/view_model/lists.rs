//! The list of each place: which columns it has, and which rows.

use super::{boots, clients, events, history, requests, session, sessions, tools};
use crate::dashboard::state::State;
use crate::dashboard::table::{Listing, heads};
use crate::dashboard::view::{ListId, Tab};
use crate::queries::boots::Boot;
use crate::queries::clients::ClientUse;
use crate::queries::columns::{Head, Listed};
use crate::queries::events::Event;
use crate::queries::requests::Request;
use crate::queries::sessions::Session;
use crate::queries::usage::Usage;

/// What stands above the columns of a list.
pub(in crate::dashboard) fn columns(list_id: ListId) -> Vec<Head> {
    match list_id {
        ListId::Tab(Tab::Sessions) => heads(Session::SCREEN),
        ListId::Tab(Tab::Requests) | ListId::Session => heads(Request::SCREEN),
        ListId::Tab(Tab::Tools) => heads(Usage::SCREEN),
        ListId::Tab(Tab::Clients) => heads(ClientUse::SCREEN),
        ListId::Tab(Tab::Events) => heads(Event::SCREEN),
        ListId::Tab(Tab::History) => heads(history::columns()),
        ListId::Tab(Tab::Boots) => heads(Boot::SCREEN),
    }
}

/// The list that is seen, filtered and sorted.
pub(super) fn listing(state: &State) -> Option<Listing> {
    let list_id = state.list_id()?;
    let seen = state.list(list_id);
    let mut listing = all(state, list_id);
    // The store has looked for the tool: the last one, which stands in the row, need not be it.
    let seen_to: &[&str] = if list_id == ListId::Tab(Tab::Sessions) { &["tool"] } else { &[] };
    seen.filter.apply(&mut listing, seen_to);
    if let Some(sort) = seen.sort {
        listing.sort(sort);
    }
    Some(listing)
}

/// A list, as it comes.
fn all(state: &State, list_id: ListId) -> Listing {
    match list_id {
        ListId::Tab(Tab::Sessions) => sessions::listing(state),
        ListId::Tab(Tab::Requests) => requests::listing(state),
        ListId::Tab(Tab::Tools) => tools::listing(state),
        ListId::Tab(Tab::Clients) => clients::listing(state),
        ListId::Tab(Tab::Events) => events::listing(state),
        ListId::Tab(Tab::History) => history::listing(state),
        ListId::Tab(Tab::Boots) => boots::listing(state),
        ListId::Session => session::listing(state),
    }
}
