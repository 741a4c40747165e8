//! What stands at a place of the screen: where the mouse was used.

use super::ViewModel;
use super::layout::tab_places;
use crate::dashboard::state::State;
use crate::dashboard::view::Tab;

/// What stands at a place of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dashboard) enum Spot {
    /// The name of a screen.
    Tab(Tab),
    /// The head of a column.
    Head(&'static str),
    /// A row of the list.
    Row(usize),
}

/// What stands there.
pub(in crate::dashboard) fn spot(state: &State, seen: &ViewModel, (x, y): (u16, u16)) -> Option<Spot> {
    let tabs = seen.areas.tabs;
    if y == tabs.y {
        let mut places = tab_places(state.view.tab, tabs).into_iter();
        return places.find(|(_, from, to)| (*from..*to).contains(&x)).map(|(tab, ..)| Spot::Tab(tab));
    }
    let list = seen.body.list.as_ref()?;
    if y == list.area.y {
        return list.listing.column_at(x.into(), list.area.width.into()).map(Spot::Head);
    }
    if y < list.area.y || y >= list.area.bottom() {
        return None;
    }
    let row = usize::from(y - list.area.y - 1) + state.seen_list()?.offset;
    (row < list.listing.rows.len()).then_some(Spot::Row(row))
}
