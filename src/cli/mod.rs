//! One file a subcommand; the only reader of arguments and environment.
