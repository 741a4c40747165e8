//! The columns of lists. A column is one value: its name, its head, its width, how soon it gives way, and what stands in
//! its cells. The tables of commands and the screens of the dashboard are both made of such columns, and the members of
//! a list's JSON and CSV are those of its read model; so a column is added in one place.
//!
//! A cell says what it holds, not how that is written: a command writes ids and counts whole, the dashboard shortens them.

mod boots;
mod cell;
mod clients;
mod column;
mod events;
mod members;
mod requests;
mod sessions;
mod story;
mod usage;

pub use cell::{Cell, Tone, Value};
pub use clients::Noted;
pub use column::{Column, Head, Listed};
pub use members::members;
pub use sessions::{Beside, program};
pub use usage::{Slowest, Within};
