//! What the legacy era alone has: the handshake, batches, notifications about requests.

mod batch;
mod handshake;
mod notices;

pub(super) use batch::batch;
