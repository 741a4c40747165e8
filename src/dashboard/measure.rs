//! How dear frames are.

use std::time::{Duration, Instant};

use serde_json::json;

use super::actions::show;
use super::error::DashboardError;
use super::message::Message;
use super::once::{OneShot, VERSION, drawn};
use super::options::Options;
use super::refresh::Occasion;
use super::update::update;
use super::view::Tab;
use super::wants::wants;

/// How dear frames are, measured without a terminal, as one JSON document: the time to the first frame, the time that the
/// database takes for a refresh, the time from a key to its frame, and the memory before and after a number of refreshes.
///
/// # Errors
/// [`DashboardError`] when the database is away.
pub async fn measure(options: &Options, size: (u16, u16), refreshes: usize) -> Result<String, DashboardError> {
    let began = Instant::now();
    let mut app = options.app(size);
    let mut once = OneShot::open(options).await?;
    // Header and list; what they warn of comes after them.
    let questions = wants(&app).into_iter().take(3).collect();
    once.ask(&mut app, questions, Occasion::All).await?;
    drawn(&app);
    let first = began.elapsed();
    once.fill(&mut app).await?;
    let (mut spent, mut memory_before) = (Vec::new(), None);
    for turn in 0..refreshes {
        tokio::time::sleep(app.state().settings.interval()).await;
        let questions = wants(&app);
        spent.push(once.ask(&mut app, questions, Occasion::Interval).await?);
        drawn(&app);
        // The first tenth fills what is held.
        if turn == refreshes / 10 {
            memory_before = memory();
        }
    }
    let began = Instant::now();
    let down = crossterm::event::KeyEvent::new(crossterm::event::KeyCode::Down, crossterm::event::KeyModifiers::NONE);
    _ = update(&mut app, Message::Key(down));
    drawn(&app);
    let key = began.elapsed();
    spent.sort_unstable();
    let ms = |took: Duration| (took.as_secs_f64() * 10_000.0).round() / 10.0;
    let at = |percent: usize| spent.get((spent.len() * percent).div_ceil(100).saturating_sub(1)).copied().map(ms);
    let mean = spent.iter().sum::<Duration>().checked_div(u32::try_from(spent.len()).unwrap_or(1)).map(ms);
    let questions: std::collections::BTreeMap<_, _> = once.feed.costs().map(|(name, cost)| (name, ms(cost))).collect();
    Ok(json!({
        "version": VERSION,
        "questions_ms": questions,
        "first_frame_ms": ms(first),
        "refreshes": refreshes,
        "refresh_database_ms": {"mean": mean, "p50": at(50), "p95": at(95), "most": at(100)},
        "key_to_frame_ms": ms(key),
        "memory_kb": {"before": memory_before, "after": memory()},
    })
    .to_string())
}

/// Makes a number of refreshes of all screens, one after the other and without a pause, and tells as one JSON document what
/// this process then has in memory: an hour at the default interval has 1,800.
///
/// # Errors
/// [`DashboardError`] when the database is away.
pub async fn endure(options: &Options, size: (u16, u16), refreshes: usize) -> Result<String, DashboardError> {
    let mut app = options.app(size);
    let mut once = OneShot::open(options).await?;
    let mut before = None;
    for (turn, tab) in (0..refreshes).zip(Tab::ALL.into_iter().cycle()) {
        app.change(|state, _| show(state, tab));
        once.fill(&mut app).await?;
        drawn(&app);
        // The first third fills what is held: streams, and caches of statements.
        if turn == refreshes / 3 {
            before = memory();
        }
    }
    let document = json!({
        "version": VERSION,
        "refreshes": refreshes,
        "memory_kb": {"before": before, "after": memory()},
    });
    Ok(document.to_string())
}

/// What this process has in memory of its own (pages of files do not count), in kilobytes, where the system tells.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}
