//! The two databases: opened, closed, kept in order.

mod at_once;
mod closing;
mod files;
mod frozen;
mod locking;
mod newer;
pub(crate) mod older;
mod opening;
pub(super) mod schema;

use super::*;
