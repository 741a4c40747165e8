//! The live view: sessions, requests, tools and clients as they are, kept open all day.
//!
//! ```text
//! live, once, measure     tie it to a terminal, to one frame, to a stopwatch
//! update, screens         what happens changes the state; what is seen is drawn
//! app                     the state, and what is seen of it, made once a message
//! view_model              what is seen: titles, lines, lists with their rows, filtered and sorted
//! state                   what is held (data), looked at (view) and chosen
//! ```
//!
//! A file leans only on those below it. [`update`] and [`view_model`] are pure. [`background`] asks the store, by
//! [`crate::queries`], which `list`, `show` and `stats` ask too, so that they never disagree.

mod actions;
mod answers;
mod app;
mod background;
mod commands;
mod data;
mod error;
mod export;
mod feed;
mod filter;
mod help;
mod keys;
mod live;
mod measure;
mod message;
mod once;
mod options;
mod pace;
mod preferences;
mod question;
mod refresh;
mod screens;
mod state;
mod table;
mod term;
mod terminal;
mod text;
mod theme;
mod update;
mod view;
mod view_model;
mod wants;
mod warnings;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod tests;

pub use error::DashboardError;
pub use live::run;
pub use measure::{endure, measure};
pub use once::{document, frame};
pub use options::Options;
pub use view::Tab;
