//! Log lines on standard error: text on a terminal, JSON lines off it.

use std::fmt::{self, Debug};
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use clap::ValueEnum;
use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::output::{json, line};
use super::secrets;
use crate::model::mask;
use crate::model::warned::Warned;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    // No doc comments: one would turn the whole --help into its long form.
    Text,
    Json,
}

/// What is logged by default: our lines from info up. The database driver warns of each connection that was slow or cut,
/// which our own lines tell once.
const FILTER: &str = "archonctl=info,sqlx=error,warn";

/// Starts logging; `RUST_LOG` chooses what.
pub(super) fn start(format: Option<Format>) {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { Format::Text } else { Format::Json });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log that cannot be written, on a full disk, say, must not take the server with it.
        .log_internal_errors(false);
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // A second start (in a test) keeps the first.
    _ = match format {
        Format::Text => {
            let fields = debug_fn(field).delimited(" ");
            builder.with_writer(io::stderr).with_ansi(colour).with_target(false).fmt_fields(fields).try_init()
        }
        Format::Json => builder.json().flatten_event(true).with_writer(|| Lines).with_target(false).try_init(),
    };
    let (began, warned) = (Instant::now(), Warned::default());
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
        // A client may have found out how to cause it.
        let Some(more) = warned.of(&place, began.elapsed()) else { return };
        // Whose work it was, and what comes of it, is told by whoever owns that work.
        let words = mask::text(panic.payload_as_str().unwrap_or("without words"));
        tracing::error!(thread, place, "panicked: {words}{more}");
    }));
}

/// A field of a text line. What clients call themselves is among them, and what a database says: no field is more than its
/// part of the line, however it was put into the log.
fn field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = line(&secrets::hidden(&text));
    match field.name() {
        "message" => write!(out, "{text}"),
        name if out.has_ansi_escapes() => write!(out, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{text}"),
        name => write!(out, "{name}={text}"),
    }
}

/// A line of JSON without secrets, and without what a terminal obeys when somebody reads it there.
fn harmless(line: &str) -> String {
    json(&secrets::hidden_in_json(line)).into_owned()
}

/// Standard error, for lines of JSON.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(harmless(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Starts saying what a client does: notes and warnings always, more where it was asked for.
pub(super) fn narrate(verbose: u8) {
    let filter = match verbose {
        0 => "archonctl=info",
        1 => "archonctl=debug",
        _ => "archonctl=trace",
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .with_ansi(false)
        .log_internal_errors(false);
    // A second start (in a test) keeps the first.
    _ = builder.event_format(Narrator { began: Instant::now() }).try_init();
}

/// Lines for a person: a note, a warning, or what happened, with the time since the beginning.
#[derive(Debug)]
struct Narrator {
    began: Instant,
}

impl<S, N> FormatEvent<S, N> for Narrator
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        // A server's words are among them.
        let text = line(&secrets::hidden(&text));
        match *event.metadata().level() {
            Level::ERROR | Level::WARN => writeln!(out, "warning: {text}"),
            Level::INFO => writeln!(out, "note: {text}"),
            _ => writeln!(out, "{:8.3}s {text}", self.began.elapsed().as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_tells_no_secret_and_drives_no_terminal() {
        secrets::hold_url("postgres://me:l0g-and-l0ng@host/archon");
        let line = "{\"level\":\"WARN\",\"error\":\"no l0g-and-l0ng for me\u{9b}\"}\n";
        assert_eq!(harmless(line), "{\"level\":\"WARN\",\"error\":\"no [masked] for me\\u009b\"}\n");
    }
}
