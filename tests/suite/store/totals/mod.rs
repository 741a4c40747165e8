//! What is summed over rows.

mod folding;
mod leftovers;
mod names;
mod touching;

use super::*;
