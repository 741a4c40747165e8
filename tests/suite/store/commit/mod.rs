//! A row's way to the disk, whatever happens on it.

mod doubt;
mod held;
mod outages;
mod poison;
mod writing;

use super::*;
