//! What is summed over rows.

mod folding;
mod names;

use super::*;
