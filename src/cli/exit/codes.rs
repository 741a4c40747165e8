//! Exit codes.

/// It is done.
pub const DONE: u8 = 0;
/// It ran, and the answer is no: checks failed, unhealthy.
pub const NO: u8 = 1;
/// Usage or configuration, this machine's files included.
pub const USAGE: u8 = 2;
/// Authentication.
pub const AUTH: u8 = 3;
/// A server or database cannot be reached, or did not answer in time.
pub const UNREACHABLE: u8 = 4;
/// The tool or the server answered with an error.
pub const FAILED: u8 = 5;
/// No such session, or it has ended, or it is not yours.
pub const NO_SESSION: u8 = 6;
/// Ended by SIGINT (128 + 2).
pub const INTERRUPTED: u8 = 130;
/// Ended by SIGTERM (128 + 15).
pub const TERMINATED: u8 = 143;
