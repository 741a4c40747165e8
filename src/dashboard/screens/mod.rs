//! The screens, one file each, and where things stand on them.

pub(super) mod boots;
pub(super) mod clients;
pub(super) mod events;
pub(super) mod header;
pub(super) mod history;
pub(super) mod overlay;
pub(super) mod request;
pub(super) mod requests;
pub(super) mod session;
pub(super) mod sessions;
pub(super) mod tools;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;
use super::table::{self, Listing, Looks};
use super::text::{count, cut, width};
use super::theme::Tone;
use super::view::{Detail, Place, Tab};

/// Where the parts of the screen stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Areas {
    /// How the server and its sessions are.
    pub(super) header: Rect,
    /// The names of the screens.
    pub(super) tabs: Rect,
    /// What the list is.
    pub(super) title: Rect,
    /// The screen itself.
    pub(super) body: Rect,
    /// The keys that help most.
    pub(super) footer: Rect,
}

/// What stands at a place of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// The name of a screen.
    Tab(Tab),
    /// The head of a column.
    Head(&'static str),
    /// A row of the list.
    Row(usize),
}

/// Where the parts stand on a terminal of that size.
pub(super) fn areas((wide, high): (u16, u16)) -> Areas {
    let header = if high < 20 { 3 } else { 4 };
    let line =
        |y: u16, height: u16| Rect { x: 0, y: y.min(high), width: wide, height: height.min(high.saturating_sub(y)) };
    let body = high.saturating_sub(header + 3);
    Areas {
        header: line(0, header),
        tabs: line(header, 1),
        title: line(header + 1, 1),
        body: line(header + 2, body),
        footer: line(high.saturating_sub(1), 1),
    }
}

/// A list, as it comes.
pub(super) fn listing(app: &App, place: Place) -> Listing {
    match place {
        Place::Tab(Tab::Sessions) => sessions::listing(app),
        Place::Tab(Tab::Requests) => requests::listing(app),
        Place::Tab(Tab::Tools) => tools::listing(app),
        Place::Tab(Tab::Clients) => clients::listing(app),
        Place::Tab(Tab::Events) => events::listing(app),
        Place::Tab(Tab::History) => history::listing(app),
        Place::Tab(Tab::Boots) => boots::listing(app),
        Place::Session => session::listing(app),
    }
}

/// Where the list that is seen stands, its heads included.
fn list_area(app: &App) -> Rect {
    let body = areas(app.size).body;
    match app.place() {
        Some(Place::Session) => session::list_area(app, body),
        Some(Place::Tab(Tab::History)) => history::list_area(body),
        _ => body,
    }
}

/// How many rows of the list are seen.
pub(super) fn list_height(app: &App) -> usize {
    usize::from(list_area(app).height.saturating_sub(1))
}

/// How far a page can be scrolled.
pub(super) fn page_end(app: &App) -> usize {
    let body = areas(app.size).body;
    request::lines(app, usize::from(body.width)).len().saturating_sub(usize::from(body.height))
}

/// What stands there.
pub(super) fn at(app: &App, x: u16, y: u16) -> Option<Spot> {
    let tabs = areas(app.size).tabs;
    if y == tabs.y {
        return tab_places(app, tabs)
            .into_iter()
            .find(|(_, from, to)| (*from..*to).contains(&x))
            .map(|(tab, ..)| Spot::Tab(tab));
    }
    let area = list_area(app);
    let listing = app.listing()?;
    if y == area.y {
        return listing.column_at(x.into(), area.width.into()).map(Spot::Head);
    }
    if y < area.y || y >= area.bottom() {
        return None;
    }
    let row = usize::from(y - area.y - 1) + app.list(app.place()?).offset;
    (row < listing.rows.len()).then_some(Spot::Row(row))
}

/// Below this number of columns and lines there is no room for anything.
const LEAST: (u16, u16) = (20, 7);

/// Draws the screen.
pub(super) fn draw(app: &App, buffer: &mut Buffer) {
    if app.size.0 < LEAST.0 || app.size.1 < LEAST.1 {
        let text = format!("needs {}x{}", LEAST.0, LEAST.1);
        buffer.set_stringn(0, 0, text, app.size.0.into(), app.settings.theme.style(Tone::Plain));
        return;
    }
    let areas = areas(app.size);
    header::draw(app, areas.header, buffer);
    draw_tabs(app, areas.tabs, buffer);
    draw_title(app, areas.title, buffer);
    match app.view.details.last() {
        Some(Detail::Session(_)) => session::draw(app, areas.body, buffer),
        Some(Detail::Request(_)) => request::draw(app, areas.body, buffer),
        None => {
            if app.view.tab == Tab::History {
                history::draw_clients(app, areas.body, buffer);
            }
            draw_list(app, list_area(app), buffer);
        }
    }
    overlay::draw_footer(app, areas.footer, buffer);
    overlay::draw_dialog(app, buffer);
}

