//! What happens to the dashboard, and what it asks to be done.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};

use super::data::Answer;
use crate::model::timestamp::Timestamp;
use crate::queries::sessions::Session;

/// What happens.
#[derive(Debug)]
pub(super) enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// The terminal has another size.
    Resize(u16, u16),
    /// Time passes.
    Tick(Timestamp),
    /// The database answered at that moment of its clock.
    Answer(Box<Answer>, Timestamp),
    /// How long a small question took.
    Took(Duration),
    /// The database did not answer.
    Failed(String),
    /// Something that was asked for was done, or not; in words.
    Done(Result<String, String>),
    /// The number of sessions that were ended.
    Expired(Result<usize, String>),
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// Leave.
    Quit,
    /// To the shell, until it lets us go on.
    Suspend,
    /// Draw everything anew, and ask everything.
    Refresh,
    /// Into the terminal's clipboard.
    Copy(String),
    /// End these sessions.
    Expire(Vec<Session>),
    /// Into a file.
    Write(Export),
}

/// A list to be written to a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Export {
    /// Where to; none: a name of its own in the current folder.
    pub(super) path: Option<PathBuf>,
    /// The beginning of that name.
    pub(super) name: String,
    /// How it ends.
    pub(super) extension: &'static str,
    /// What is in it.
    pub(super) content: String,
}
