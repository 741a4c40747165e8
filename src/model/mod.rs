//! Our nouns: sessions, request records, events, boots, and the one clock. No IO, but for how private files are made.

pub mod boot;
pub mod client_type;
pub mod clock;
pub mod encoding;
pub mod event;
pub mod figures;
pub mod group;
pub mod harmless;
pub mod label;
pub mod latency;
pub mod machine;
pub mod mask;
pub mod principal;
pub mod private;
pub mod refused;
pub mod request;
pub mod secret;
pub mod session;
pub mod text;
pub mod timestamp;
pub mod warned;
pub mod word;
