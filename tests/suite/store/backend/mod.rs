//! The two databases: opened, closed, kept in order.

mod closing;
mod files;
mod locking;
pub(crate) mod older;
mod opening;
pub(super) mod schema;

use super::*;
