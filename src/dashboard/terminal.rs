//! The terminal: taken, and given back as it was, whatever happens.

use std::io::{self, Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::app::App;
use super::screens;

/// A terminal that we draw on. Dropping it gives it back.
pub(super) struct Screen {
    terminal: Option<Drawn>,
}

type Drawn = Terminal<CrosstermBackend<Stdout>>;

static HOOK: Once = Once::new();
/// Whether the terminal is ours now. Given back twice, it would put its cursor back to where it was when it was taken, on
/// top of the last words of a panic.
static TAKEN: AtomicBool = AtomicBool::new(false);

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn take() -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        enter()?;
        let terminal = size().and_then(blank).inspect_err(|_| give_back())?;
        Ok(Self { terminal: Some(terminal) })
    }

    /// Its size.
    ///
    /// # Errors
    /// When the terminal does not say.
    pub(super) fn size() -> io::Result<(u16, u16)> {
        size()
    }

    /// Draws the screen.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn draw(&mut self, app: &App) -> io::Result<()> {
        let Some(terminal) = &mut self.terminal else { return Ok(()) };
        terminal.draw(|frame| {
            if (frame.area().width, frame.area().height) == app.state().size {
                screens::draw(app, frame.buffer_mut());
            }
        })?;
        Ok(())
    }

    /// Draws everything anew next time, on a screen of that size.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn renew(&mut self, size: (u16, u16)) -> io::Result<()> {
        let_go(self.terminal.replace(blank(size)?));
        Ok(())
    }

    /// To the shell, until it lets us go on.
    ///
    /// # Errors
    /// When the terminal cannot be taken again.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // Without a shell that would let us go on, nothing happens: then we just go on.
        _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        enter()?;
        self.renew(size()?)
    }

    /// Puts a text in the terminal's clipboard (OSC 52).
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn copy(text: &str) -> io::Result<()> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        let_go(self.terminal.take());
    }
}

/// A drawn screen shows the cursor when it is dropped, and prints that it cannot; on a terminal that has gone, printing
/// panics. There it is forgotten instead.
fn let_go(terminal: Option<Drawn>) {
    if let Some(mut terminal) = terminal
        && terminal.show_cursor().is_err()
    {
        std::mem::forget(terminal);
    }
}

/// An empty screen. Its size is ours to say: whoever asks the terminal for anything while keys are read waits for ever.
fn blank((width, height): (u16, u16)) -> io::Result<Drawn> {
    execute!(stdout(), Clear(ClearType::All))?;
    let viewport = Viewport::Fixed(Rect { x: 0, y: 0, width, height });
    Terminal::with_options(CrosstermBackend::new(stdout()), TerminalOptions { viewport })
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture).inspect_err(|_| give_back())
}

/// As much as can be given back; when the terminal is gone there is nobody to tell.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    _ = disable_raw_mode();
    _ = stdout().flush();
}
