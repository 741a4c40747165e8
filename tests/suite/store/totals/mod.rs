//! What is summed over rows.

mod folding;
mod leftovers;
mod touching;

use super::*;
