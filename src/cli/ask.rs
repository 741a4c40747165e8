//! A question that is answered with yes or no.

use std::io::{self, BufRead, Write};

/// Asks on standard error, and waits for a line. Whatever is not yes is no.
///
/// # Errors
/// When the terminal cannot be written or read.
pub(super) fn agreed(question: &str) -> io::Result<bool> {
    let mut err = io::stderr();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
