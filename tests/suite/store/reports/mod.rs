//! What is read of a database.

mod looking;
mod plans;

use super::*;
