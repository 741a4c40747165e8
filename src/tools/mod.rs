//! The built-in tools, and the trait for one more.

pub mod prices;
pub mod tokens;
