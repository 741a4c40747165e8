//! Where the parts of the screen stand.

use ratatui::layout::Rect;

use crate::dashboard::view::Tab;

/// Where the parts of the screen stand.
#[derive(Debug, Clone, Copy)]
pub(in crate::dashboard) struct Areas {
    /// How the server and its sessions are.
    pub(in crate::dashboard) header: Rect,
    /// The names of the screens.
    pub(in crate::dashboard) tabs: Rect,
    /// What the list is.
    pub(in crate::dashboard) title: Rect,
    /// The screen itself.
    pub(in crate::dashboard) body: Rect,
    /// The keys that help most.
    pub(in crate::dashboard) footer: Rect,
}

/// Where the parts stand on a terminal of that size.
pub(in crate::dashboard) fn areas((wide, high): (u16, u16)) -> Areas {
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

/// From where to where the name of each screen stands.
pub(in crate::dashboard) fn tab_places(seen: Tab, area: Rect) -> Vec<(Tab, u16, u16)> {
    let whole: usize = Tab::ALL.iter().map(|tab| tab.title().len() + 4).sum();
    let mut x = 0;
    let mut places = Vec::new();
    for tab in Tab::ALL {
        let named = whole <= usize::from(area.width) || tab == seen;
        let long = if named { tab.title().len() + 2 } else { 1 };
        let end = x + u16::try_from(long).unwrap_or(0);
        places.push((tab, x, end));
        x = end + 2;
    }
    places
}
