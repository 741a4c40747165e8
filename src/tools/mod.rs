//! The built-in tools, and the trait for one more.
