//! The lives of sessions.

mod by_hand;
mod credits;
mod ending;
mod lookup;
mod reaping;
mod retention;

use super::*;
