//! Whatever a stranger may send to one of our readers, and what holds of every answer to it. Cases are mutations of the
//! files in `tests/corpus/`; see [`driver`].

mod driver;
mod frames;
mod headers;
mod lists;
mod scenarios;
mod secrets;
mod sse;
mod tokens;
