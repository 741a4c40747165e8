//! The loop: keys, time and answers in; frames and effects out.

use std::io;
use std::path::Path;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};

use super::app::App;
use super::background;
use super::error::DashboardError;
use super::message::{Effect, Export, Message};
use super::options::Options;
use super::preferences::Preferences;
use super::refresh::Wants;
use super::terminal::Screen;
use super::update::update;
use super::wants::wants;
use crate::model::clock::Clock;
use crate::model::private;
use crate::model::timestamp::Timestamp;
use crate::queries::sessions::Session;

/// Answers that wait to be taken in.
const WAITING: usize = 256;
/// The clock on the screen goes by seconds.
const TICK: Duration = Duration::from_secs(1);

/// What the loop talks to.
struct Channels {
    wants: watch::Sender<Wants>,
    orders: mpsc::Sender<(Vec<Session>, String)>,
    refresh: u64,
    saved: Preferences,
    /// How much the database's clock is ahead of ours, in milliseconds.
    ahead: i64,
}

/// Runs the dashboard until its user leaves, or `stop` is done.
///
/// # Errors
/// [`DashboardError`] when the terminal does not do what we need; a database that is away is told on the screen.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> Result<(), DashboardError> {
    let mut screen = Screen::take()?;
    let mut app = options.app(Screen::size()?);
    let (out, mut messages) = mpsc::channel(WAITING);
    let (wanted_now, asked) = watch::channel(wanted(&app, 0));
    let (orders, ordered) = mpsc::channel(1);
    let feed = tokio::spawn(background::run(options.open.clone(), asked, ordered, out));
    let mut channels =
        Channels { wants: wanted_now, orders, refresh: 0, saved: Preferences::of(app.state()), ahead: 0 };
    let mut events = EventStream::new();
    let mut ticks = tokio::time::interval(TICK);
    let mut stop = std::pin::pin!(stop);
    let done = loop {
        screen.draw(&app)?;
        let message = tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => of_event(&event),
                Some(Err(error)) => break Err(error.into()),
                // The terminal is gone.
                None => break Ok(()),
            },
            message = messages.recv() => match message {
                Some(message) => Some(message),
                None => break Err(io::Error::other("nobody asks the database any more").into()),
            },
            _ = ticks.tick() => Some(Message::Tick(channels.now())),
            () = &mut stop => break Ok(()),
        };
        let mut next = message;
        let mut left = false;
        while let Some(message) = next {
            left |= step(&mut app, message, &mut channels, &mut screen, &options)?;
            // What has come meanwhile is drawn with it, in one frame.
            next = messages.try_recv().ok();
        }
        if left {
            break Ok(());
        }
        channels.follow(&app, options.preferences.as_deref());
    };
    feed.abort();
    done
}

/// One message, and what comes of it; true when the user leaves.
fn step(
    app: &mut App,
    message: Message,
    channels: &mut Channels,
    screen: &mut Screen,
    options: &Options,
) -> Result<bool, DashboardError> {
    match &message {
        Message::Answer(_, at) => channels.ahead = ahead(*at),
        Message::Resize(width, height) => screen.renew((*width, *height))?,
        _ => {}
    }
    match update(app, message) {
        None => {}
        Some(Effect::Quit) => return Ok(true),
        Some(Effect::Suspend) => {
            screen.suspend()?;
            let size = Screen::size()?;
            app.change(|state, _| state.size = size);
        }
        Some(Effect::Refresh) => {
            screen.renew(app.state().size)?;
            channels.refresh += 1;
        }
        Some(Effect::Copy(text)) => Screen::copy(&text)?,
        Some(Effect::Expire(sessions)) => {
            let taken = channels.orders.try_send((sessions, options.by.clone()));
            // One order at a time: a second one while the first is carried out is not taken.
            let told = taken.map_err(|_| Message::Done(Err("The last order is still being carried out.".to_owned())));
            _ = told.map_err(|message| update(app, message));
        }
        Some(Effect::Write(export)) => _ = update(app, Message::Done(written(&export))),
    }
    Ok(false)
}

impl Channels {
    /// The moment by the database's clock, as far as its last answer told it.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(Clock::uncorrected().millis() + self.ahead)
    }

    /// Asks what the screen wants now, and keeps what was chosen.
    fn follow(&mut self, app: &App, preferences: Option<&Path>) {
        let wants = wanted(app, self.refresh);
        self.wants.send_if_modified(|before| {
            let changed = *before != wants;
            before.clone_from(&wants);
            changed
        });
        let chosen = Preferences::of(app.state());
        if let Some(path) = preferences.filter(|_| app.state().dialog.is_none() && chosen != self.saved) {
            // A folder that cannot be written costs the memory of a choice, nothing else.
            _ = chosen.write(path);
            self.saved = chosen;
        }
    }
}

fn wanted(app: &App, refresh: u64) -> Wants {
    let settings = &app.state().settings;
    Wants { questions: wants(app), interval: settings.interval(), paused: settings.paused, refresh }
}

/// How much the database's clock is ahead of ours, by its answer of that moment; less than a second is the time that the answer took to get here.
fn ahead(at: Timestamp) -> i64 {
    let ahead = at.millis() - Clock::uncorrected().millis();
    if ahead.abs() < 1000 { 0 } else { ahead }
}

fn of_event(event: &Event) -> Option<Message> {
    match event {
        Event::Key(key) => Some(Message::Key(*key)),
        Event::Mouse(mouse) => Some(Message::Mouse(*mouse)),
        Event::Resize(width, height) => Some(Message::Resize(*width, *height)),
        _ => None,
    }
}

fn written(export: &Export) -> Result<String, String> {
    let path = export.path.clone().unwrap_or_else(|| format!("{}.{}", export.name, export.extension).into());
    // Its ids are all that a server without tokens asks for.
    let made = private::make_file(&path);
    let done = made.and_then(|mut file| io::Write::write_all(&mut file, export.content.as_bytes()));
    match done {
        Ok(()) => Ok(format!("Wrote {}", path.display())),
        Err(error) => Err(format!("Not written: {}: {error}", path.display())),
    }
}
