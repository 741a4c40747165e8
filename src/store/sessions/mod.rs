//! The lives of sessions: found, counted, ended, and followed as they end; what outages give them, and what is removed.

mod counts;
mod credits;
mod ending;
mod feed;
mod lookup;
mod ownership;
mod reaping;
mod retention;
mod streams;

pub use counts::{LiveCounts, SessionCounts};
pub use credits::{CreditRule, Credited};
pub use ending::Ending;
pub use feed::{Cancellation, ChangeListener, End, Feed, News};
pub use lookup::{Ended, Life, Reserver, StoredClient, StoredProtocolSession, StoredSession};
pub use ownership::Renamed;
pub use reaping::{EvictRule, ReapRule, Reaped};
pub use retention::{Pruned, Swept};
pub use streams::StreamTouch;
