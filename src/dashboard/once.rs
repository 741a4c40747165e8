//! One frame, as text or as data: for scripts, and for watching without a terminal.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::actions::show;
use super::app::App;
use super::error::DashboardError;
use super::feed::{self, Feed, FeedError};
use super::message::Message;
use super::options::Options;
use super::question::Question;
use super::refresh::{Occasion, Wants};
use super::screens;
use super::update::update;
use super::view::{ListId, Tab};
use super::wants::wants;
use super::warnings;
use crate::diagnosis::Finding;
use crate::model::timestamp::Timestamp;
use crate::queries::trends::Trends;

/// The version of the document.
pub(super) const VERSION: u32 = 1;
/// More messages than one refresh has answers.
const WAITING: usize = 64;

/// A feed, and what it says.
pub(super) struct OneShot {
    pub(super) feed: Feed,
    out: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
}

impl OneShot {
    pub(super) async fn open(options: &Options) -> Result<Self, DashboardError> {
        let feed = feed::open(&options.open).await.map_err(told)?;
        let (out, messages) = mpsc::channel(WAITING);
        Ok(Self { feed, out, messages })
    }

    /// Asks those questions, or what is due of them; returns the time that the database took.
    pub(super) async fn ask(
        &mut self,
        app: &mut App,
        questions: Vec<Question>,
        occasion: Occasion,
    ) -> Result<Duration, DashboardError> {
        let now = self.feed.now();
        app.change(|state, _| state.now = now);
        let wants = Wants { questions, interval: app.state().settings.interval(), paused: false, refresh: 0 };
        let spent = self.feed.refresh(&wants, occasion, &self.out).await.map_err(told)?;
        while let Ok(message) = self.messages.try_recv() {
            _ = update(app, message);
        }
        Ok(spent)
    }

    /// Asks what the screen wants, and what it wants then: the rows that are seen are known only when they are there.
    pub(super) async fn fill(&mut self, app: &mut App) -> Result<(), DashboardError> {
        let questions = wants(app);
        self.ask(app, questions, Occasion::All).await?;
        let more = wants(app).into_iter().filter(|question| matches!(question, Question::Latest(_))).collect();
        self.ask(app, more, Occasion::All).await?;
        Ok(())
    }
}

fn told(error: FeedError) -> DashboardError {
    match error {
        FeedError::Open(error) => error.into(),
        FeedError::Store(error) => error.into(),
        gone @ FeedError::Gone(_) => std::io::Error::other(gone.to_string()).into(),
    }
}

/// One frame as text, in lines without trailing spaces.
///
/// # Errors
/// [`DashboardError`] when the database is away.
pub async fn frame(options: &Options, size: (u16, u16)) -> Result<String, DashboardError> {
    let mut app = options.app(size);
    OneShot::open(options).await?.fill(&mut app).await?;
    // Nothing can be typed into a printed frame: that nothing can be changed by it goes without saying.
    app.change(|state, _| state.settings.read_only = false);
    Ok(text(&app))
}

/// The screen as text.
pub(super) fn text(app: &App) -> String {
    text_of(&drawn(app))
}

/// What is drawn, as text.
pub(super) fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let (mut line, mut skip) = (String::new(), 0);
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            // What is as wide as two columns covers the next one.
            if skip == 0 {
                line.push_str(symbol);
                skip = super::text::width(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(super) fn drawn(app: &App) -> Buffer {
    let (width, height) = app.state().size;
    let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height });
    screens::draw(app, &mut buffer);
    buffer
}

/// All that the screens show, as one JSON document:
///
/// ```json
/// {"version": 1, "at": "2026-01-10T12:00:00.000Z", "database": {"kind": "sqlite", "answer_ms": 0.4},
///  "server": {"up": true, "boots_today": 3, "boots": [BOOT]}, "counts": COUNTS, "minutes": [MINUTE],
///  "warnings": [{"urgency": 2, "text": "…"}], "sessions": [SESSION], "latest": {ID: LATEST}, "requests": [REQUEST],
///  "tools": [USAGE], "tool_hours": [TOOL HOUR], "slowest": [REQUEST], "clients": [CLIENT], "events": [EVENT],
///  "history": [USAGE]}
/// ```
///
/// The words in capitals are the read models of [`crate::queries`], which `list`, `requests`, `events` and `stats` print.
/// `sessions` are those of the list, with its filter; `tools` are of the last day, and so are the slowest call of each;
/// `history` is of two days by the hour.
/// Urgency zero is the most urgent.
///
/// # Errors
/// [`DashboardError`] when the database is away.
pub async fn document(options: &Options) -> Result<String, DashboardError> {
    let mut app = options.app((200, 500));
    let mut once = OneShot::open(options).await?;
    for tab in Tab::ALL {
        app.change(|state, _| show(state, tab));
        once.fill(&mut app).await?;
    }
    app.change(|state, _| show(state, Tab::Sessions));
    let warned = |finding: &Finding| json!({"urgency": finding.rule.urgency(), "text": warnings::line(finding)});
    let warnings = app.seen().findings.iter().map(warned).collect();
    let document = Document { version: VERSION, at: app.state().now, warnings, app: &app };
    Ok(document.json().to_string())
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    at: Timestamp,
    warnings: Vec<serde_json::Value>,
    #[serde(skip)]
    app: &'a App,
}

impl Document<'_> {
    fn json(&self) -> serde_json::Value {
        let (data, sums) = (&self.app.state().data, &self.app.state().data.sums);
        let pulse = data.pulse.as_ref();
        let boots = sums.boots.as_ref();
        let up = pulse.is_some_and(|pulse| pulse.boots.iter().any(|boot| boot.is_up(self.at)));
        let sessions = {
            // With the filter of the list, in its order.
            let is_seen = self.app.state().list_id() == Some(ListId::Tab(Tab::Sessions));
            let rows = self.app.seen().listing().filter(|_| is_seen).into_iter().flat_map(|listing| &listing.rows);
            rows.filter_map(|row| self.app.state().session(&row.key)).collect::<Vec<_>>()
        };
        json!({
            "version": self.version,
            "at": self.at,
            "database": {
                "kind": self.app.state().settings.database,
                "answer_ms": self.app.state().link.took.map(|took| took.as_secs_f64() * 1000.0),
            },
            "server": {"up": up, "boots_today": pulse.map(|pulse| pulse.boots_today), "boots": boots},
            "counts": data.counts,
            "minutes": pulse.map(|pulse| &pulse.minutes),
            "warnings": self.warnings,
            "sessions": sessions,
            "latest": data.latest,
            "requests": data.streams.requests,
            "tools": sums.tools.as_ref().map(|tools| &tools.groups),
            "tool_hours": sums.trends.as_ref().map(Trends::hours),
            "slowest": sums.trends.as_ref().map(|trends| trends.slowest().collect::<Vec<_>>()),
            "clients": sums.clients,
            "events": data.streams.events,
            "history": sums.history.as_ref().map(|history| &history.usage.groups),
        })
    }
}