/// Draws the list that is seen, or what to do where it is empty.
pub(super) fn draw_list(app: &App, area: Rect, buffer: &mut Buffer) {
    let (Some(listing), Some(place)) = (app.listing(), app.place()) else { return };
    let state = app.list(place);
    if listing.rows.is_empty() {
        let filtered =
            if state.filter.terms.is_empty() { None } else { Some("Nothing passes the filter. Esc clears it.") };
        let waiting = (listing.empty == LOADING && app.link.error.is_some()).then_some(NO_ANSWER);
        let text = waiting.or(filtered).unwrap_or(&listing.empty);
        let lines = overlay::wrapped(text, usize::from(area.width.saturating_sub(4)).max(1));
        for (y, line) in (area.y + 1..area.bottom()).zip(&lines) {
            buffer.set_stringn(
                area.x + 2,
                y,
                line,
                area.width.saturating_sub(2).into(),
                app.settings.theme.style(Tone::Plain),
            );
        }
        return;
    }
    let looks = Looks {
        theme: app.settings.theme,
        offset: state.offset,
        cursor: Some(state.cursor),
        sort: state.sort,
        tagged: &app.view.tagged,
    };
    table::draw(&listing, area, buffer, looks);
}

/// From where to where the name of each screen stands.
fn tab_places(app: &App, area: Rect) -> Vec<(Tab, u16, u16)> {
    let whole: usize = Tab::ALL.iter().map(|tab| tab.title().len() + 4).sum();
    let mut x = 0;
    let mut places = Vec::new();
    for tab in Tab::ALL {
        let named = whole <= usize::from(area.width) || tab == app.view.tab;
        let long = if named { tab.title().len() + 2 } else { 1 };
        let end = x + u16::try_from(long).unwrap_or(0);
        places.push((tab, x, end));
        x = end + 2;
    }
    places
}

fn draw_tabs(app: &App, area: Rect, buffer: &mut Buffer) {
    for (n, (tab, from, to)) in tab_places(app, area).into_iter().enumerate() {
        let text = if to - from > 1 { format!("{} {}", n + 1, tab.title()) } else { (n + 1).to_string() };
        let style = app.settings.theme.style(if tab == app.view.tab { Tone::Strong } else { Tone::Dim });
        let style = if tab == app.view.tab { style.add_modifier(ratatui::style::Modifier::UNDERLINED) } else { style };
        buffer.set_stringn(from, area.y, text, area.width.saturating_sub(from).into(), style);
    }
}

/// What the list is: what of how much, filtered and sorted how.
fn draw_title(app: &App, area: Rect, buffer: &mut Buffer) {
    let mut parts = vec![match app.view.details.last() {
        Some(Detail::Session(id)) => format!("Session {id}"),
        Some(Detail::Request(request)) => format!("Request {}", request.id),
        None => tab_title(app),
    }];
    if let Some(place) = app.place() {
        let state = app.list(place);
        if !state.filter.text.is_empty() {
            parts.push(format!("filter: {}", state.filter.text));
        }
        if let Some((key, descending)) = state.sort {
            parts.push(format!("by {key} {}", if descending { "▾" } else { "▴" }));
        }
    }
    if !app.view.tagged.is_empty() {
        parts.push(format!("{} tagged", app.view.tagged.len()));
    }
    let text = cut(&parts.join(" · "), area.width.into());
    buffer.set_stringn(area.x, area.y, text, area.width.into(), app.settings.theme.style(Tone::Dim));
}

fn tab_title(app: &App) -> String {
    let rows = app.listing().map_or(0, |listing| listing.rows.len());
    let rows = i64::try_from(rows).unwrap_or(0);
    match app.view.tab {
        Tab::Sessions => {
            let kind = if app.view.all { "All sessions" } else { "Live sessions" };
            let counts = app.data.counts.unwrap_or_default();
            let of = if app.view.all { counts.all() } else { counts.live() };
            let of = if of > rows { format!("{} of {}", count(rows), count(of)) } else { count(rows) };
            let other = if app.view.all { "a: live only" } else { "a: all" };
            format!("{kind}: {of} ({other})")
        }
        Tab::Requests => format!("Requests as they come, the newest first: {}", count(rows)),
        Tab::Tools => format!("Tools in the last 24 hours: {}", count(rows)),
        Tab::Clients => format!("Clients by type and version: {}", count(rows)),
        Tab::Events => format!("Events as they come, the newest first: {}", count(rows)),
        Tab::History if app.view.step == super::data::Step::Hour => "By the hour, two days (a: by the day)".to_owned(),
        Tab::History => "By the day, a month (a: by the hour)".to_owned(),
        Tab::Boots => format!("Boots, the newest first: {}", count(rows)),
    }
}

/// Writes pieces of text one after the other; returns where the last one ends.
pub(super) fn write(app: &App, (x, y): (u16, u16), end: u16, pieces: &[(String, Tone)], buffer: &mut Buffer) -> u16 {
    let mut at = x;
    for (text, tone) in pieces {
        if at >= end {
            break;
        }
        let text = cut(text, (end - at).into());
        buffer.set_stringn(at, y, &text, (end - at).into(), app.settings.theme.style(*tone));
        at = at.saturating_add(u16::try_from(width(&text)).unwrap_or(u16::MAX));
    }
    at
}

/// What an empty list says while its first answer is on its way.
pub(super) const LOADING: &str = "Reading…";

/// And while there is no database that could answer.
const NO_ANSWER: &str = "Nothing has been read yet: the database does not answer. It is asked again until it does.";

/// What to do where there is nothing at all.
pub(super) fn nothing_yet(app: &App) -> String {
    format!(
        "No sessions yet. Start a server: {}\nThen connect a client to it: archonctl call health_check, \
         or: claude mcp add --transport http archon http://127.0.0.1:8051/mcp",
        app.settings.serve_hint
    )
}
