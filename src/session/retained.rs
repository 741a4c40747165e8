//! How far the retention has come.

use std::sync::Mutex;

use crate::model::timestamp::Timestamp;
use crate::store::sessions::Swept;

/// How far the retention has come in this boot.
#[derive(Debug, Default)]
pub(super) struct Retained {
    /// Up to when it has removed; none before its first run.
    pub(super) before: Mutex<Option<Timestamp>>,
    /// Where its sweep is.
    pub(super) swept: Mutex<Swept>,
}
