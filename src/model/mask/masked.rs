//! What is left of a secret.

/// What stands in its place.
pub const MASK: &str = "[masked]";
