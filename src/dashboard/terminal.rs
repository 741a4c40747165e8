//! The terminal: taken, and given back as it was, whatever happens.

use std::io::{self, Stdout, Write, stdout};
use std::sync::Once;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::app::App;
use super::screens;

/// A terminal that we draw on. Dropping it gives it back.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

static HOOK: Once = Once::new();

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
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).inspect_err(|_| give_back())?;
        Ok(Self { terminal })
    }

    /// Its size.
    ///
    /// # Errors
    /// When the terminal does not say.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Draws the screen.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn draw(&mut self, app: &App) -> io::Result<()> {
        self.terminal.draw(|frame| {
            // A terminal that has shrunk since says so in its next message.
            if frame.area().width == app.size.0 && frame.area().height == app.size.1 {
                screens::draw(app, frame.buffer_mut());
            }
        })?;
        Ok(())
    }

    /// Draws everything anew next time.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.terminal.clear()
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
        self.clear()
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
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture).inspect_err(|_| give_back())
}

/// As much as can be given back; when the terminal is gone there is nobody to tell.
fn give_back() {
    _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    _ = disable_raw_mode();
    _ = stdout().flush();
}
