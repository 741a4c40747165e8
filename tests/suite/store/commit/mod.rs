//! A row's way to the disk, whatever happens on it.

mod doubt;
mod held;
mod held_ends;
mod outages;
mod poison;
mod writing;

use super::*;
