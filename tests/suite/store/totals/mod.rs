//! What is summed over rows.

mod folding;

use super::*;
