//! The configuration file, over the real program.
