//! `--watch`: the same again at an interval, until interrupted.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime::parse_duration as duration;

use super::exit::{DONE, INTERRUPTED, TERMINATED};
use super::output::{Format, Output, Screen, View, line, write_out};
use super::signal::{Interrupted, interrupted};

/// Faster than this nobody reads.
const FASTEST: Duration = Duration::from_millis(100);

/// Whether to show it again and again.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Watch {
    /// Refresh at this interval until Ctrl-C: in place on a terminal, else as JSON lines [default: 2s]
    #[arg(short, long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2s",
          value_parser = duration, help_heading = "Output")]
    watch: Option<Duration>,
}

impl Watch {
    /// Shows a view once, or again and again.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(super) async fn show<V: View>(
        self,
        output: &Output,
        view: impl AsyncFn() -> anyhow::Result<V>,
    ) -> anyhow::Result<ExitCode> {
        let Some(every) = self.watch else {
            output.print(&view().await?)?;
            return Ok(ExitCode::from(DONE));
        };
        let every = every.max(FASTEST);
        let mut stop = pin!(interrupted());
        let mut first = true;
        loop {
            tokio::select! {
                // In this order: the signals are caught before anything is shown.
                biased;
                signal = &mut stop => return Ok(ended_by(signal)),
                shown = view() => frame(&shown?, output, first)?,
            }
            first = false;
            tokio::select! {
                signal = &mut stop => return Ok(ended_by(signal)),
                () = tokio::time::sleep(every) => {}
            }
        }
    }
}

/// A command that goes on until it is interrupted has then done what it should, but a shell wants to know.
pub(super) fn ended_by(signal: Interrupted) -> ExitCode {
    ExitCode::from(match signal {
        Interrupted::Interrupt => INTERRUPTED,
        Interrupted::Terminate => TERMINATED,
    })
}

/// One showing.
fn frame(view: &impl View, output: &Output, first: bool) -> anyhow::Result<()> {
    let screen = Screen::of_standard_output();
    let format = output.asked().unwrap_or(if screen.terminal { Format::Table } else { Format::Json });
    let text = match format {
        Format::Table if screen.terminal => in_place(view, &screen),
        Format::Table => view.text(&screen) + "\n\n",
        Format::Json => view.document()? + "\n",
        Format::Jsonl => view.lines()?.into_iter().map(|line| line + "\n").collect(),
        Format::Csv => view.csv(first)?,
    };
    Ok(write_out(&text, format)?)
}

/// The text over what stands there: each line clears what is left of the old one, and the end what is below. What does
/// not fit is counted.
fn in_place(view: &impl View, screen: &Screen) -> String {
    let text = view.text(screen);
    let note = view.note().map(|note| line(&note));
    let lines: Vec<_> = text.lines().chain(note.as_deref()).collect();
    let room = screen.height.saturating_sub(1).max(1);
    let (shown, left) = if lines.len() > room { (room - 1, lines.len() + 1 - room) } else { (lines.len(), 0) };
    let mut frame = "\u{1b}[H".to_owned();
    for line in &lines[..shown] {
        frame.push_str(line);
        frame.push_str("\u{1b}[K\n");
    }
    if left > 0 {
        frame.push_str("… ");
        frame.push_str(&left.to_string());
        frame.push_str(" more lines\u{1b}[K\n");
    }
    frame.push_str("\u{1b}[J");
    frame
}
