//! What options of `archonctl serve` take besides numbers, times and texts.

use std::time::Duration;

use clap::ValueEnum;
use humantime::parse_duration as duration;

use crate::accounting::capture::Capture;

/// How long rows are kept; `None` is for ever. (A type of its own, because the parser reads `Option` as "not required".)
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention(pub(super) Option<Duration>);

pub(super) fn retention(text: &str) -> Result<Retention, humantime::DurationError> {
    if text == "off" { Ok(Retention(None)) } else { duration(text).map(|time| Retention(Some(time))) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sync {
    Normal,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnOff {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Captures {
    Off,
    Errors,
    All,
}

impl From<Captures> for Capture {
    fn from(captures: Captures) -> Self {
        match captures {
            Captures::Off => Self::Off,
            Captures::Errors => Self::Errors,
            Captures::All => Self::All,
        }
    }
}
